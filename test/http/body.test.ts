import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IncomingBody } from '../../src/http/body.ts';
import { BodyStopped, BodyTooLarge, PeerGone } from '../../src/http/errors.ts';
import { bodyLimits, bodyTimers } from '../../src/http/limits.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import { deferred, MemorySink, MiB, randomBytes, settled } from './subject.ts';

const fuzzMs = Number(process.env.FUZZ_SECONDS ?? 2) * 1_000;

/** A body whose socket is a record of what it was told. */
function bodyOn({ length, pool = new SlabPool() }: { length?: number; pool?: SlabPool } = {}) {
  const tap = {
    pauses: 0,
    resumes: 0,
    cuts: 0,
    looks: 0,
    /** As node:http has it; under uws only reading comes to a reset. */
    seesResets: false,
    flowing: true,
    pause: () => {
      tap.pauses += 1;
      tap.flowing = false;
    },
    resume: () => {
      tap.resumes += 1;
      tap.flowing = true;
    },
    look: () => {
      tap.looks += 1;
      return tap.seesResets;
    },
    cut: () => {
      tap.cuts += 1;
      body.vanish();
    },
  };
  const body: IncomingBody = new IncomingBody(length, tap, pool);
  return { body, tap, pool };
}

describe('the queue of a body', () => {
  it('pauses its peer at the soft limit, again on every chunk that still comes, and resumes at half', async () => {
    const gates: (() => void)[] = [];
    const sink = new MemorySink(32 * MiB, () => new Promise<void>((resolve) => gates.push(resolve)));
    const { body, tap } = bodyOn();
    const drained = body.drainTo(sink);
    const chunk = randomBytes(MiB / 2);
    while (tap.flowing) body.push(chunk);
    expect(body.queuedBytes).toBe(bodyLimits.queueBytesSoft);
    expect(tap.pauses).toBe(1);
    body.push(chunk);
    body.push(chunk);
    expect(tap.pauses).toBe(3);
    while (!tap.flowing) {
      expect(body.queuedBytes).toBeGreaterThan(bodyLimits.queueBytesSoft / 2);
      gates.shift()?.();
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(body.queuedBytes).toBeLessThanOrEqual(bodyLimits.queueBytesSoft / 2);
    body.finish();
    while (body.queuedBytes > 0) {
      gates.shift()?.();
      await Promise.resolve();
    }
    expect(await drained).toBe(sink.written);
  });

  it('bounds a burst that ignores the pause by writing the oldest slabs synchronously', async () => {
    const gate = deferred<void>();
    const sink = new MemorySink(60 * MiB, () => gate.promise);
    const { body, pool } = bodyOn({ length: 60 * MiB });
    const drained = body.drainTo(sink);
    const sent = randomBytes(60 * MiB);
    let peak = 0;
    for (let at = 0; at < sent.length; at += MiB / 2) {
      body.push(sent.subarray(at, at + MiB / 2));
      peak = Math.max(peak, body.queuedBytes);
    }
    body.finish();
    expect(peak).toBeGreaterThan(bodyLimits.queueBytesSoft);
    expect(peak).toBeLessThanOrEqual(bodyLimits.queueBytesHard);
    expect(sink.syncWrites).toBeGreaterThan(40);
    gate.resolve();
    expect(await drained).toBe(60 * MiB);
    expect(sink.bytes.equals(sent)).toBe(true);
    expect(pool.bytesInUse).toBe(0);
  });

  it('writes straight from the socket when all connections together have spent the budget', async () => {
    const pool = new SlabPool(3 * bodyLimits.slabBytesMin);
    const gate = deferred<void>();
    const sink = new MemorySink(2 * MiB, () => gate.promise);
    const { body } = bodyOn({ length: 2 * MiB, pool });
    const drained = body.drainTo(sink);
    const sent = randomBytes(2 * MiB);
    for (let at = 0; at < sent.length; at += 50_000) body.push(sent.subarray(at, at + 50_000));
    body.finish();
    expect(pool.bytesInUsePeak).toBeLessThanOrEqual(pool.bytesMax);
    gate.resolve();
    expect(await drained).toBe(2 * MiB);
    expect(sink.bytes.equals(sent)).toBe(true);
  });

  it('gives a small body in its order when all connections together have spent the budget', async () => {
    const pool = new SlabPool(2 * bodyLimits.slabBytesMin);
    const sent = randomBytes(400_000);
    const { body } = bodyOn({ length: sent.length, pool });
    const whole = body.bytes(sent.length);
    for (let at = 0; at < sent.length; at += 150_000) body.push(sent.subarray(at, at + 150_000));
    body.finish();
    expect(sent.equals(await whole)).toBe(true);
    expect(pool.bytesInUse).toBe(0);
  });

  it('waits in small slabs until it proves fast, then in large ones', () => {
    const { body, pool } = bodyOn();
    const never = new MemorySink(0, () => new Promise(() => {}));
    void body.drainTo(never);
    body.push(randomBytes(1_000));
    expect(pool.bytesInUse).toBe(bodyLimits.slabBytesMin);
    for (let part = 0; part < 8; part += 1) body.push(randomBytes(MiB / 4));
    expect(pool.bytesInUse).toBeGreaterThan(bodyLimits.slabBytesMax);
  });

  it('holds 8 MiB for a reader that has not asked, and closes the connection above', async () => {
    const { body, tap, pool } = bodyOn();
    const chunk = randomBytes(MiB / 4);
    for (let at = 0; at < bodyLimits.queueBytesHard; at += chunk.length) body.push(chunk);
    expect([tap.cuts, tap.flowing, body.queuedBytes]).toEqual([0, false, bodyLimits.queueBytesHard]);
    body.push(chunk);
    expect(tap.cuts).toBe(1);
    // What was held is still for whoever asks.
    const sink = new MemorySink(bodyLimits.queueBytesHard);
    const error = await settled(body.drainTo(sink));
    expect(error).toBeInstanceOf(PeerGone);
    expect([(error as PeerGone).bytes, pool.bytesInUse]).toEqual([sink.written, 0]);
    expect(sink.written).toBe(bodyLimits.queueBytesHard);
  });

  it('keeps nothing behind a chunk that found no room, although more comes before the cut is reported', async () => {
    const { body, tap } = bodyOn();
    tap.cut = () => {};
    const held = bodyLimits.queueBytesHard - 1_000;
    const sent = randomBytes(held + 3_000);
    for (const [from, to] of [
      [0, held],
      [held, held + 2_000],
      [held + 2_000, held + 2_500],
    ] as const) {
      body.push(sent.subarray(from, to));
    }
    const sink = new MemorySink(sent.length);
    const error = await settled(body.drainTo(sink));
    expect([(error as PeerGone).bytes, sink.written]).toEqual([held, held]);
    expect(sink.bytes.subarray(0, held).equals(sent.subarray(0, held))).toBe(true);
  });

  it('holds what has no reader yet although all connections together have spent the budget', async () => {
    const pool = new SlabPool(bodyLimits.slabBytesMax);
    const other = bodyOn({ pool });
    const gate = deferred<void>();
    const stuck = other.body.drainTo(new MemorySink(2 * MiB, () => gate.promise));
    while (pool.bytesInUse < pool.bytesMax) other.body.push(randomBytes(50_000));
    const { body, tap } = bodyOn({ pool });
    const sent = randomBytes(3 * MiB);
    for (let at = 0; at < sent.length; at += MiB / 2) body.push(sent.subarray(at, at + MiB / 2));
    expect([tap.cuts, tap.flowing]).toEqual([0, false]);
    const sink = new MemorySink(sent.length);
    const drained = body.drainTo(sink);
    body.finish();
    expect(await drained).toBe(sent.length);
    expect(sink.bytes.equals(sent)).toBe(true);
    gate.resolve();
    other.body.finish();
    await stuck;
    expect(pool.bytesInUse).toBe(0);
  });

  it('copies no more of a burst once that has filled the queue, until the next turn of the loop', async () => {
    const gate = deferred<void>();
    const sent = randomBytes(12 * MiB);
    const sink = new MemorySink(sent.length, () => gate.promise);
    const { body, tap, pool } = bodyOn({ length: sent.length });
    const drained = body.drainTo(sink);
    const push = (from: number, to: number) => body.push(sent.subarray(from, to));
    for (let at = 0; at < 10 * MiB; at += MiB / 2) push(at, at + MiB / 2);
    const underWay = body.queuedBytes;
    expect(underWay).toBeLessThanOrEqual(bodyLimits.writesInFlight * bodyLimits.slabBytesMax);
    // It waits for the writes under way all the same.
    expect(tap.flowing).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    push(10 * MiB, 11 * MiB);
    expect(body.queuedBytes).toBe(underWay + MiB);
    push(11 * MiB, 12 * MiB);
    body.finish();
    gate.resolve();
    expect(await drained).toBe(sent.length);
    expect(sink.bytes.equals(sent)).toBe(true);
    expect(pool.bytesInUse).toBe(0);
  });

  it('gives back what it held when nobody will ask', () => {
    const { body, pool } = bodyOn();
    body.push(randomBytes(1_000));
    expect(pool.bytesInUse).toBeGreaterThan(0);
    body.drop();
    expect(pool.bytesInUse).toBe(0);
  });
});

describe('the end of a body', () => {
  it('is at once for a request without one', async () => {
    const { body } = bodyOn({ length: 0 });
    expect(body.whole).toBe(true);
    expect(await body.drainTo(new MemorySink(0))).toBe(0);
  });

  it('is the sink’s own error when it fails, async or sync, whatever comes after', async () => {
    const full = new Error('the disk is full');
    const failing = {
      async: { write: () => Promise.reject(full), writeSync: () => {} },
      thrown: {
        write: () => {
          throw full;
        },
        writeSync: () => {},
      },
      sync: {
        write: () => Promise.resolve(),
        writeSync: () => {
          throw full;
        },
      },
    };
    for (const sink of Object.values(failing)) {
      // A budget of nothing sends every chunk to writeSync.
      const pool = new SlabPool(sink === failing.sync ? 0 : 64 * MiB);
      const { body, tap } = bodyOn({ length: 10_000, pool });
      const drained = settled(body.drainTo(sink));
      body.push(randomBytes(5_000));
      await Promise.resolve();
      body.push(randomBytes(5_000));
      body.finish();
      expect(await drained).toBe(full);
      expect(pool.bytesInUse).toBe(0);
      expect(tap.cuts).toBe(0);
    }
  });

  it('is BodyStopped at once when the signal had aborted before, with what was held written', async () => {
    const { body } = bodyOn();
    const sink = new MemorySink(700);
    body.push(randomBytes(700));
    const error = await settled(body.drainTo(sink, AbortSignal.abort('taken over')));
    expect(error).toBeInstanceOf(BodyStopped);
    expect([(error as BodyStopped).bytes, sink.written]).toEqual([700, 700]);
    body.push(randomBytes(100));
    expect(sink.written).toBe(700);
  });

  it('counts and writes nothing that comes after a stop, also while what came before is being written', async () => {
    for (const first of ['stop', 'take'] as const) {
      const gate = deferred<void>();
      const sink = new MemorySink(3_000, () => gate.promise);
      const { body, pool } = bodyOn();
      const stop = new AbortController();
      body.push(randomBytes(700));
      if (first === 'stop') stop.abort();
      const drained = settled(body.drainTo(sink, stop.signal));
      if (first === 'take') {
        body.push(randomBytes(500));
        stop.abort();
      }
      body.push(randomBytes(1_000));
      gate.resolve();
      const error = await drained;
      expect(error).toBeInstanceOf(BodyStopped);
      const before = first === 'stop' ? 700 : 1_200;
      expect([(error as BodyStopped).bytes, sink.written, pool.bytesInUse]).toEqual([before, before, 0]);
    }
  });

  it('is BodyTooLarge before a byte is read when the length says so', async () => {
    const { body, tap } = bodyOn({ length: 11 });
    expect(await settled(body.bytes(10))).toBeInstanceOf(BodyTooLarge);
    expect(tap.resumes).toBe(0);
  });

  it('cannot be read for a second time', async () => {
    const { body } = bodyOn({ length: 0 });
    await body.bytes(1);
    await expect(body.bytes(1)).rejects.toThrow('read once');
  });
});

describe('the timers of a body', () => {
  const later = (ms: number) => performance.now() + ms;

  it('read a paused socket again within a second, so that a reset is seen', () => {
    const { body, tap } = bodyOn();
    body.push(randomBytes(100));
    expect(tap.flowing).toBe(false);
    body.sweep(later(bodyTimers.pauseMs - 100));
    expect(tap.flowing).toBe(false);
    body.sweep(later(bodyTimers.pauseMs));
    expect(tap.flowing).toBe(true);
    body.push(randomBytes(100));
    expect(tap.flowing).toBe(false);
  });

  it('do not read a held body any further than it fills one slab', () => {
    const { body, tap } = bodyOn();
    body.push(randomBytes(bodyLimits.heldLookBytes));
    body.sweep(later(bodyTimers.pauseMs * 4));
    expect(tap.flowing).toBe(false);
  });

  it('cut a peer that sends nothing, but not one that waits for us', () => {
    const idle = bodyOn();
    void settled(idle.body.drainTo(new MemorySink(0)));
    idle.body.sweep(later(bodyTimers.idleMs - 1_000));
    expect(idle.tap.cuts).toBe(0);
    idle.body.sweep(later(bodyTimers.idleMs + 1_000));
    expect(idle.tap.cuts).toBe(1);

    const waiting = bodyOn();
    void waiting.body.drainTo(new MemorySink(0, () => new Promise(() => {})));
    while (waiting.tap.flowing) waiting.body.push(Buffer.alloc(MiB / 2));
    for (let now = 0; now < 3 * bodyTimers.idleMs; now += 500) waiting.body.sweep(later(now));
    expect(waiting.tap.cuts).toBe(0);
    expect(waiting.tap.resumes).toBeGreaterThan(100);
  });

  it('leave alone what nobody waits for any more: its answer may take long', () => {
    const unread = bodyOn();
    unread.body.push(randomBytes(10));
    unread.body.drop();
    const silent = bodyOn();
    void settled(silent.body.drainTo(new MemorySink(0)));
    silent.body.vanish();
    for (const { body, tap } of [unread, silent]) {
      body.sweep(later(bodyTimers.idleMs + 1_000));
      expect(tap.cuts).toBe(0);
    }
  });

  it('cut a body that its handler never asks for', () => {
    const { body, tap } = bodyOn();
    body.push(randomBytes(10));
    body.sweep(later(bodyTimers.idleMs + 1_000));
    expect(tap.cuts).toBe(1);
  });
});

it('writes every byte once, in its place, whatever the order of chunks, waits and ends', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 700_000 }) }) },
    { weight: 6, arbitrary: fc.constant('settle' as const) },
    { weight: 2, arbitrary: fc.constant('take' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('finish' as const, 'vanish' as const, 'stop' as const, 'sweep' as const),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, tight) => {
      const pool = new SlabPool(tight ? 20 * bodyLimits.slabBytesMin : 64 * MiB);
      const { body, tap } = bodyOn({ pool });
      const gates: (() => void)[] = [];
      const sink = new MemorySink(64 * MiB, () => new Promise<void>((resolve) => gates.push(resolve)));
      const stop = new AbortController();
      let drained: Promise<unknown> | undefined;
      let position = 0;
      let ended = false;
      // Held bytes may be beyond the budget, and stay so until they are written.
      let slabsMax = bodyLimits.queueBytesHard + bodyLimits.slabBytesMin;
      for (const one of steps) {
        if (ended && one !== 'take' && one !== 'settle') continue;
        if (one === 'take') {
          if (drained === undefined) slabsMax = Math.max(pool.bytesMax, pool.bytesInUse);
          drained ??= settled(body.drainTo(sink, stop.signal));
        } else if (one === 'settle') gates.shift()?.();
        else if (one === 'sweep') body.sweep(performance.now() + bodyTimers.pauseMs);
        else if (one === 'finish') body.finish();
        else if (one === 'vanish') body.vanish();
        else if (one === 'stop') stop.abort();
        else if (position + one.push < 64 * MiB) {
          // Every byte is told by its position, modulo a prime.
          const chunk = Uint8Array.from({ length: one.push }, (_, at) => (position + at) % 251);
          body.push(chunk);
          chunk.fill(255);
          if (tap.cuts === 0) position += one.push;
        }
        // A stop that came first takes effect when the body is asked for.
        const stopped = drained !== undefined && stop.signal.aborted;
        ended ||= one === 'finish' || one === 'vanish' || stopped || tap.cuts > 0;
        await Promise.resolve();
        expect(body.queuedBytes).toBeLessThanOrEqual(bodyLimits.queueBytesHard);
        expect(pool.bytesInUse).toBeLessThanOrEqual(slabsMax);
      }
      drained ??= settled(body.drainTo(sink, stop.signal));
      body.vanish();
      for (let turn = 0; turn < 10_000 && (body.queuedBytes > 0 || gates.length > 0); turn += 1) {
        gates.shift()?.();
        await Promise.resolve();
      }
      const result = await drained;
      const bytes = typeof result === 'number' ? result : (result as PeerGone).bytes;
      expect(bytes).toBe(sink.written);
      if (tap.cuts === 0) expect(bytes).toBe(position);
      let end = 0;
      for (const run of sink.runs.toSorted((a, b) => a.position - b.position)) {
        expect(run.position).toBe(end);
        end += run.bytes;
      }
      expect(end).toBe(bytes);
      for (let at = 0; at < bytes; at += 97) {
        if (sink.bytes[at] !== at % 251)
          throw new Error(`byte ${at.toString()} is ${String(sink.bytes[at])}`);
      }
      expect(pool.bytesInUse).toBe(0);
    }),
    {
      // A stop that aborted before the body was asked for: what comes behind the asking is not counted.
      examples: [[['stop', { push: 9 }, 'take', { push: 1 }], false]],
      numRuns: 100_000,
      interruptAfterTimeLimit: fuzzMs,
      markInterruptAsFailure: false,
    },
  );
});
