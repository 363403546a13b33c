import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import type { Instant, TransferRecord, UploadRecord } from '../state/records.ts';
import type { Reader, State, Transaction } from '../state/state.ts';
import type { DerivedObjects } from './derived-objects.ts';
import { transfersExpired } from './metrics.ts';
import { Outbox } from './outbox.ts';

interface ExpiringParts {
  readonly state: State;
  readonly derivedObjects: Pick<DerivedObjects, 'dropAll'>;
  readonly settings: {
    /** A transfer that its sender has not finished lives so long after the last thing that came … */
    readonly expiryMs: number;
    /** … and so long after its creation at most. */
    readonly expiryMsMax: number;
  };
  readonly log: Log;
  readonly now?: () => Instant;
}

/**
 * Transfers that their senders did not finish: when nothing came for so long, they and all of their uploads
 * go, together. What waits for us, and whatever is decided, stays.
 */
export class Expiring {
  readonly #parts: ExpiringParts;
  readonly #outbox: Outbox;
  /** Expired since the last pass; after a kill the start finds what they have left. */
  readonly #expired = new Set<string>();

  constructor(parts: ExpiringParts) {
    this.#parts = parts;
    this.#outbox = new Outbox(parts.state);
  }

  /** Whether an upload of a transfer may go, since the time of all of it is over. */
  isExpirable({ transfer: id }: Pick<UploadRecord, 'transfer'>): boolean {
    const { state } = this.#parts;
    const transfer = id === null ? undefined : state.get(keys.transfers, id);
    return transfer === undefined || transfer.state === 'expired' || this.#isOver(state, transfer);
  }

  /** Nobody needs its uploads any more. */
  hasExpired(transfer: string): boolean {
    return this.#parts.state.get(keys.transfers, transfer)?.state === 'expired';
  }

  /**
   * In the commit that removes an upload of a transfer. One that was not what its digest says leaves the transfer
   * open for another; of a transfer that is its own manifest it was all there is.
   */
  removed(tx: Transaction, { id, state, transfer: owner }: UploadRecord): void {
    const transfer = owner === null ? undefined : tx.get(keys.transfers, owner);
    if (transfer?.state !== 'receiving') {
      return;
    }
    if (state === 'verifying' && !transfer.selfManifest) {
      const uploads = transfer.uploads.filter((one) => one !== id);
      tx.put(keys.transfers, transfer.id, { ...transfer, uploads, updatedAt: this.#now() });
      return;
    }
    this.#expire(tx, transfer);
  }

  /**
   * One pass: expires what is over, and removes what transfers that expired have still left, also those of before
   * a kill. `terminate` removes an upload with its bytes; it may be gone already.
   */
  async sweep(terminate: (upload: UploadRecord) => Promise<void>): Promise<void> {
    const { state } = this.#parts;
    const expired = new Set(this.#expired);
    for (const page of this.#outbox.pages()) {
      const transfers = new Set(page.map(({ upload }) => state.get(keys.uploads, upload)?.transfer ?? null));
      for (const id of transfers) {
        if (id !== null && (await this.#isExpired(id))) {
          expired.add(id);
        }
      }
      await nextTurn();
    }
    for (const id of expired) {
      try {
        await this.#clear(id, terminate);
      } catch (error) {
        // The next pass tries it again; it keeps no other from going.
        this.#parts.log.error('transfer.expired-left', { transfer: id, error });
      }
    }
  }

  async #clear(id: string, terminate: (upload: UploadRecord) => Promise<void>): Promise<void> {
    const { state, derivedObjects } = this.#parts;
    for (const upload of state.get(keys.transfers, id)?.uploads ?? []) {
      const record = state.get(keys.uploads, upload);
      if (record !== undefined) {
        await terminate(record);
      }
    }
    await derivedObjects.dropAll(id);
    this.#expired.delete(id);
  }

  async #isExpired(id: string): Promise<boolean> {
    const { state } = this.#parts;
    const before = state.get(keys.transfers, id);
    if (before?.state !== 'receiving' || !this.#isOver(state, before)) {
      return before?.state === 'expired';
    }
    return state.commit((tx) => {
      const transfer = tx.get(keys.transfers, id);
      if (transfer?.state !== 'receiving' || !this.#isOver(tx, transfer)) {
        return false;
      }
      this.#expire(tx, transfer);
      return true;
    });
  }

  #expire(tx: Transaction, transfer: TransferRecord): void {
    tx.put(keys.transfers, transfer.id, { ...transfer, state: 'expired', updatedAt: this.#now() });
    this.#expired.add(transfer.id);
    transfersExpired.add(1);
    this.#parts.log.info('transfer.expired', { transfer: transfer.id, count: transfer.uploads.length });
  }

  #isOver(reader: Reader, transfer: TransferRecord): boolean {
    if (transfer.state !== 'receiving') {
      return false;
    }
    const { expiryMs, expiryMsMax } = this.#parts.settings;
    const uploads = transfer.uploads
      .map((id) => reader.get(keys.uploads, id))
      .filter((upload) => upload !== undefined);
    if (waitsForUs(reader, transfer, uploads)) {
      return false;
    }
    const sealedAt = reader.get(keys.manifests, transfer.id)?.sealedAt ?? 0;
    const latest = Math.max(transfer.createdAt, sealedAt, ...uploads.map(({ lastByteAt }) => lastByteAt));
    const at = Math.min(latest + expiryMs, transfer.createdAt + expiryMsMax);
    return this.#now() >= at;
  }

  #now(): Instant {
    return (this.#parts.now ?? Date.now)();
  }
}

/** Its sender has done all he has to: however long it takes us to look at it, it is not given up for that. */
function waitsForUs(reader: Reader, transfer: TransferRecord, uploads: readonly UploadRecord[]): boolean {
  const isWhole = uploads.map(({ state }) => state !== 'receiving');
  const isUnknown = ({ id }: UploadRecord): boolean =>
    (reader.get(keys.follows, id)?.state ?? 'following') === 'following';
  return (
    uploads.some((upload, at) => isWhole[at] === true && isUnknown(upload)) ||
    (transfer.selfManifest && uploads.length > 0 && !isWhole.includes(false)) ||
    (transfer.expected !== null && transfer.instances >= transfer.expected)
  );
}
