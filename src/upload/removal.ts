import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import type { Instant, UploadRecord } from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import type { ObjectId, Storage } from '../storage/storage.ts';
import { dropParts, isHeld } from './concatenation.ts';
import type { UploadHooks } from './hooks.ts';
import type { Journal } from './journal.ts';
import type { Lease, Leases } from './leases.ts';
import { closeBlocks, removeBlocks } from './ledger.ts';
import { checkEpoch } from './machine.ts';
import { uploadsExpired } from './metrics.ts';
import type { OpenUploads } from './open-uploads.ts';
import type { Readers } from './readers.ts';

export interface RemovalParts {
  readonly state: State;
  readonly storage: Pick<Storage, 'remove'>;
  readonly log: Log;
  readonly hooks: Pick<UploadHooks, 'terminable' | 'expirable' | 'expired'>;
  readonly open: OpenUploads;
  readonly leases: Leases;
  readonly readers: Readers;
  readonly journal: Journal;
}

/** May throw, which refuses it; false leaves it as it is. */
type Agreeing = (tx: Transaction, upload: UploadRecord) => boolean;

/** How an upload goes: removed by its client, expired, or found not to be what its sender says. */
export class Removal {
  readonly #parts: RemovalParts;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** Removes it; who writes or reads it is stopped at once. Undefined: it was gone already. Throws UploadClaimed. */
  async terminate(upload: UploadRecord): Promise<UploadRecord | undefined> {
    // Nobody is stopped for what will be refused.
    this.#checkTerminable(upload);
    return this.#remove(upload, (_, latest) => {
      this.#checkTerminable(latest);
      return true;
    });
  }

  /**
   * Removes an upload that is not what its digest says, or that its own creation did not bring; a transfer that
   * has claimed it is told. What is received by now stays.
   */
  async reject(upload: UploadRecord): Promise<void> {
    await this.#remove(upload, (tx, latest) => latest.state !== 'received' && this.#giveUp(tx, latest));
  }

  /** Removes those whose time is over at `now`, but none that is being written or that its transfer needs. */
  async expire(now: Instant): Promise<number> {
    const { open, log } = this.#parts;
    let count = 0;
    for (const id of [...open.expired(now)]) {
      try {
        const removed = await this.#expireOne(id, now);
        if (removed !== undefined) {
          count += 1;
          uploadsExpired.add(1);
          log.info('upload.expired', { upload: id, bytes: removed.offset });
        }
      } catch (error) {
        // Somebody wants it at this very moment, or the disk fails: it keeps no other from going.
        log.warn('upload.not-expired', { upload: id, error: asError(error) });
      }
    }
    return count;
  }

  async #expireOne(id: string, now: Instant): Promise<UploadRecord | undefined> {
    const { open, leases, journal } = this.#parts;
    const before = journal.get(id);
    if (before === undefined) {
      open.remove(id);
      return undefined;
    }
    if (leases.isHeld(id) || !this.#mayExpire(before, now)) {
      // A part that a final upload took in meanwhile is not looked at again.
      journal.track(before);
      return undefined;
    }
    return this.#remove(before, (tx, upload) => this.#mayExpire(upload, now) && this.#giveUp(tx, upload));
  }

  #mayExpire(upload: UploadRecord, now: Instant): boolean {
    const at = this.#parts.journal.expiresAt(upload);
    if (at === null || at > now) {
      return false;
    }
    return upload.transfer === null || this.#parts.hooks.expirable(upload);
  }

  #giveUp(tx: Transaction, upload: UploadRecord): boolean {
    if (upload.transfer !== null) {
      this.#parts.hooks.expired(tx, upload);
    }
    return true;
  }

  /** Throws UploadClaimed, also for a part of what a transfer holds. */
  #checkTerminable(upload: UploadRecord): void {
    const { state, hooks } = this.#parts;
    hooks.terminable(upload);
    for (const final of state.get(keys.finalsOf, upload.id) ?? []) {
      const record = state.get(keys.uploads, final);
      if (record !== undefined) {
        hooks.terminable(record);
      }
    }
  }

  /** Takes the upload over, removes its record, then the bytes that nobody else refers to. */
  async #remove(before: UploadRecord, agrees: Agreeing): Promise<UploadRecord | undefined> {
    const { state, storage, leases, readers, journal, log } = this.#parts;
    const { id } = before;
    const lease = await leases.take(id, before.epoch);
    try {
      const removed = await lease.run(() => state.commit((tx) => removeIn(tx, id, lease, agrees)));
      if (removed === undefined) {
        return undefined;
      }
      journal.gone(id);
      readers.end(id);
      for (const part of removed.parts) {
        const record = journal.get(part);
        if (record !== undefined) {
          // It expires by itself again.
          journal.track(record);
        }
      }
      for (const object of removed.objects) {
        // The upload is gone all the same; the next start removes what is left.
        await storage.remove(object).catch((error: unknown) => {
          log.error('upload.object-left', { upload: id, error: asError(error) });
        });
      }
      return removed.upload;
    } finally {
      await lease.end();
    }
  }
}

interface Removed {
  readonly upload: UploadRecord;
  readonly objects: readonly ObjectId[];
  readonly parts: readonly string[];
}

function removeIn(tx: Transaction, id: string, lease: Lease, agrees: Agreeing): Removed | undefined {
  const upload = tx.get(keys.uploads, id);
  if (upload === undefined) {
    return undefined;
  }
  checkEpoch(upload, lease.epoch);
  if (!agrees(tx, upload)) {
    return undefined;
  }
  tx.remove(keys.uploads, id);
  tx.remove(keys.outbox, id);
  tx.remove(keys.follows, id);
  if (isHeld(tx, id)) {
    // A final upload is made of these bytes, and still has to be held against their blocks.
    closeBlocks(tx, upload);
    return { upload, objects: [], parts: [] };
  }
  removeBlocks(tx, id);
  const orphans = dropParts(tx, upload);
  for (const part of orphans) {
    removeBlocks(tx, part.upload);
  }
  const { content } = upload;
  const own = content.of === 'object' ? [content.object] : [];
  const parts = content.of === 'parts' ? content.parts.map((part) => part.upload) : [];
  return { upload, objects: [...own, ...orphans.map(({ object }) => object)], parts };
}
