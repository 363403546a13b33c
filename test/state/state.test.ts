import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isId, newId } from '../../src/state/ids.ts';
import { keys } from '../../src/state/keys.ts';
import { State } from '../../src/state/state.ts';

describe('state', () => {
  let folder: string;
  let state: State;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluis-state-'));
    state = await State.open(folder);
  });
  afterEach(async () => {
    await state.close();
    await rm(folder, { recursive: true });
  });

  it('reads back what it committed, also after it was closed and opened', async () => {
    await state.commit((tx) => tx.put(keys.instanceNumbers, ['t', '1.2.3'], 7));
    expect(state.get(keys.instanceNumbers, ['t', '1.2.3'])).toBe(7);
    await state.close();
    state = await State.open(folder);
    expect(state.get(keys.instanceNumbers, ['t', '1.2.3'])).toBe(7);
  });

  it('writes nothing of a change that throws', async () => {
    const failing = state.commit((tx) => {
      tx.put(keys.meta, 'a', 1);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(state.get(keys.meta, 'a')).toBeUndefined();
  });

  it('shows a change its own writes and removals', async () => {
    await state.commit((tx) => tx.put(keys.meta, 'old', 1));
    const seen = await state.commit((tx) => {
      tx.put(keys.meta, 'new', 2);
      tx.remove(keys.meta, 'old');
      return [tx.get(keys.meta, 'new'), tx.get(keys.meta, 'old')];
    });
    expect(seen).toEqual([2, undefined]);
    expect(state.get(keys.meta, 'old')).toBeUndefined();
  });

  it('runs changes one after the other, so that none is lost', async () => {
    const add = (): Promise<void> =>
      state.commit((tx) => {
        const n = tx.get(keys.instanceNumbers, ['t', 'n']) ?? 0;
        tx.put(keys.instanceNumbers, ['t', 'n'], n + 1);
      });
    await Promise.all(Array.from({ length: 500 }, add));
    expect(state.get(keys.instanceNumbers, ['t', 'n'])).toBe(500);
  });

  it('takes more changes at once than share a sync, each in its turn, also before it is closed', async () => {
    const order: number[] = [];
    const all = Array.from({ length: 300 }, (_, n) =>
      state.commit((tx) => {
        order.push(n);
        tx.put(keys.meta, `n${n}`, n);
      }),
    );
    expect(state.waiting).toBeGreaterThan(200);
    await state.close();
    await Promise.all(all);
    state = await State.open(folder);
    expect(order).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(state.get(keys.meta, 'n299')).toBe(299);
    expect(state.waiting).toBe(0);
  });

  it('lists a prefix in key order and goes on behind a key', async () => {
    await state.commit((tx) => {
      for (const [mailbox, rank, delivery] of [
        ['b', 0, 'x'],
        ['a', 1, 'y'],
        ['a', 0, 'z'],
        ['a', 10, 'w'],
      ] as const) {
        tx.put(keys.lanes, [mailbox, rank, delivery], 1);
      }
    });
    const all = [...state.list(keys.lanes, { prefix: ['a'] })].map(({ key }) => key[2]);
    expect(all).toEqual(['z', 'y', 'w']);
    const behind = [...state.list(keys.lanes, { prefix: ['a'], after: ['a', 0, 'z'], limit: 1 })];
    expect(behind.map(({ key }) => key[2])).toEqual(['y']);
    const reverse = [...state.list(keys.lanes, { prefix: ['a'], reverse: true })].map(({ key }) => key[2]);
    expect(reverse).toEqual(['w', 'y', 'z']);
    const before = [...state.list(keys.lanes, { prefix: ['a'], reverse: true, after: ['a', 1, 'y'] })];
    expect(before.map(({ key }) => key[2])).toEqual(['z']);
  });

  it('refuses a data folder of a newer program', async () => {
    await state.commit((tx) => tx.put(keys.meta, 'schema', 999));
    await state.close();
    await expect(State.open(folder)).rejects.toThrow('start the newer program');
    await rm(folder, { recursive: true });
    state = await State.open(folder);
  });

  it('keeps numbers beyond 32 bits and bytes as they were', async () => {
    const bytes = new Uint8Array([0, 255, 7]);
    await state.commit((tx) => {
      tx.put(keys.instanceNumbers, ['t', 'big'], 2 ** 40 + 1);
      tx.put(keys.ledgers, 'd', bytes);
    });
    expect(state.get(keys.instanceNumbers, ['t', 'big'])).toBe(2 ** 40 + 1);
    expect(new Uint8Array(state.get(keys.ledgers, 'd') ?? [])).toEqual(bytes);
  });
});

describe('ids', () => {
  it('sort in the order they were made', () => {
    const ids = Array.from({ length: 10_000 }, () => newId(1_700_000_000_000));
    expect([...ids].sort()).toEqual(ids);
    expect(ids.every(isId)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
