import type { SlabPool, SlabUse } from './slabs.ts';

/** A run of a body's bytes, in a slab of the pool. Whoever shifts it gives the slab back. */
export interface FilledSlab {
  readonly slab: Buffer;
  /** Where the run begins, counted from the body's first byte. */
  readonly position: number;
  /** How many bytes of the slab are filled. */
  bytes: number;
}

/** The bytes of one body that have arrived and are not yet being written, oldest first. */
export class SlabQueue {
  /** Bytes waiting here. */
  bytes = 0;
  readonly #pool: SlabPool;
  readonly #waiting: FilledSlab[] = [];

  constructor(pool: SlabPool) {
    this.#pool = pool;
  }

  /**
   * Copies `chunk` to the end of the queue; it begins at `position` of the body. Returns how much of it
   * found room: less than all of it when the pool's budget is spent.
   */
  append(chunk: Uint8Array, position: number, use: SlabUse): number {
    let copied = 0;
    while (copied < chunk.length) {
      let last = this.#waiting.at(-1);
      if (!last || last.bytes === last.slab.length || last.position + last.bytes !== position + copied) {
        const slab = this.#pool.take(use);
        if (!slab) break;
        last = { slab, position: position + copied, bytes: 0 };
        this.#waiting.push(last);
      }
      const bytes = Math.min(last.slab.length - last.bytes, chunk.length - copied);
      last.slab.set(chunk.subarray(copied, copied + bytes), last.bytes);
      last.bytes += bytes;
      copied += bytes;
    }
    this.bytes += copied;
    return copied;
  }

  /** Takes the oldest slab; one that is still filling only if `partial`. */
  shift(partial: boolean): FilledSlab | undefined {
    const first = this.#waiting[0];
    if (!first || (first.bytes < first.slab.length && this.#waiting.length === 1 && !partial))
      return undefined;
    this.#waiting.shift();
    this.bytes -= first.bytes;
    return first;
  }

  /** Throws away what waits. */
  clear(): void {
    for (const { slab } of this.#waiting.splice(0)) this.#pool.give(slab);
    this.bytes = 0;
  }
}
