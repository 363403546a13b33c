import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entry, Ledger } from '../../src/delivery/ledger.ts';
import { fuzz } from '../study/support.ts';

const entries = Object.values(entry);

describe('a ledger', () => {
  it('begins with every instance waiting', () => {
    expect(new Ledger(3).tally()).toEqual({ held: 0, refused: 0, open: 3 });
    expect(new Ledger(3).find(entry.waiting, 10)).toEqual([0, 1, 2]);
  });

  it('never takes a held instance back, and always adds up', () => {
    const steps = fc.array(fc.tuple(fc.nat(19), fc.constantFrom(...entries)), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (all) => {
        let ledger = new Ledger(20);
        const held = new Map<number, number>();
        for (const [instance, value] of all) {
          ledger.set(instance, value);
          // Through its record, as between any two changes of a delivery.
          ledger = new Ledger(ledger.bytes);
          if ((value === entry.held || value === entry.heldWithWarning) && !held.has(instance)) {
            held.set(instance, value);
          }
          expect(ledger.get(instance)).toBe(held.get(instance) ?? value);
          const tally = ledger.tally();
          expect(tally.held).toBe(held.size);
          expect(tally.held + tally.refused + tally.open).toBe(20);
        }
      }),
      fuzz,
    );
  });

  it('finds entries in order, up to a limit and from a place on', () => {
    const ledger = new Ledger(6);
    for (const instance of [1, 3, 5]) ledger.set(instance, entry.asked);
    expect(ledger.find(entry.asked, 2)).toEqual([1, 3]);
    expect(ledger.find(entry.asked, 9, 2)).toEqual([3, 5]);
    expect(ledger.find(entry.refused, 9)).toEqual([]);
    expect(ledger.find(entry.asked, 0)).toEqual([]);
  });

  it('does not change the stored bytes it was made of', () => {
    const stored = Buffer.alloc(2);
    new Ledger(stored).set(0, entry.held);
    expect([...stored]).toEqual([0, 0]);
  });

  it('refuses an instance that it does not have, and bytes that mean nothing', () => {
    expect(() => new Ledger(2).set(2, entry.held)).toThrow(RangeError);
    expect(() => new Ledger(2).set(-1, entry.held)).toThrow(RangeError);
    expect(() => new Ledger(Uint8Array.of(0, 9)).get(1)).toThrow(RangeError);
  });
});
