import type { KeyRing } from '../access/key-ring.ts';
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
import type { Derived, Unmade } from './deriving.ts';
import type { Finding } from './finding.ts';
import { setAsideKeptMax } from './limits.ts';
import { type ReasonCode, reasons } from './reasons.ts';

export interface RecordingLimits {
  readonly instancesMax: number;
  readonly instanceBytesMax: number;
  readonly transferBytesMax: number;
  readonly studiesMax: number;
}

interface RecordingParts {
  readonly state: State;
  readonly keyRing: KeyRing;
  readonly limits: RecordingLimits;
  readonly derivedObjects: Pick<DerivedObjects, 'keep' | 'drop'>;
}

/** Makes items of a transfer out of what was found, and out of what was made from them. */
export class Recording {
  readonly #parts: RecordingParts;

  constructor(parts: RecordingParts) {
    this.#parts = parts;
  }

  /**
   * Records what was found in one stretch of an upload and how far its follower has come, in one
   * transaction, so that after a kill no part is found twice or missed. Derived objects that no item refers to
   * then, also because the commit failed, are gone.
   */
  async found(
    transferId: string,
    upload: string,
    findings: readonly Finding[],
    follow: FollowRecord,
    setAside: readonly SetAsideRecord[] = [],
  ): Promise<void> {
    const { state, derivedObjects } = this.#parts;
    try {
      await state.commit((tx) => this.#found(tx, transferId, upload, findings, follow, setAside));
    } finally {
      await derivedObjects.drop(transferId, objectsOf(findings));
    }
  }

  /**
   * What some receivers want beside what was sent becomes items of the transfer; what nothing could be made of
   * gets the reason. Does nothing when something came to the transfer meanwhile, or it is decided.
   */
  async derived(transfer: TransferRecord, { findings, unmade }: Derived): Promise<void> {
    const { state, derivedObjects } = this.#parts;
    try {
      await state.commit((tx) => {
        const now = tx.get(keys.transfers, transfer.id);
        if (now?.state === 'receiving' && isSameMaterial(now, transfer)) {
          this.#derived(tx, now, findings, unmade);
        }
      });
    } finally {
      await derivedObjects.drop(transfer.id, objectsOf(findings));
    }
  }

  #found(
    tx: Transaction,
    transferId: string,
    upload: string,
    findings: readonly Finding[],
    follow: FollowRecord,
    setAside: readonly SetAsideRecord[],
  ): void {
    const transfer = tx.get(keys.transfers, transferId);
    if (transfer === undefined || transfer.state !== 'receiving') {
      // Decided without this upload: nothing of it counts any more, and its follower must not begin again.
      if (tx.get(keys.uploads, upload) !== undefined) {
        tx.put(keys.follows, upload, { ...follow, state: 'done' });
      }
      return;
    }
    let { instances, bytes, reports, studies, bsn } = transfer;
    const codes = new Set(transfer.reasons);
    let over = false;
    for (const finding of findings) {
      const twin = twinOf(tx, transferId, finding.instance);
      if (twin === 'equal') {
        continue;
      }
      const study = studyOf(tx, transferId, finding.instance);
      const studiesThen = studies + (study?.isFirst === true ? 1 : 0);
      if (this.#isOver(finding.instance, instances, bytes, studiesThen)) {
        codes.add('LIMIT_EXCEEDED');
        over = true;
        break;
      }
      const added: ReasonCode[] = twin === 'different' ? ['DUPLICATE_DIFFERENT'] : [];
      if (finding.bsn !== undefined) {
        if (bsn === null) {
          bsn = this.#parts.keyRing.seal('bsn', finding.bsn);
        } else if (this.#parts.keyRing.unseal('bsn', bsn).toString() !== finding.bsn) {
          added.push('BSN_CONFLICT');
        }
      }
      const instance = added.reduce(withReason, finding.instance);
      tx.put(keys.instances, [transferId, instances], instance);
      const name = itemName(instance);
      if (twin === 'different') {
        tx.put(keys.twins, [transferId, name, hex(instance.sha256)], instances);
      } else if (name !== '') {
        tx.put(keys.instanceNumbers, [transferId, name], instances);
      }
      if (study !== undefined) {
        tx.put(keys.studies, [transferId, study.uid], study.counted);
      }
      studies = studiesThen;
      this.#keep(tx, transferId, finding);
      instances++;
      reports += instance.report === null ? 0 : 1;
      bytes += instance.bytes;
    }
    for (const [at, entry] of setAside.entries()) {
      if (transfer.setAside + at < setAsideKeptMax) {
        tx.put(keys.setAside, [transferId, transfer.setAside + at], entry);
      }
    }
    if (follow.state === 'broken') {
      codes.add('PACKAGE_BROKEN');
    }
    // Whatever comes behind changes nothing: a million more parts are not inspected for that.
    tx.put(keys.follows, upload, over ? { ...follow, state: 'done' } : follow);
    const counted = { instances, bytes, reports, studies, setAside: transfer.setAside + setAside.length };
    const changed = { ...counted, bsn, reasons: [...codes], updatedAt: Date.now() };
    tx.put(keys.transfers, transferId, { ...transfer, ...changed });
  }

  #derived(
    tx: Transaction,
    now: TransferRecord,
    findings: readonly Finding[],
    unmade: readonly Unmade[],
  ): void {
    let { instances } = now;
    for (const finding of findings) {
      const { sopInstanceUid } = finding.instance;
      // It was sent along, by who got it from us with the report it is made of: one UID is one item.
      if (tx.get(keys.instanceNumbers, [now.id, sopInstanceUid]) !== undefined) {
        continue;
      }
      tx.put(keys.instances, [now.id, instances], finding.instance);
      tx.put(keys.instanceNumbers, [now.id, sopInstanceUid], instances);
      this.#keep(tx, now.id, finding);
      instances++;
    }
    for (const { number, code, detail } of unmade) {
      const item = tx.get(keys.instances, [now.id, number]);
      if (item !== undefined) {
        tx.put(keys.instances, [now.id, number], {
          ...withReason(item, code),
          detail: item.detail ?? detail,
        });
      }
    }
    const derived = instances - now.instances;
    tx.put(keys.transfers, now.id, { ...now, instances, derived, updatedAt: Date.now() });
  }

  #keep(tx: Transaction, transfer: string, { objects = [] }: Finding): void {
    for (const object of objects) {
      this.#parts.derivedObjects.keep(tx, transfer, object);
    }
  }

  #isOver(instance: InstanceRecord, instances: number, bytes: number, studies: number): boolean {
    const { instancesMax, instanceBytesMax, transferBytesMax, studiesMax } = this.#parts.limits;
    return (
      instances >= instancesMax ||
      instance.bytes > instanceBytesMax ||
      bytes + instance.bytes > transferBytesMax ||
      studies > studiesMax
    );
  }
}

/** False when something was claimed, found or sealed since: what was made of the one is old for the other. */
export function isSameMaterial(a: TransferRecord, b: TransferRecord): boolean {
  return (
    a.instances === b.instances &&
    a.expected === b.expected &&
    a.uploads.length === b.uploads.length &&
    (a.bsn === null) === (b.bsn === null) &&
    a.reasons.length === b.reasons.length
  );
}

/** What came before under this UID: nothing, only others, or also this very instance. */
function twinOf(
  tx: Transaction,
  transfer: string,
  instance: InstanceRecord,
): 'equal' | 'different' | undefined {
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

function withReason(instance: InstanceRecord, code: ReasonCode): InstanceRecord {
  const isStopped = reasons[code].effect !== 'flag' && instance.verdict === 'accepted';
  const verdict = isStopped ? 'held' : instance.verdict;
  return { ...instance, verdict, reasons: [...instance.reasons, code] };
}

function objectsOf(findings: readonly Finding[]) {
  return findings.flatMap(({ objects = [] }) => objects);
}

function hex(sha256: Uint8Array): string {
  return Buffer.from(sha256.buffer, sha256.byteOffset, sha256.byteLength).toString('hex');
}
