import { setTimeout as sleep } from 'node:timers/promises';
import { SluisError } from '../ops/error.ts';
import { durationText } from './amount.ts';
import { GaveUp } from './errors.ts';
import { PAUSE_MS_FIRST, PAUSE_MS_MAX, RETRY_AFTER_MS_MAX } from './limits.ts';

export interface PatienceOptions {
  /** Milliseconds without progress after which it is over. */
  readonly giveUpMs: number;
  /** Told before each pause, in words. */
  readonly onPause: (sentence: string) => void;
}

/**
 * How long one undertaking is tried again. Pauses double from half a second to half a minute, half of
 * each at random so that a hundred gateways do not come back in the same instant; progress starts
 * everything from the beginning. One per undertaking, never shared.
 */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #now: () => number;
  #progressAt: number;
  #failures = 0;

  constructor(options: PatienceOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#progressAt = now();
  }

  progress(): void {
    this.#progressAt = this.#now();
    this.#failures = 0;
  }

  /**
   * Waits before the next try. Throws `failure` itself when trying again cannot help (its remedy says
   * so), GaveUp when there was no progress for too long. The last try comes exactly at the end of the time.
   */
  async pause(failure: Error, retryAfterMs = 0): Promise<void> {
    if (
      !(failure instanceof SluisError) ||
      failure.remedy === 'fix-request' ||
      failure.remedy === 'give-up'
    ) {
      throw failure;
    }
    const leftMs = this.#progressAt + this.#options.giveUpMs - this.#now();
    if (leftMs <= 0) throw new GaveUp(this.#options.giveUpMs / 1000, failure);
    const doubled = Math.min(PAUSE_MS_FIRST * 2 ** this.#failures, PAUSE_MS_MAX);
    this.#failures += 1;
    const jittered = doubled / 2 + (Math.random() * doubled) / 2;
    const waitMs = Math.min(Math.max(jittered, Math.min(retryAfterMs, RETRY_AFTER_MS_MAX)), leftMs);
    this.#options.onPause(`${failure.message}. Trying again in ${durationText(waitMs)}`);
    await sleep(waitMs);
  }
}
