/**
 * What is known of each item of one delivery: one byte an item, by its position, in one record.
 *
 * `asked` is written before the first byte goes out. After a cut or a kill it means: perhaps the receiver
 * has it, ask before sending again. `again` was asked for and not found: it waits as at first, but what the
 * receiver turns out to have may be ours. Only the receiver's own answer makes it `held`.
 */
export const entry = {
  waiting: 0,
  asked: 1,
  held: 2,
  heldWithWarning: 3,
  refused: 4,
  again: 5,
} as const;

export type Entry = (typeof entry)[keyof typeof entry];

/** Counts of a ledger: how many the receiver holds, how many it refused, how many are open. */
export interface Tally {
  readonly held: number;
  readonly refused: number;
  readonly open: number;
}

export class Ledger {
  readonly bytes: Uint8Array;

  /** A fresh ledger of `of` waiting instances, or the stored bytes of one. */
  constructor(stored: number | Uint8Array) {
    this.bytes = typeof stored === 'number' ? new Uint8Array(stored) : Uint8Array.from(stored);
  }

  get(position: number): Entry {
    const value = this.bytes[position];
    if (value === undefined || value > entry.again) {
      throw new RangeError(`a ledger of ${this.bytes.length} instances has no valid entry ${position}`);
    }
    return value as Entry;
  }

  isHeld(position: number): boolean {
    const now = this.get(position);
    return now === entry.held || now === entry.heldWithWarning;
  }

  /** A held instance stays held: nothing that comes later can make it unsent. */
  set(position: number, value: Entry): void {
    if (!this.isHeld(position)) {
      this.bytes[position] = value;
    }
  }

  /** Positions with this entry, in order, at most `limit`. */
  find(value: Entry, limit: number, from = 0): number[] {
    const found: number[] = [];
    for (let at = this.bytes.indexOf(value, from); at >= 0 && found.length < limit; ) {
      found.push(at);
      at = this.bytes.indexOf(value, at + 1);
    }
    return found;
  }

  tally(): Tally {
    let held = 0;
    let refused = 0;
    for (const value of this.bytes) {
      held += value === entry.held || value === entry.heldWithWarning ? 1 : 0;
      refused += value === entry.refused ? 1 : 0;
    }
    return { held, refused, open: this.bytes.length - held - refused };
  }
}
