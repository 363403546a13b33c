import type { KeyRing } from '../access/key-ring.ts';
import { keys } from '../state/keys.ts';
import type { FollowRecord, InstanceRecord, ManifestRecord, TransferRecord } from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import type { Finding } from './finding.ts';
import { instancesPerTurn } from './limits.ts';
import { effectOf, type ReasonCode } from './reasons.ts';

/** Called in the transaction that makes a transfer ready: delivery queues what is to be sent. */
export type OnReady = (tx: Transaction, transfer: TransferRecord) => void;

export interface CheckingLimits {
  readonly instancesMax: number;
  readonly instanceBytesMax: number;
  readonly transferBytesMax: number;
}

/**
 * Decides, from what was found in its uploads, what becomes of a transfer: complete, held, rejected.
 * The manifest alone says what complete means.
 */
export class Checking {
  readonly #state: State;
  readonly #keyRing: KeyRing;
  readonly #limits: CheckingLimits;
  readonly #onReady: OnReady;

  constructor(parts: { state: State; keyRing: KeyRing; limits: CheckingLimits; onReady: OnReady }) {
    this.#state = parts.state;
    this.#keyRing = parts.keyRing;
    this.#limits = parts.limits;
    this.#onReady = parts.onReady;
  }

  /**
   * Records what was found in one stretch of an upload and how far its follower has come, in one
   * transaction, so that after a kill no part is found twice or missed.
   */
  async record(
    transferId: string,
    upload: string,
    findings: readonly Finding[],
    follow: FollowRecord,
  ): Promise<void> {
    await this.#state.commit((tx) => {
      const transfer = tx.get(keys.transfers, transferId);
      if (transfer === undefined || transfer.state !== 'receiving') {
        // Decided without this upload: nothing of it counts any more, and its follower must not begin again.
        tx.put(keys.follows, upload, { ...follow, state: 'done' });
        return;
      }
      let { instances, bytes, bsn } = transfer;
      const reasons = new Set(transfer.reasons);
      let over = false;
      for (const finding of findings) {
        const twin = this.#twinOf(tx, transferId, finding.instance.sopInstanceUid);
        if (twin !== undefined && Buffer.compare(twin.sha256, finding.instance.sha256) === 0) {
          continue;
        }
        if (this.#isOver(finding.instance, instances, bytes)) {
          reasons.add('LIMIT_EXCEEDED');
          over = true;
          break;
        }
        const added: ReasonCode[] = twin === undefined ? [] : ['DUPLICATE_DIFFERENT'];
        if (finding.bsn !== undefined) {
          if (bsn === null) {
            bsn = this.#keyRing.seal('bsn', finding.bsn);
          } else if (this.#keyRing.unseal('bsn', bsn).toString() !== finding.bsn) {
            added.push('BSN_CONFLICT');
          }
        }
        tx.put(keys.instances, [transferId, instances], withReasons(finding.instance, added));
        if (twin === undefined && finding.instance.sopInstanceUid !== '') {
          tx.put(keys.instanceNumbers, [transferId, finding.instance.sopInstanceUid], instances);
        }
        instances++;
        bytes += finding.instance.bytes;
      }
      if (follow.state === 'broken') {
        reasons.add('PACKAGE_BROKEN');
      }
      // Whatever comes behind changes nothing: a million more parts are not inspected for that.
      tx.put(keys.follows, upload, over ? { ...follow, state: 'done' } : follow);
      const changed = { instances, bytes, bsn, reasons: [...reasons], updatedAt: Date.now() };
      tx.put(keys.transfers, transferId, { ...transfer, ...changed });
    });
  }

  /**
   * Looks whether a transfer can be decided: when all that was uploaded is known, and it is either
   * complete or has something that stops it. Returns it if this call decided it, once for each transfer.
   */
  async settle(transferId: string): Promise<TransferRecord | undefined> {
    const transfer = this.#state.get(keys.transfers, transferId);
    if (transfer?.state !== 'receiving' || !this.#isDue(transfer)) {
      return undefined;
    }
    const manifest = this.#state.get(keys.manifests, transferId);
    const verdict = await this.#judge(transfer, manifest);
    if (verdict === undefined) {
      return undefined;
    }
    const outcome = await this.#state.commit((tx) => {
      const now = tx.get(keys.transfers, transferId);
      if (now?.state !== 'receiving') {
        return undefined;
      }
      // What was claimed, found or sealed meanwhile makes the verdict old.
      if (!sameMaterial(now, transfer)) {
        return 'old';
      }
      const settled = { ...now, ...verdict, updatedAt: Date.now() };
      tx.put(keys.transfers, transferId, settled);
      if (settled.state === 'ready') {
        this.#onReady(tx, settled);
      }
      return settled;
    });
    return outcome === 'old' ? this.settle(transferId) : outcome;
  }

  #isOver(instance: InstanceRecord, instances: number, bytes: number): boolean {
    const { instancesMax, instanceBytesMax, transferBytesMax } = this.#limits;
    return (
      instances >= instancesMax ||
      instance.bytes > instanceBytesMax ||
      bytes + instance.bytes > transferBytesMax
    );
  }

  /** All uploads are known, or as many instances as the manifest lists: an abandoned upload stops nothing. */
  #isDue({ uploads, instances, expected }: TransferRecord): boolean {
    const known = uploads.every((upload) => {
      const follow = this.#state.get(keys.follows, upload);
      return follow !== undefined && follow.state !== 'following';
    });
    return uploads.length > 0 && (known || (expected !== null && instances >= expected));
  }

  async #judge(
    transfer: TransferRecord,
    manifest: ManifestRecord | undefined,
  ): Promise<Pick<TransferRecord, 'state' | 'reasons'> | undefined> {
    const codes = new Set<string>(transfer.reasons);
    const patients = new Set<string>();
    const listed = new Map(manifest?.instances.map((one) => [one.sopInstanceUid, one]));
    let accepted = 0;
    let matched = 0;
    for (let number = 0; number < transfer.instances; number++) {
      const instance = this.#state.get(keys.instances, [transfer.id, number]);
      if (instance === undefined) {
        throw new Error(`transfer ${transfer.id} has no instance ${number} of ${transfer.instances}`);
      }
      for (const code of instance.reasons) {
        codes.add(code);
      }
      if (instance.patientMac !== null) {
        patients.add(instance.patientMac);
      }
      accepted += instance.verdict === 'rejected' ? 0 : 1;
      const entry = listed.get(instance.sopInstanceUid);
      if (manifest !== undefined && entry === undefined && instance.sopInstanceUid !== '') {
        codes.add('NOT_LISTED');
      } else if (entry !== undefined) {
        if (entry.bytes === instance.bytes && Buffer.compare(entry.sha256, instance.sha256) === 0) {
          matched++;
        } else {
          codes.add('DIGEST_DIFFERS');
        }
      }
      if (number % instancesPerTurn === instancesPerTurn - 1) {
        await new Promise((next) => setImmediate(next));
      }
    }
    if (patients.size > 1) {
      codes.add('PATIENT_MIXED');
    }
    const stops = [...codes].some((code) => effectOf(code, transfer.priority) !== 'flag');
    if (stops) {
      return { state: accepted === 0 ? 'rejected' : 'held', reasons: [...codes] };
    }
    const complete = manifest === undefined ? transfer.selfManifest : matched === manifest.instances.length;
    if (!complete) {
      return undefined;
    }
    if (transfer.instances === 0) {
      return { state: 'rejected', reasons: [...codes, 'PACKAGE_BROKEN'] };
    }
    if (transfer.bsn === null) {
      codes.add('BSN_MISSING');
    }
    return { state: 'ready', reasons: [...codes] };
  }

  #twinOf(tx: Transaction, transfer: string, sopInstanceUid: string): InstanceRecord | undefined {
    const number =
      sopInstanceUid === '' ? undefined : tx.get(keys.instanceNumbers, [transfer, sopInstanceUid]);
    return number === undefined ? undefined : tx.get(keys.instances, [transfer, number]);
  }
}

function sameMaterial(a: TransferRecord, b: TransferRecord): boolean {
  return (
    a.instances === b.instances &&
    a.expected === b.expected &&
    a.uploads.length === b.uploads.length &&
    a.reasons.length === b.reasons.length
  );
}

function withReasons(instance: InstanceRecord, added: readonly ReasonCode[]): InstanceRecord {
  if (added.length === 0) {
    return instance;
  }
  const verdict = instance.verdict === 'rejected' ? 'rejected' : 'held';
  return { ...instance, verdict, reasons: [...instance.reasons, ...added] };
}
