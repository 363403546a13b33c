import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IncomingBody } from '../../src/http/body.ts';
import { bodyLimits, bodyTimers, listenerLimits } from '../../src/http/limits.ts';
import { httpCounts } from '../../src/http/metrics.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import { MemorySink, MiB, settled } from './subject.ts';

/** Ten minutes and more of a body, on a clock that is moved by hand. */
describe('a body that comes slowly', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  /** Sends `bytes` every `everyMs` for `ms`, with the sweeps of a listener. Returns how it was cut. */
  function line({ bytes, everyMs, ms }: { bytes: number; everyMs: number; ms: number }) {
    let cut = false;
    const tap = {
      pause() {},
      resume() {},
      look: () => false,
      cut: () => {
        cut = true;
      },
    };
    const body = new IncomingBody(undefined, tap, new SlabPool());
    void settled(body.drainTo(new MemorySink(10 * MiB)));
    const before = { idle: httpCounts.idleCuts, rate: httpCounts.rateCuts };
    for (let at = 0; at < ms && !cut; at += listenerLimits.sweepMs) {
      if (at % everyMs < listenerLimits.sweepMs) body.push(Buffer.alloc(bytes));
      vi.advanceTimersByTime(listenerLimits.sweepMs);
      body.sweep(performance.now());
    }
    if (!cut) return 'lives';
    return httpCounts.rateCuts > before.rate ? 'cut for its rate' : 'cut for being idle';
  }

  const minute = 60_000;
  it.for([
    { name: '1 KiB/s', bytes: 1024, everyMs: 1_000, is: 'lives' },
    { name: '1 KiB each 9 s', bytes: 1024, everyMs: 9_000, is: 'lives' },
    { name: '1 KiB each 30 s', bytes: 1024, everyMs: 30_000, is: 'lives' },
    { name: '1 KiB each 59 s', bytes: 1024, everyMs: 59_000, is: 'lives' },
    { name: '1 KiB each 62 s', bytes: 1024, everyMs: 62_000, is: 'cut for being idle' },
    { name: '1 byte each minute', bytes: 1, everyMs: 59_000, is: 'cut for its rate' },
    { name: '7 bytes a second', bytes: 7, everyMs: 1_000, is: 'cut for its rate' },
    { name: '9 bytes a second', bytes: 9, everyMs: 1_000, is: 'lives' },
  ])('with $name $is', ({ bytes, everyMs, is }) => {
    expect(line({ bytes, everyMs, ms: 20 * minute })).toBe(is);
  });

  it('is not judged for the time in which we had it wait', () => {
    let cuts = 0;
    const tap = {
      pause() {},
      resume() {},
      look: () => false,
      cut: () => {
        cuts += 1;
      },
    };
    const body = new IncomingBody(undefined, tap, new SlabPool());
    void settled(body.drainTo(new MemorySink(0, () => new Promise(() => {}))));
    while (!body.paused) body.push(Buffer.alloc(MiB / 2));
    for (let at = 0; at < 3 * bodyTimers.rateMs; at += listenerLimits.sweepMs) {
      vi.advanceTimersByTime(listenerLimits.sweepMs);
      body.sweep(performance.now());
    }
    expect([cuts, body.paused]).toEqual([0, true]);
    expect(body.queuedBytes).toBeLessThanOrEqual(bodyLimits.queueBytesHard);
  });
});
