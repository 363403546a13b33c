import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { doubledMs, isGivenUp, msUntil, nextDelayMs, retryDelayMs } from '../../src/delivery/backoff.ts';
import { prepareRetryMs, prepareRetryMsMax } from '../../src/delivery/limits.ts';
import { priorities } from '../../src/state/records.ts';
import { fuzz } from '../study/support.ts';

const settings = { firstMs: 5_000, maxMs: 900_000, acuteMaxMs: 60_000, giveUpMs: 86_400_000 };
const longest = { acute: 60_000, urgent: 900_000, routine: 900_000, bulk: 900_000 };
const hourMs = 3_600_000;

describe('backoff', () => {
  it('doubles up to its longest wait', () => {
    const waits = [1, 2, 3, 8, 9, 1_000].map((failures) =>
      retryDelayMs(failures, 'routine', settings, () => 1),
    );
    expect(waits).toEqual([5_000, 10_000, 20_000, 640_000, 900_000, 900_000]);
  });

  it('never waits too long, nor less than half, and spreads what failed together', () => {
    const failures = fc.integer({ min: 1, max: 1_000_000 });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(failures, fc.constantFrom(...priorities), random, (count, priority, share) => {
        const most = retryDelayMs(count, priority, settings, () => 1);
        const wait = retryDelayMs(count, priority, settings, () => share);
        expect(most).toBeLessThanOrEqual(longest[priority]);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(most / 2));
        expect(wait).toBeLessThanOrEqual(most);
      }),
      fuzz,
    );
    const spread = new Set(Array.from({ length: 50 }, () => retryDelayMs(5, 'routine', settings)));
    expect(spread.size).toBeGreaterThan(10);
  });

  it('tries an acute one at least once a minute, whatever the receiver asks for', () => {
    for (const failures of [1, 5, 50]) {
      expect(nextDelayMs(failures, 'acute', settings, hourMs)).toBe(60_000);
    }
  });

  it('hears Retry-After, up to its own longest wait', () => {
    expect(nextDelayMs(1, 'routine', settings, 30_000)).toBe(30_000);
    expect(nextDelayMs(1, 'routine', settings, 1e15)).toBe(900_000);
    expect(nextDelayMs(1, 'routine', settings, -1)).toBeLessThanOrEqual(5_000);
    expect(nextDelayMs(1, 'routine', settings, 0)).toBeGreaterThanOrEqual(2_500);
  });

  it.each(priorities)(
    'hears a wait of a %s delivery that was written down, but none longer than there is',
    (priority) => {
      const most = longest[priority];
      expect(msUntil(1_000, priority, settings, 0)).toBe(1_000);
      expect(msUntil(most, priority, settings, 0)).toBe(most);
      expect(msUntil(0, priority, settings, 1_000)).toBe(0);
      // The clock was set back.
      expect(msUntil(most + 1, priority, settings, 0)).toBe(0);
    },
  );

  it('tries an offer that cannot be prepared ever less often, up to once a minute', () => {
    const waits = [1, 2, 3, 4, 5, 1_000].map((failures) =>
      doubledMs(failures, prepareRetryMs, prepareRetryMsMax),
    );
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it.each(priorities)('gives a %s delivery up after it failed for a day, unless it is acute', (priority) => {
    expect(isGivenUp(0, priority, settings, 24 * hourMs, hourMs)).toBe(false);
    expect(isGivenUp(0, priority, settings, 24 * hourMs + 1, hourMs)).toBe(priority !== 'acute');
  });

  it.each([
    [900_000, 86_400_000],
    [60_000, 60_000],
  ])(
    'gives nothing up before its lane has run for %i ms, its longest wait or all of its time',
    (ms, giveUpMs) => {
      const late = 100 * hourMs;
      expect(isGivenUp(0, 'routine', { ...settings, giveUpMs }, late, ms - 1)).toBe(false);
      expect(isGivenUp(0, 'routine', { ...settings, giveUpMs }, late, ms)).toBe(true);
    },
  );
});
