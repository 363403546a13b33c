import { bodyLimits } from './limits.ts';
import { httpCounts } from './metrics.ts';

/** A body that can be made to wait for its turn. */
export interface Passer {
  /** Stops it being read; false when it was not being read anyway. */
  holdBack(): boolean;
  /** It may be read again, if nothing else speaks against it. */
  letGo(): void;
}

/**
 * Bounds what one turn of the event loop reads of all fast bodies together. One burst of one socket cannot be
 * ended (see IncomingBody), but it can be kept from being followed by those of fifty others before anybody else
 * is served: once a turn has brought enough, all others wait, and are let go a few per turn, in their order.
 */
export class Turnstile {
  /** Which turn this is: all that is read before the loop comes round has the same. */
  turn = 0;
  readonly #passers = new Set<Passer>();
  readonly #waiting = new Set<Passer>();
  /** Those of this turn that brought something, and those that were let go for it and have not yet. */
  readonly #passed = new Set<Passer>();
  readonly #owed = new Set<Passer>();
  #bytes = 0;
  #perTurn: number = bodyLimits.turnBodiesMin;
  #coming = false;
  #closedAt = Number.NEGATIVE_INFINITY;

  /** Whether fast bodies had to wait for each other a moment ago. */
  get crowded(): boolean {
    return performance.now() - this.#closedAt < bodyLimits.turnCrowdedMs;
  }

  /** From now on `passer` may have to wait, until it leaves. */
  join(passer: Passer): void {
    this.#passers.add(passer);
  }

  leave(passer: Passer): void {
    for (const set of [this.#passers, this.#waiting, this.#passed, this.#owed]) set.delete(passer);
  }

  /** `bytes` of `passer` have come. */
  count(bytes: number, passer: Passer): void {
    const before = this.#bytes;
    this.#bytes += bytes;
    this.#passed.add(passer);
    this.#owed.delete(passer);
    this.#comeRound();
    if (this.#bytes > bodyLimits.turnBytes && before <= bodyLimits.turnBytes) this.#close(passer);
  }

  /** Whether `passer` may be read at once; if not it is let go when it is its turn. */
  admits(passer: Passer): boolean {
    if (!this.#passers.has(passer)) return true;
    if (this.#bytes <= bodyLimits.turnBytes && this.#waiting.size === 0) return true;
    this.#waiting.add(passer);
    this.#comeRound();
    return false;
  }

  #close(last: Passer): void {
    if (this.#passers.size < 2) return;
    httpCounts.turnsClosed += 1;
    this.#closedAt = performance.now();
    const first: Passer[] = [];
    for (const passer of this.#passers) {
      if (passer === last || !passer.holdBack()) continue;
      // Who was let go and then not read, because another was quicker, does not go to the end again.
      if (this.#owed.has(passer)) first.push(passer);
      else this.#waiting.add(passer);
    }
    if (first.length === 0) return;
    const rest = [...this.#waiting];
    this.#waiting.clear();
    for (const passer of [...first, ...rest]) this.#waiting.add(passer);
  }

  #comeRound(): void {
    if (this.#coming) return;
    this.#coming = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    const closed = this.#bytes > bodyLimits.turnBytes;
    this.turn += 1;
    this.#bytes = 0;
    this.#coming = false;
    const { turnBodiesMin, turnBodiesMax } = bodyLimits;
    this.#perTurn = closed
      ? Math.max(turnBodiesMin, this.#perTurn / 2)
      : Math.min(turnBodiesMax, this.#perTurn * 2);
    // Who had this turn waits like everybody else.
    if (this.#waiting.size > 0) {
      for (const passer of this.#passed) {
        if (this.#passers.has(passer) && passer.holdBack()) this.#waiting.add(passer);
      }
    }
    this.#passed.clear();
    this.#letGo();
    if (this.#waiting.size > 0) this.#comeRound();
  }

  #letGo(): void {
    const owedBefore = new Set(this.#owed);
    this.#owed.clear();
    let left = this.#perTurn;
    for (const passer of this.#waiting) {
      if (left === 0) break;
      left -= 1;
      this.#waiting.delete(passer);
      // Only once: one that has nothing to bring would be the first for ever.
      if (!owedBefore.has(passer)) this.#owed.add(passer);
      passer.letGo();
    }
  }
}
