import type { Log } from '../ops/log.ts';
import { leftoversMax, removeRetryMs, removeWaitMs } from './limits.ts';
import { unreachable } from './s3-errors.ts';
import type { ObjectId } from './storage.ts';

interface RemovingParts {
  readonly log: Log;
  readonly retryMs?: number;
  /** Takes all of an object away; may be asked for again whatever became of it. */
  remove(object: ObjectId): Promise<void>;
}

/**
 * Removes objects, and remembers those that S3 still has: they hold patients' images, and are tried again for as
 * long as the program runs. What is left when it ends is for the janitor of the next start.
 */
export class Removing {
  readonly #parts: RemovingParts;
  readonly #left = new Set<ObjectId>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(parts: RemovingParts) {
    this.#parts = parts;
  }

  /** Objects that S3 may still have though they were removed. */
  get left(): number {
    return this.#left.size;
  }

  /** Rejects StorageUnreachable when it fails or takes too long: it is gone on with all the same. */
  async remove(object: ObjectId): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unreachable(new Error('S3 does not answer in time'))), removeWaitMs);
    });
    try {
      await Promise.race([this.#once(object), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #once(object: ObjectId): Promise<void> {
    try {
      await this.#parts.remove(object);
      this.#left.delete(object);
    } catch (error) {
      if (this.#left.size < leftoversMax) {
        this.#left.add(object);
      }
      this.#again();
      throw error;
    }
  }

  #again(): void {
    if (!this.#isStopped) {
      this.#timer ??= setTimeout(() => void this.#tryLeft(), this.#parts.retryMs ?? removeRetryMs);
    }
  }

  async #tryLeft(): Promise<void> {
    const { log } = this.#parts;
    const before = this.#left.size;
    for (const object of [...this.#left]) {
      try {
        await this.#parts.remove(object);
        this.#left.delete(object);
      } catch (error) {
        // To the end: one that cannot go must not keep the others from it.
        this.#left.delete(object);
        this.#left.add(object);
        if (!this.#isStopped) {
          log.warn('storage.leftovers', { count: this.#left.size, error });
        }
        break;
      }
    }
    if (this.#left.size < before) {
      log.info('storage.leftovers-removed', { count: before - this.#left.size });
    }
    this.#timer = undefined;
    if (this.#left.size > 0) {
      this.#again();
    }
  }
}
