import { describe, expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

/** Time that passes only while somebody sleeps, and then `late` ms more than he wanted. */
function clockThatIs(late: number) {
  let ms = 0;
  return {
    now: () => ms,
    sleep: (wanted: number) => {
      ms += wanted + late;
      return Promise.resolve();
    },
  };
}

describe('a token bucket', () => {
  it.each([
    [600_000, 0],
    [1_200_000, 0],
    [50_000_000, 0],
    // As timers on a busy machine: a slice is 10 ms, five are saved up.
    [600_000, 30],
  ])('gives its rate of %i bytes a second and not more, when timers are %i ms late', async (rate, late) => {
    const clock = clockThatIs(late);
    const bucket = new TokenBucket(rate, clock);
    let bytes = 0;
    while (bytes < rate * 2) bytes += await bucket.take(rate);
    const seconds = clock.now() / 1000;
    expect(bytes / seconds).toBeLessThanOrEqual(rate * 1.001);
    expect(bytes / seconds).toBeGreaterThan(rate * 0.9);
  });
});
