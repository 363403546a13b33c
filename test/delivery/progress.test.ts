import { describe, expect, it } from 'vitest';
import { entry, Ledger } from '../../src/delivery/ledger.ts';
import { unclearAnswersMax } from '../../src/delivery/limits.ts';
import { Progress } from '../../src/delivery/progress.ts';

describe('the progress of a delivery', () => {
  it('sends what nothing is known against together, and nothing that is on its way', () => {
    const progress = new Progress();
    const ledger = new Ledger(6);
    expect(progress.toSend(ledger, 4)).toEqual([0, 1, 2, 3]);
    progress.take([0, 1, 2, 3]);
    expect(progress.toSend(ledger, 4)).toEqual([4, 5]);
    progress.give([1, 2]);
    expect(progress.toSend(ledger, 4)).toEqual([1, 2, 4, 5]);
  });

  it('asks for what it asked for, and not twice at a time', () => {
    const progress = new Progress();
    const ledger = new Ledger(4);
    for (const instance of [1, 3]) ledger.set(instance, entry.asked);
    expect(progress.toAsk(ledger)).toEqual([1, 3]);
    progress.take([1, 3]);
    expect(progress.toAsk(ledger)).toEqual([]);
  });

  it('sends what was asked for and not found behind what never went out', () => {
    const progress = new Progress();
    const ledger = new Ledger(4);
    ledger.set(0, entry.again);
    expect(progress.toAsk(ledger)).toEqual([]);
    expect(progress.toSend(ledger, 3)).toEqual([1, 2, 3]);
    expect(progress.toSend(ledger, 4)).toEqual([1, 2, 3, 0]);
  });

  it('goes on with one instance right after a failure, so that a bad line brings at least that', () => {
    const progress = new Progress();
    const ledger = new Ledger(6);
    progress.suspect([0, 1, 2], 3);
    progress.failures = 1;
    expect(progress.toSend(ledger, 3)).toEqual([0]);
    progress.failures = 0;
    expect(progress.toSend(ledger, 3)).toEqual([3, 4, 5]);
  });

  it('sends suspects one by one when all else is done, those that failed alone the last', () => {
    const progress = new Progress();
    const ledger = new Ledger(3);
    progress.suspect([0, 1, 2], 3);
    progress.suspect([0], 1);
    progress.suspect([1], 1);
    progress.suspect([1], 1);
    const order: (number | undefined)[] = [];
    for (let sent = 0; sent < 3; sent++) {
      const [next, ...more] = progress.toSend(ledger, 3);
      expect(more).toEqual([]);
      order.push(next);
      if (next !== undefined) ledger.set(next, entry.held);
    }
    expect(order).toEqual([2, 0, 1]);
    expect(progress.toSend(ledger, 3)).toEqual([]);
  });

  it('finds the fresh ones behind any number of suspects', () => {
    const progress = new Progress();
    const ledger = new Ledger(500);
    progress.suspect(
      Array.from({ length: 400 }, (_, at) => at),
      400,
    );
    progress.take(Array.from({ length: 50 }, (_, at) => at));
    expect(progress.toSend(ledger, 3)).toEqual([400, 401, 402]);
  });

  it('has no hope for an instance after a number of unclear answers to it alone', () => {
    const progress = new Progress();
    for (let answers = 0; answers < unclearAnswersMax; answers++) {
      expect(progress.isHopeless(7)).toBe(false);
      progress.leftUnclear(7);
    }
    expect(progress.isHopeless(7)).toBe(true);
    expect(progress.isHopeless(8)).toBe(false);
  });
});
