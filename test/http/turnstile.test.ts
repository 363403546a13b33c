import { describe, expect, it } from 'vitest';
import { IncomingBody } from '../../src/http/body.ts';
import { bodyLimits, bodyTimers } from '../../src/http/limits.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import { MiB, randomBytes, settled } from './subject.ts';

const chunk = randomBytes(MiB / 2);
const { turnBytes, turnBodiesMax } = bodyLimits;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A body with a reader that takes all at once, and what its socket was told. */
function bodyOn(pool: SlabPool, write: () => Promise<void> = () => Promise.resolve()) {
  const tap = {
    flowing: true,
    cuts: 0,
    pause: () => {
      tap.flowing = false;
    },
    resume: () => {
      tap.flowing = true;
    },
    look: () => false,
    cut: () => {
      tap.cuts += 1;
    },
  };
  const body = new IncomingBody(undefined, tap, pool);
  const ended = settled(body.drainTo({ write, writeSync() {} }));
  /** One burst: whatever it is told, it ends where the kernel's buffer is empty. */
  const burst = (bytes: number) => {
    for (let at = 0; at < bytes; at += chunk.length) body.push(chunk);
  };
  return { body, tap, burst, ended };
}

/** So many bodies that have proved fast, in turns of their own. */
async function fastBodies(count: number, pool: SlabPool) {
  const bodies = Array.from({ length: count }, () => bodyOn(pool));
  for (const { burst } of bodies) {
    burst(2 * MiB);
    await turn();
  }
  return bodies;
}

describe('the turnstile', () => {
  it('lets all bodies flow while a turn of the loop brings little, and one alone however much it brings', async () => {
    const bodies = await fastBodies(5, new SlabPool());
    for (const { burst } of bodies) burst(2 * MiB);
    await turn();
    expect(bodies.every(({ tap }) => tap.flowing)).toBe(true);

    const [alone] = await fastBodies(1, new SlabPool());
    for (let n = 0; n < 5; n += 1) {
      alone?.burst(4 * turnBytes);
      await turn();
      expect(alone?.tap.flowing).toBe(true);
    }
  });

  it('holds all other fast bodies back once a turn has brought enough, and lets slow ones be', async () => {
    const pool = new SlabPool();
    const [first, ...others] = await fastBodies(20, pool);
    const slow = bodyOn(pool);
    slow.body.push(randomBytes(1_000));
    first?.burst(turnBytes + MiB);
    expect(others.map(({ tap }) => tap.flowing)).toEqual(others.map(() => false));
    expect(slow.tap.flowing).toBe(true);
    // Nobody brings anything more: all are let go, and then nobody has to wait any longer.
    for (let n = 0; n < 10; n += 1) await turn();
    expect([first, ...others].every((one) => one?.tap.flowing)).toBe(true);
  });

  it('gives every body its turn, though the loop always comes to the same ones first', async () => {
    const bodies = await fastBodies(30, new SlabPool());
    const bursts = bodies.map(() => 0);
    for (let n = 0; n < 300; n += 1) {
      let inTurn = 0;
      for (const [at, { tap, burst }] of bodies.entries()) {
        // The last ones never have anything.
        if (!tap.flowing || at >= 25) continue;
        burst(turnBytes + MiB);
        inTurn += 1;
        bursts[at] = (bursts[at] ?? 0) + 1;
      }
      // Thirty at once were ready; at most one had its burst.
      expect(inTurn).toBeLessThanOrEqual(1);
      await turn();
    }
    const active = bursts.slice(0, 25);
    expect(Math.min(...active)).toBeGreaterThan(5);
    expect(Math.max(...active)).toBeLessThan(2 * Math.min(...active));
  });

  it('lets more and more go while what they bring is little', async () => {
    const count = 4 * turnBodiesMax;
    const bodies = await fastBodies(count, new SlabPool());
    const perTurn: number[] = [];
    bodies[0]?.burst(turnBytes + MiB);
    while (bodies.some(({ tap }) => !tap.flowing) && perTurn.length < 100) {
      await turn();
      perTurn.push(bodies.filter(({ tap }) => tap.flowing).length);
    }
    expect(perTurn.at(-1)).toBe(count);
    expect(perTurn.length).toBeLessThan(20);
  });

  it('lets nobody go whose own queue is full, and nobody whose queue has emptied before their turn', async () => {
    const pool = new SlabPool();
    const gates: (() => void)[] = [];
    const waiting = bodyOn(pool, () => new Promise<void>((resolve) => gates.push(resolve)));
    const others = await fastBodies(3, pool);
    while (waiting.tap.flowing) waiting.body.push(chunk);
    others[0]?.burst(turnBytes + MiB);
    for (let n = 0; n < 10; n += 1) await turn();
    expect(others.every(({ tap }) => tap.flowing)).toBe(true);
    expect([waiting.tap.flowing, waiting.body.queuedBytes]).toEqual([false, bodyLimits.queueBytesSoft]);

    others[0]?.burst(turnBytes + MiB);
    while (waiting.body.queuedBytes > bodyLimits.queueBytesSoft / 2) {
      gates.shift()?.();
      for (let n = 0; n < 4; n += 1) await Promise.resolve();
    }
    expect(waiting.tap.flowing).toBe(false);
    for (let n = 0; n < 10; n += 1) await turn();
    expect(waiting.tap.flowing).toBe(true);
  });

  it('makes nobody idle or slow who waits, and is not passed by the look for a reset', async () => {
    const [first, second] = await fastBodies(2, new SlabPool());
    first?.burst(turnBytes + MiB);
    for (let ms = 0; ms < 2 * bodyTimers.rateMs; ms += 1_000) second?.body.sweep(performance.now() + ms);
    expect([second?.tap.cuts, second?.tap.flowing]).toEqual([0, false]);
  });

  it('forgets a body that has ended, however it did', async () => {
    const [first, ...others] = await fastBodies(4, new SlabPool());
    const [whole, gone, flows] = others;
    first?.burst(turnBytes + MiB);
    whole?.body.finish();
    // A connection goes on to its next request at once.
    expect(whole?.tap.flowing).toBe(true);
    gone?.body.vanish();
    for (let n = 0; n < 10; n += 1) await turn();
    expect([gone?.tap.flowing, flows?.tap.flowing]).toEqual([false, true]);
    expect(await whole?.ended).toBe(2 * MiB);
    first?.burst(turnBytes + MiB);
    expect([whole?.tap.flowing, flows?.tap.flowing]).toEqual([true, false]);
  });
});
