import { bodyLimits } from './limits.ts';

/**
 * Whether sinks take their bytes at the speed of memory, as a page cache does. Then a chunk is best written at
 * once, straight from the socket's buffer: no copy and no thread, about a fifth less CPU per byte. A disk
 * that is behind would hold up everything here instead, so one that took long is left alone for a while.
 */
export class SinkPace {
  // Of the synchronous writes that are being judged together.
  #bytes = 0;
  #ms = 0;
  #slowAt = Number.NEGATIVE_INFINITY;

  quick(now: number): boolean {
    return now - this.#slowAt > bodyLimits.directPauseMs;
  }

  /** A synchronous write of `bytes` took `ms`. */
  note(bytes: number, ms: number, now: number): void {
    this.#bytes += bytes;
    this.#ms += ms;
    const slow = this.#ms > bodyLimits.directMs;
    if (slow) this.#slowAt = now;
    if (slow || this.#bytes >= bodyLimits.directBytes) {
      this.#bytes = 0;
      this.#ms = 0;
    }
  }
}
