import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Selection } from '../../src/delivery/selection.ts';
import { fuzz } from '../study/support.ts';

describe('a selection', () => {
  it('leads from position to number and back, also from its record', () => {
    const items = fc.integer({ min: 1, max: 500 });
    const kept = items.chain((count) =>
      fc.tuple(fc.constant(count), fc.uniqueArray(fc.nat(count - 1), { maxLength: count })),
    );
    fc.assert(
      fc.property(kept, ([count, unsorted]) => {
        const numbers = unsorted.toSorted((a, b) => a - b);
        const made = Selection.some(count, numbers);
        const again = made.bitmap === null ? Selection.all(made.of) : Selection.stored(made.bitmap);
        for (const selection of [made, again]) {
          expect(selection.of).toBe(numbers.length);
          expect(numbers.map((number) => selection.positionOf(number))).toEqual([...numbers.keys()]);
          expect([...numbers.keys()].map((position) => selection.numberAt(position))).toEqual(numbers);
          const left = Array.from({ length: count + 9 }, (_, number) => number);
          for (const number of left.filter((one) => !numbers.includes(one))) {
            expect(selection.positionOf(number)).toBeUndefined();
          }
        }
      }),
      fuzz,
    );
  });

  it('of all items keeps nothing', () => {
    expect(Selection.some(3, [0, 1, 2]).bitmap).toBeNull();
    expect(Selection.all(3).positionOf(2)).toBe(2);
    expect(Selection.all(3).positionOf(3)).toBeUndefined();
  });

  it('has no position behind its end', () => {
    for (const selection of [Selection.all(2), Selection.some(5, [1, 4])]) {
      expect(() => selection.numberAt(2)).toThrow(RangeError);
      expect(() => selection.numberAt(-1)).toThrow(RangeError);
      expect(() => selection.numberAt(0.5)).toThrow(RangeError);
    }
  });
});
