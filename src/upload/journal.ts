import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import { noteUpload } from '../state/outbox-note.ts';
import type { Instant, UploadRecord } from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import type { Storage } from '../storage/storage.ts';
import { completeFinals, isHeld } from './concatenation.ts';
import { UploadNotFound } from './errors.ts';
import { expiryOf } from './expiry.ts';
import type { UploadHooks } from './hooks.ts';
import type { UploadSettings } from './limits.ts';
import { isLastStep } from './machine.ts';
import { uploadsReceived } from './metrics.ts';
import type { OpenUploads } from './open-uploads.ts';

/** A change of an upload's record that was committed. */
export interface Step {
  readonly before: UploadRecord;
  readonly after: UploadRecord;
}

export interface JournalParts {
  readonly state: State;
  readonly storage: Pick<Storage, 'settle'>;
  readonly log: Log;
  readonly settings: UploadSettings;
  readonly hooks: Pick<UploadHooks, 'received' | 'published'>;
  readonly open: OpenUploads;
  readonly now: () => Instant;
}

interface Held {
  confirmed: UploadRecord;
  holders: number;
}

/**
 * The records of uploads: what anybody sees of them was confirmed by a commit's promise, and whoever has to
 * know of a change is told after that, or in the commit itself.
 */
export class Journal {
  readonly #parts: JournalParts;
  /** Uploads under change as they were last confirmed: LMDB shows a commit a moment before it is synced. */
  readonly #held = new Map<string, Held>();

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** As it was last confirmed. */
  get(id: string): UploadRecord | undefined {
    return this.#held.get(id)?.confirmed ?? this.#parts.state.get(keys.uploads, id);
  }

  /**
   * From now on changes of it are shown when they are confirmed, until everybody who held it has called `free`.
   * `upload` is as it was last confirmed.
   */
  hold(upload: UploadRecord): void {
    const held = this.#held.get(upload.id) ?? { confirmed: upload, holders: 0 };
    held.holders += 1;
    this.#held.set(upload.id, held);
  }

  free(id: string): void {
    const held = this.#held.get(id);
    if (held !== undefined && --held.holders === 0) {
      this.#held.delete(id);
    }
  }

  /** Its removal is confirmed: it is not shown any more, whoever still holds it. */
  gone(id: string): void {
    this.#held.delete(id);
    this.#parts.open.remove(id);
  }

  /** When it expires by itself; null when it does not. */
  expiresAt(upload: UploadRecord): Instant | null {
    const { state, settings } = this.#parts;
    return expiryOf(upload, settings, upload.state === 'received' && isHeld(state, upload.id));
  }

  /** Commits a change of an upload, which may make final uploads whole, and tells of it once it is durable. */
  async commit(id: string, change: (tx: Transaction, before: UploadRecord) => UploadRecord): Promise<Step> {
    const finals: string[] = [];
    try {
      const { own, others } = await this.#parts.state.commit((tx) => {
        const before = tx.get(keys.uploads, id);
        if (before === undefined) {
          throw new UploadNotFound();
        }
        const step = this.#put(tx, { before, after: change(tx, before) });
        for (const { before: final } of step.others) {
          // Here, not before: of two parts that end in one sync, each has to find what the other did to it.
          this.hold(final);
          finals.push(final.id);
        }
        return step;
      });
      const steps = [own, ...others];
      for (const { after } of steps) {
        const held = this.#held.get(after.id);
        if (held !== undefined) {
          held.confirmed = after;
        }
      }
      for (const step of steps) {
        this.#tell(step);
      }
      return own;
    } finally {
      for (const final of finals) {
        this.free(final);
      }
    }
  }

  /** In the commit that makes an upload received. */
  received(tx: Transaction, upload: UploadRecord): void {
    if (upload.transfer !== null) {
      noteUpload(tx, upload.id, this.#parts.now());
    }
    this.#parts.hooks.received(tx, upload);
  }

  /** A new upload, or one that was there at start, is known from now on. */
  track(upload: UploadRecord): void {
    this.#parts.open.set(upload, this.expiresAt(upload));
    this.#settle(upload);
  }

  /** A new upload that is received at once. */
  tellReceived(upload: UploadRecord): void {
    uploadsReceived.add(1);
    this.#parts.log.info('upload.received', { upload: upload.id, bytes: upload.offset });
    this.#publish(upload);
  }

  #put(tx: Transaction, own: Step): { own: Step; others: Step[] } {
    const { before, after } = own;
    tx.put(keys.uploads, after.id, after);
    if (!isLastStep(before, after)) {
      return { own, others: [] };
    }
    const others = after.isPartial ? completeFinals(tx, after, this.#parts.now()) : [];
    for (const step of [own, ...others]) {
      this.received(tx, step.after);
    }
    return { own, others };
  }

  #tell({ before, after }: Step): void {
    this.track(after);
    if (isLastStep(before, after)) {
      this.tellReceived(after);
    } else if (after.digest === null) {
      // Of one with a digest nothing counts before that was verified.
      this.#publish(after);
    }
  }

  /** What is recorded of it never changes again, and may leave this disk. */
  #settle({ content, offset, state }: UploadRecord): void {
    const { storage } = this.#parts;
    if (content.of === 'object') {
      if (offset > 0 || state === 'received') {
        storage.settle(content.object, offset, state === 'received');
      }
      return;
    }
    for (const { object, bytes } of content.parts) {
      // The part's own record may be gone.
      if (bytes !== null) {
        storage.settle(object, bytes, true);
      }
    }
  }

  /** The bytes are committed by now: a follower that fails must not fail the upload. */
  #publish({ id, offset }: UploadRecord): void {
    try {
      this.#parts.hooks.published(id, offset);
    } catch (error) {
      this.#parts.log.error('upload.published-hook-failed', { upload: id, error: asError(error) });
    }
  }
}
