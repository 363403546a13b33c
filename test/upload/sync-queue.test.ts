import { describe, expect, it } from 'vitest';
import { checkpointMsMax, syncsMax } from '../../src/upload/limits.ts';
import { SyncQueue } from '../../src/upload/sync-queue.ts';

/** Syncs that last until each is ended, by its turn. */
function heldSyncs() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    sync: (name: string) => (): Promise<void> => {
      begun.push(name);
      return new Promise((resolve) => void ends.push(resolve));
    },
    end: async (turn: number): Promise<void> => {
      while (ends[turn] === undefined) await Promise.resolve();
      ends[turn]();
    },
  };
}

describe('the queue of syncs', () => {
  it('runs eight at once, and what somebody waits for goes first', async () => {
    const queue = new SyncQueue();
    const { begun, sync, end } = heldSyncs();
    const all = Array.from({ length: syncsMax }, (_, n) =>
      queue.run({ isAwaited: false }, sync(`first ${n}`)),
    );
    all.push(
      queue.run({ isAwaited: false }, sync('periodic')),
      queue.run({ isAwaited: true }, sync('awaited')),
    );
    await Promise.resolve();
    expect(begun).toHaveLength(syncsMax);
    expect(queue.waiting).toBe(2);
    await end(0);
    await all[0];
    await Promise.resolve();
    expect(begun.slice(syncsMax)).toEqual(['awaited']);
    for (let n = 1; n < syncsMax + 2; n += 1) await end(n);
    await Promise.all(all);
    expect(queue.waiting).toBe(0);
  });

  it('goes on after one that failed', async () => {
    const queue = new SyncQueue();
    await expect(queue.run({ isAwaited: true }, () => Promise.reject(new Error('disk')))).rejects.toThrow(
      'disk',
    );
    const ran = await Promise.all(
      Array.from({ length: 20 }, (_, n) => queue.run({ isAwaited: false }, () => Promise.resolve(n))),
    );
    expect(ran).toHaveLength(20);
  });

  it('lets checkpoints come less often while the disk is behind', async () => {
    const queue = new SyncQueue();
    expect(queue.intervalMs(20)).toBe(20);
    for (let n = 0; n < 30; n += 1) {
      await queue.run({ isAwaited: false }, () => new Promise((resolve) => setTimeout(resolve, 20)));
    }
    expect(queue.intervalMs(20)).toBeGreaterThan(40);
    expect(queue.intervalMs(checkpointMsMax * 2)).toBe(checkpointMsMax * 2);
  });

  it('gives what only runs along every fourth turn, however much is waited for', async () => {
    const queue = new SyncQueue();
    const { begun, sync, end } = heldSyncs();
    const all = Array.from({ length: syncsMax }, () => queue.run({ isAwaited: false }, sync('first')));
    all.push(queue.run({ isAwaited: false }, sync('periodic')));
    for (let n = 0; n < 6; n += 1) all.push(queue.run({ isAwaited: true }, sync('awaited')));
    for (let n = 0; n < all.length; n += 1) await end(n);
    await Promise.all(all);
    const waited = [...Array(3).fill('awaited'), 'periodic', ...Array(3).fill('awaited')];
    expect(begun.slice(syncsMax)).toEqual(waited);
  });

  it('runs sooner what somebody has begun to wait for', async () => {
    const queue = new SyncQueue();
    const { begun, sync, end } = heldSyncs();
    const all = Array.from({ length: syncsMax }, () => queue.run({ isAwaited: false }, sync('first')));
    const turn = { isAwaited: false };
    all.push(queue.run({ isAwaited: false }, sync('periodic')), queue.run(turn, sync('hurried')));
    queue.hurry(turn);
    for (let n = 0; n < all.length; n += 1) await end(n);
    await Promise.all(all);
    expect(begun.slice(syncsMax)).toEqual(['hurried', 'periodic']);
  });
});
