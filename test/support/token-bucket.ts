import { setTimeout as sleep } from 'node:timers/promises';

/** Slices of this length make the rate smooth: nobody is given more at once. */
const SLICE_SECONDS = 0.01;
/** What may be saved up. More than a slice, because timers come late on a busy machine. */
const SAVED_SLICES_MAX = 5;

export interface Clock {
  /** Milliseconds, from whenever. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const wallClock: Clock = { now: () => performance.now(), sleep };

/** A rate in bytes per second that several takers share. It starts empty. */
export class TokenBucket {
  readonly #bytesPerSecond: number;
  readonly #sliceBytes: number;
  #saved = 0;
  #filledAt: number;
  readonly #clock: Clock;

  constructor(bytesPerSecond: number, clock: Clock = wallClock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
    this.#bytesPerSecond = bytesPerSecond;
    this.#sliceBytes = Math.max(1, Math.floor(bytesPerSecond * SLICE_SECONDS));
  }

  /** Waits until some bytes may pass and returns how many: at least 1, at most `wanted`, at most 10 ms' worth. */
  async take(wanted: number): Promise<number> {
    const bytes = Math.min(wanted, this.#sliceBytes);
    this.#fill();
    while (this.#saved < bytes) {
      await this.#clock.sleep(Math.ceil(((bytes - this.#saved) / this.#bytesPerSecond) * 1000));
      this.#fill();
    }
    this.#saved -= bytes;
    return bytes;
  }

  #fill(): void {
    const now = this.#clock.now();
    const earned = ((now - this.#filledAt) / 1000) * this.#bytesPerSecond;
    this.#saved = Math.min(this.#sliceBytes * SAVED_SLICES_MAX, this.#saved + earned);
    this.#filledAt = now;
  }
}
