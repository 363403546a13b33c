import { keys } from '../state/keys.ts';
import type { DeliveryRecord } from '../state/records.ts';
import type { Reader } from '../state/state.ts';

/**
 * Which items of its transfer a delivery holds, in their order. Items have a number in the transfer and a
 * position in the delivery: records of items are found by number; ledger, digests and content count by
 * position.
 */
export class Selection {
  readonly of: number;
  /** One bit an item of the transfer, as it is stored; null when all of them are selected. */
  readonly bitmap: Uint8Array | null;
  /** Number by position; undefined when they are the same. */
  readonly #numbers: Uint32Array | undefined;

  private constructor(of: number, bitmap: Uint8Array | null, numbers?: Uint32Array) {
    this.of = of;
    this.bitmap = bitmap;
    this.#numbers = numbers;
  }

  /** All of so many items. */
  static all(items: number): Selection {
    return new Selection(items, null);
  }

  /** The items with these numbers, ascending, of so many. */
  static some(items: number, numbers: readonly number[]): Selection {
    if (numbers.length === items) return Selection.all(items);
    const bitmap = new Uint8Array(Math.ceil(items / 8));
    for (const number of numbers) {
      const at = number >>> 3;
      bitmap[at] = (bitmap[at] ?? 0) | (1 << (number & 7));
    }
    return new Selection(numbers.length, bitmap, Uint32Array.from(numbers));
  }

  /** What was stored. */
  static stored(bitmap: Uint8Array): Selection {
    const numbers = new Uint32Array(bitmap.length * 8);
    let of = 0;
    for (let at = 0; at < bitmap.length; at += 1) {
      for (let bits = bitmap[at] ?? 0, number = at * 8; bits !== 0; bits >>>= 1, number += 1) {
        if ((bits & 1) === 1) numbers[of++] = number;
      }
    }
    return new Selection(of, bitmap, numbers.subarray(0, of));
  }

  /** The number in the transfer of what has this position. Throws RangeError for a position that is none. */
  numberAt(position: number): number {
    if (!(Number.isInteger(position) && position >= 0 && position < this.of)) {
      throw new RangeError(
        `a delivery of ${this.of.toString()} items has no position ${position.toString()}`,
      );
    }
    return this.#numbers?.[position] ?? position;
  }

  /** Undefined for a number that is not selected. */
  positionOf(number: number): number | undefined {
    if (this.#numbers === undefined) return number < this.of ? number : undefined;
    let low = 0;
    let high = this.of - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#numbers[middle] ?? 0;
      if (found === number) return middle;
      if (found < number) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}

export function selectionOf(state: Pick<Reader, 'get'>, { id, of }: DeliveryRecord): Selection {
  const bitmap = state.get(keys.selections, id);
  return bitmap === undefined ? Selection.all(of) : Selection.stored(bitmap);
}
