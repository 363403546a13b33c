import { type Entry, entry, type Ledger } from './ledger.ts';
import { askedAtOnceMax, unclearAnswersMax } from './limits.ts';

/**
 * What this process knows of a delivery beyond its records. Lost at a restart, and then asked again.
 *
 * Instances of a request that failed are suspects: one of them may be what the receiver cannot take, so
 * each goes alone from here, and a poisoned one stops only itself.
 */
export class Progress {
  /** Attempts that failed since the last that went well. */
  failures = 0;
  /** By performance.now(): before that it is not tried. */
  restUntil = 0;
  /** False after a question that failed: what waits is not kept from going out by what can't be asked. */
  asksFirst = true;
  readonly #busy = new Set<number>();
  /** Suspect → how often it failed alone. */
  readonly #suspects = new Map<number, number>();
  /** Instance → answers to it alone that said neither yes nor no. */
  readonly #unclear = new Map<number, number>();

  take(positions: readonly number[]): void {
    for (const position of positions) {
      this.#busy.add(position);
    }
  }

  give(positions: readonly number[]): void {
    for (const position of positions) {
      this.#busy.delete(position);
    }
  }

  /** Instances that the receiver perhaps has, and that no request is busy with. */
  toAsk(ledger: Ledger): number[] {
    return this.#free(ledger, entry.asked, askedAtOnceMax).slice(0, askedAtOnceMax);
  }

  /**
   * The instances of the next request, at most `most`. After a failure one that has not failed alone, so
   * that the delivery gets on; else all that nothing is known against; the suspects last, one by one.
   */
  toSend(ledger: Ledger, most: number): number[] {
    const limit = most + this.#suspects.size;
    const open = [...this.#free(ledger, entry.waiting, limit), ...this.#free(ledger, entry.again, limit)];
    const failedAlone = (position: number): number => this.#suspects.get(position) ?? 0;
    const next = open.find((position) => failedAlone(position) === 0);
    if (this.failures > 0 && next !== undefined) {
      return [next];
    }
    const fresh = open.filter((position) => !this.#suspects.has(position));
    return fresh.length > 0
      ? fresh.slice(0, most)
      : open.toSorted((a, b) => failedAlone(a) - failedAlone(b)).slice(0, 1);
  }

  /** A request with these instances failed, or did not say what became of them. */
  suspect(positions: readonly number[], sent: number): void {
    for (const position of positions) {
      this.#suspects.set(position, (this.#suspects.get(position) ?? 0) + (sent === 1 ? 1 : 0));
    }
  }

  /** The receiver took an instance alone and said neither that it holds it nor that it refuses it. */
  leftUnclear(position: number): void {
    this.#unclear.set(position, (this.#unclear.get(position) ?? 0) + 1);
  }

  isHopeless(position: number): boolean {
    return (this.#unclear.get(position) ?? 0) >= unclearAnswersMax;
  }

  #free(ledger: Ledger, value: Entry, limit: number): number[] {
    return ledger.find(value, limit + this.#busy.size).filter((position) => !this.#busy.has(position));
  }
}
