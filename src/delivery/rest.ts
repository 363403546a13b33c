import type { Instant } from '../state/records.ts';
import { type RetrySettings, retryDelayMs } from './backoff.ts';

/**
 * When a lane as a whole rests: after a fault of our own (storage, state), so that it does not spin, and
 * while its receiver cannot be reached, so that not each of its deliveries has to find that out.
 *
 * It counts by the process's own clock: one that is set back must not stop a lane.
 */
export class LaneRest {
  readonly #retry: RetrySettings;
  #until = 0;
  #failures = 0;
  #unreachableSince: Instant | undefined;

  constructor(retry: RetrySettings) {
    this.#retry = retry;
  }

  /** What is left of the rest. */
  get ms(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** Since when no connection comes about; undefined when the last one did. */
  get unreachableSince(): Instant | undefined {
    return this.#unreachableSince;
  }

  afterFault(): void {
    this.#until = performance.now() + this.#retry.firstMs;
  }

  /** No connection came about. An acute delivery may come at any time, so the wait is never longer than its. */
  unreachable(): void {
    this.#unreachableSince ??= Date.now();
    // What was under way together fails together, and counts once.
    if (this.ms === 0) {
      this.#until = performance.now() + retryDelayMs(++this.#failures, 'acute', this.#retry);
    }
  }

  reached(): void {
    this.#failures = 0;
    this.#unreachableSince = undefined;
  }
}
