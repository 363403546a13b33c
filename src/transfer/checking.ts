import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyRing } from '../access/key-ring.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import type { Choices } from '../delivery/choice.ts';
import { itemName } from '../state/item-name.ts';
import { keys } from '../state/keys.ts';
import type {
  FollowRecord,
  InstanceRecord,
  SetAsideRecord,
  StudyRecord,
  TransferRecord,
} from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import type { DerivedObjects } from './derived-objects.ts';
import type { Derived, Deriving } from './deriving.ts';
import type { Finding } from './finding.ts';
import { Judgement } from './judgement.ts';
import { instancesPerTurn, judgementsMax, setAsideKeptMax } from './limits.ts';
import { Manifest } from './manifest.ts';
import type { ReasonCode } from './reasons.ts';

/** Called in the transaction that makes a transfer ready: delivery queues what is to be sent. */
export type OnReady = (tx: Transaction, transfer: TransferRecord, choices: Choices) => void;

export interface CheckingLimits {
  readonly instancesMax: number;
  readonly instanceBytesMax: number;
  readonly transferBytesMax: number;
  readonly studiesMax: number;
}

/** One call that looks at a transfer, and whether it was asked for again meanwhile. */
interface Turn {
  again: boolean;
  settled: Promise<TransferRecord | undefined> | undefined;
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
  readonly #choose: (transfer: TransferRecord) => Promise<Choices>;
  readonly #derivedObjects: Pick<DerivedObjects, 'keep' | 'drop'>;
  readonly #deriving: Pick<Deriving, 'derive'>;
  readonly #addressBook: AddressBook;
  /** Transfers that are being looked at, each by one call. */
  readonly #settling = new Map<string, Turn>();
  /** What is known of transfers that could not be decided yet, those looked at last behind. */
  readonly #judgements = new Map<string, Judgement>();

  constructor(parts: {
    state: State;
    keyRing: KeyRing;
    limits: CheckingLimits;
    onReady: OnReady;
    /** Before it, with time for a look at every item: which of them go to which mailbox. */
    choose: (transfer: TransferRecord) => Promise<Choices>;
    derivedObjects: Pick<DerivedObjects, 'keep' | 'drop'>;
    deriving: Pick<Deriving, 'derive'>;
    addressBook: AddressBook;
  }) {
    this.#state = parts.state;
    this.#derivedObjects = parts.derivedObjects;
    this.#deriving = parts.deriving;
    this.#addressBook = parts.addressBook;
    this.#keyRing = parts.keyRing;
    this.#limits = parts.limits;
    this.#onReady = parts.onReady;
    this.#choose = parts.choose;
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
    setAside: readonly SetAsideRecord[] = [],
  ): Promise<void> {
    const left = await this.#state.commit((tx) => {
      const unused = new Set(findings.flatMap(({ objects = [] }) => objects));
      const transfer = tx.get(keys.transfers, transferId);
      if (transfer === undefined || transfer.state !== 'receiving') {
        // Decided without this upload: nothing of it counts any more, and its follower must not begin again.
        tx.put(keys.follows, upload, { ...follow, state: 'done' });
        return unused;
      }
      let { instances, bytes, reports, studies, bsn } = transfer;
      const reasons = new Set(transfer.reasons);
      let over = false;
      for (const finding of findings) {
        const twin = this.#twinOf(tx, transferId, finding.instance);
        if (twin === 'equal') {
          continue;
        }
        const study = studyOf(tx, transferId, finding.instance);
        const studiesThen = studies + (study?.isFirst === true ? 1 : 0);
        if (this.#isOver(finding.instance, instances, bytes, studiesThen)) {
          reasons.add('LIMIT_EXCEEDED');
          over = true;
          break;
        }
        const added: ReasonCode[] = twin === 'different' ? ['DUPLICATE_DIFFERENT'] : [];
        if (finding.bsn !== undefined) {
          if (bsn === null) {
            bsn = this.#keyRing.seal('bsn', finding.bsn);
          } else if (this.#keyRing.unseal('bsn', bsn).toString() !== finding.bsn) {
            added.push('BSN_CONFLICT');
          }
        }
        tx.put(keys.instances, [transferId, instances], withReasons(finding.instance, added));
        const name = itemName(finding.instance);
        if (twin === 'different') {
          tx.put(keys.twins, [transferId, name, hex(finding.instance.sha256)], instances);
        } else if (name !== '') {
          tx.put(keys.instanceNumbers, [transferId, name], instances);
        }
        if (study !== undefined) {
          tx.put(keys.studies, [transferId, study.uid], study.counted);
        }
        studies = studiesThen;
        for (const object of finding.objects ?? []) {
          this.#derivedObjects.keep(tx, transferId, object);
          unused.delete(object);
        }
        instances++;
        reports += finding.instance.report === null ? 0 : 1;
        bytes += finding.instance.bytes;
      }
      for (const [at, entry] of setAside.entries()) {
        if (transfer.setAside + at < setAsideKeptMax) {
          tx.put(keys.setAside, [transferId, transfer.setAside + at], entry);
        }
      }
      if (follow.state === 'broken') {
        reasons.add('PACKAGE_BROKEN');
      }
      // Whatever comes behind changes nothing: a million more parts are not inspected for that.
      tx.put(keys.follows, upload, over ? { ...follow, state: 'done' } : follow);
      const counted = { instances, bytes, reports, studies, setAside: transfer.setAside + setAside.length };
      const changed = { ...counted, bsn, reasons: [...reasons], updatedAt: Date.now() };
      tx.put(keys.transfers, transferId, { ...transfer, ...changed });
      return unused;
    });
    for (const object of left) {
      await this.#derivedObjects.drop(transferId, object);
    }
  }

  /**
   * Looks whether a transfer can be decided: when all that was uploaded is known, and it is either
   * complete or has something that stops it. Returns it to the one call that decided it.
   *
   * Each of its uploads asks. While one looks the others only make it look once more, and wait.
   */
  async settle(transferId: string): Promise<TransferRecord | undefined> {
    const other = this.#settling.get(transferId);
    if (other !== undefined) {
      other.again = true;
      // With its failure, if it fails: then nobody looked for this call.
      await other.settled;
      return undefined;
    }
    const turn: Turn = { again: false, settled: undefined };
    this.#settling.set(transferId, turn);
    const settled = this.#settleInTurns(transferId, turn);
    turn.settled = settled;
    return settled;
  }

  async #settleInTurns(transferId: string, turn: Turn): Promise<TransferRecord | undefined> {
    try {
      let settled: TransferRecord | undefined;
      do {
        turn.again = false;
        settled = await this.#settleOnce(transferId, turn);
      } while (settled === undefined && turn.again);
      return settled;
    } finally {
      this.#settling.delete(transferId);
    }
  }

  async #settleOnce(transferId: string, turn: Turn): Promise<TransferRecord | undefined> {
    const transfer = this.#state.get(keys.transfers, transferId);
    if (transfer?.state !== 'receiving') {
      this.#judgements.delete(transferId);
      return undefined;
    }
    const allKnown = this.#allKnown(transfer);
    if (!allKnown && !this.#isFull(transfer)) {
      return undefined;
    }
    const judgement = await this.#judge(transfer);
    const nestedIdentity = transfer.to.map((mailbox) => this.#addressBook.mailbox(mailbox).nestedIdentity);
    const verdict = judgement.verdict(transfer, { allKnown, nestedIdentity });
    if (verdict === undefined) {
      return undefined;
    }
    if (verdict.state === 'ready' && transfer.derived === null) {
      const derived = await this.#deriving.derive(transfer, judgement.renderable);
      if (derived.findings.length + derived.reasons.length > 0) {
        await this.#recordDerived(transfer, derived);
        // With what was made, and what its making found, the transfer is looked at once more.
        turn.again = true;
        return undefined;
      }
    }
    const choices = verdict.state === 'ready' ? await this.#choose(transfer) : undefined;
    return this.#state.commit((tx) => {
      const now = tx.get(keys.transfers, transferId);
      if (now?.state !== 'receiving') {
        return undefined;
      }
      // What was claimed, found or sealed meanwhile makes the verdict old.
      if (!sameMaterial(now, transfer)) {
        turn.again = true;
        return undefined;
      }
      this.#judgements.delete(transferId);
      const settled = { ...now, ...verdict, derived: now.derived ?? 0, updatedAt: Date.now() };
      tx.put(keys.transfers, transferId, settled);
      if (choices !== undefined) {
        this.#onReady(tx, settled, choices);
      }
      return settled;
    });
  }

  /** What some receivers want beside what was sent becomes items of the transfer. */
  async #recordDerived(transfer: TransferRecord, { findings, reasons }: Derived): Promise<void> {
    const objects = findings.flatMap((finding) => finding.objects ?? []);
    const isRecorded = await this.#state.commit((tx) => {
      const now = tx.get(keys.transfers, transfer.id);
      if (now?.state !== 'receiving' || !sameMaterial(now, transfer)) {
        return false;
      }
      let { instances } = now;
      for (const { instance } of findings) {
        tx.put(keys.instances, [now.id, instances], instance);
        tx.put(keys.instanceNumbers, [now.id, instance.sopInstanceUid], instances);
        instances++;
      }
      for (const object of objects) {
        this.#derivedObjects.keep(tx, now.id, object);
      }
      const added = { instances, derived: findings.length, updatedAt: Date.now() };
      tx.put(keys.transfers, now.id, {
        ...now,
        ...added,
        reasons: [...new Set([...now.reasons, ...reasons])],
      });
      return true;
    });
    for (const object of isRecorded ? [] : objects) {
      await this.#derivedObjects.drop(transfer.id, object);
    }
  }

  /** What came before under this UID: nothing, only others, or also this very instance. */
  #twinOf(tx: Transaction, transfer: string, instance: InstanceRecord): 'equal' | 'different' | undefined {
    const name = itemName(instance);
    const { sha256 } = instance;
    const first = name === '' ? undefined : tx.get(keys.instanceNumbers, [transfer, name]);
    const twin = first === undefined ? undefined : tx.get(keys.instances, [transfer, first]);
    if (twin === undefined) {
      return undefined;
    }
    const isEqual =
      Buffer.compare(twin.sha256, sha256) === 0 ||
      tx.get(keys.twins, [transfer, name, hex(sha256)]) !== undefined;
    return isEqual ? 'equal' : 'different';
  }

  #isOver(instance: InstanceRecord, instances: number, bytes: number, studies: number): boolean {
    const { instancesMax, instanceBytesMax, transferBytesMax, studiesMax } = this.#limits;
    return (
      instances >= instancesMax ||
      instance.bytes > instanceBytesMax ||
      bytes + instance.bytes > transferBytesMax ||
      studies > studiesMax
    );
  }

  #allKnown({ uploads }: TransferRecord): boolean {
    return uploads.length > 0 && uploads.every((upload) => this.#isKnown(upload));
  }

  #isKnown(upload: string): boolean {
    const follow = this.#state.get(keys.follows, upload);
    return follow !== undefined && follow.state !== 'following';
  }

  /** As many instances as the manifest lists: an abandoned upload stops nothing. */
  #isFull({ uploads, instances, expected }: TransferRecord): boolean {
    return uploads.length > 0 && expected !== null && instances >= expected;
  }

  /** Goes on where the last look ended; after so many other transfers it begins anew. */
  async #judge(transfer: TransferRecord): Promise<Judgement> {
    const { id, expected, instances } = transfer;
    const before = this.#judgements.get(id);
    const judgement = before?.expected === expected ? before : new Judgement(expected);
    this.#judgements.delete(id);
    this.#judgements.set(id, judgement);
    const [oldest] = this.#judgements.keys();
    if (this.#judgements.size > judgementsMax && oldest !== undefined) {
      this.#judgements.delete(oldest);
    }
    while (judgement.next < instances) {
      // Read for each turn, so that however many transfers are looked at, there is one manifest in memory.
      const sealed = expected === null ? undefined : this.#state.get(keys.manifests, id);
      const manifest = sealed === undefined ? undefined : new Manifest(sealed);
      const end = Math.min(instances, judgement.next + instancesPerTurn);
      while (judgement.next < end) {
        const instance = this.#state.get(keys.instances, [id, judgement.next]);
        if (instance === undefined) {
          throw new Error(`transfer ${id} has no instance ${judgement.next} of ${instances}`);
        }
        judgement.add(instance, manifest);
      }
      if (judgement.next < instances) {
        await nextTurn();
      }
    }
    return judgement;
  }
}

/** The study of an instance with this instance counted; undefined for what names none. */
function studyOf(
  tx: Transaction,
  transfer: string,
  { scan, bytes }: InstanceRecord,
): { readonly uid: string; readonly isFirst: boolean; readonly counted: StudyRecord } | undefined {
  const uid = scan?.studyInstanceUid ?? '';
  if (uid === '') {
    return undefined;
  }
  const before = tx.get(keys.studies, [transfer, uid]);
  const counted = { instances: (before?.instances ?? 0) + 1, bytes: (before?.bytes ?? 0) + bytes };
  return { uid, isFirst: before === undefined, counted };
}

function sameMaterial(a: TransferRecord, b: TransferRecord): boolean {
  return (
    a.instances === b.instances &&
    a.expected === b.expected &&
    a.uploads.length === b.uploads.length &&
    (a.bsn === null) === (b.bsn === null) &&
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

function hex(sha256: Uint8Array): string {
  return Buffer.from(sha256.buffer, sha256.byteOffset, sha256.byteLength).toString('hex');
}
