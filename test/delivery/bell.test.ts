import { describe, expect, it } from 'vitest';
import { Bell } from '../../src/delivery/bell.ts';

const never = new AbortController().signal;
const longMs = 30_000;

describe('the bell', () => {
  it('wakes everybody who waits for this mailbox, and nobody else', async () => {
    const bell = new Bell();
    const other = new AbortController();
    let otherWoke = false;
    const waiting = [bell.wait('a', longMs, never), bell.wait('a', longMs, never)];
    const elsewhere = bell.wait('b', longMs, other.signal).then(() => {
      otherWoke = true;
    });
    bell.ring('a');
    await Promise.all(waiting);
    expect(otherWoke).toBe(false);
    other.abort();
    await elsewhere;
  });

  it('wakes who waits again at once when it was rung', async () => {
    const bell = new Bell();
    for (let turn = 0; turn < 3; turn++) {
      const waiting = bell.wait('a', longMs, never).then(() => bell.wait('a', longMs, never));
      bell.ring('a');
      await new Promise((resolve) => setImmediate(resolve));
      bell.ring('a');
      await waiting;
    }
  });

  it('lets nobody wait longer than he wants', async () => {
    await new Bell().wait('a', 1, never);
  });

  it('lets go of who is gone', async () => {
    const gone = new AbortController();
    const waiting = new Bell().wait('a', longMs, gone.signal);
    gone.abort();
    await waiting;
    await new Bell().wait('a', longMs, gone.signal);
  });

  it('lets nobody wait while the program stops', async () => {
    const bell = new Bell();
    const waiting = [bell.wait('a', longMs, never), bell.wait('b', longMs, never)];
    bell.stop();
    await Promise.all(waiting);
    await bell.wait('a', longMs, never);
  });

  it('does not mind that nobody listens', () => {
    expect(() => new Bell().ring('a')).not.toThrow();
  });
});
