import { describe, expect, it } from 'vitest';
import { IncomingBody } from '../../src/http/body.ts';
import { bodyLimits } from '../../src/http/limits.ts';
import { SinkPace } from '../../src/http/sink-pace.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import { MemorySink, MiB, randomBytes } from './subject.ts';

const { directBytes, directMs, directPauseMs } = bodyLimits;

describe('the pace of sinks', () => {
  it('is quick until writes together take too long, and again after a while', () => {
    const pace = new SinkPace();
    for (let n = 0; n < 10; n += 1) pace.note(directBytes, directMs, 0);
    expect(pace.quick(0)).toBe(true);
    // Half of the bytes in three quarters of the time, twice.
    pace.note(directBytes / 4, directMs * 0.75, 100);
    expect(pace.quick(100)).toBe(true);
    pace.note(directBytes / 4, directMs * 0.75, 100);
    expect(pace.quick(100)).toBe(false);
    expect(pace.quick(100 + directPauseMs)).toBe(false);
    expect(pace.quick(101 + directPauseMs)).toBe(true);
  });

  it('has a fast body written without a slab while it is quick and the sink is willing, else with slabs', async () => {
    let willing = true;
    const pool = new SlabPool();
    const tap = { pause() {}, resume() {}, look: () => false, cut() {} };
    const sent = randomBytes(16 * MiB);
    const sink = Object.assign(new MemorySink(sent.length), { writesAtOnce: () => willing });
    const body = new IncomingBody(sent.length, tap, pool);
    const drained = body.drainTo(sink);
    const half = sent.length / 2;
    let direct = 0;
    for (let at = 0; at < sent.length; at += MiB / 4) {
      if (at === half / 2) willing = false;
      if (at === half) {
        willing = true;
        pool.pace.note(1, directMs + 1, performance.now());
      }
      const before = sink.syncWrites;
      body.push(sent.subarray(at, at + MiB / 4));
      if (at >= half / 2) expect([at, sink.syncWrites]).toEqual([at, before]);
      else direct += sink.syncWrites - before;
      // Lets what is being written end, so that nothing waits.
      await new Promise((resolve) => setImmediate(resolve));
    }
    body.finish();
    expect(await drained).toBe(sent.length);
    expect(sink.bytes.equals(sent)).toBe(true);
    expect(direct).toBeGreaterThan(0);
    expect(pool.bytesInUse).toBe(0);
  });
});
