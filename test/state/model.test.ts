import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { State } from '../../src/state/state.ts';
import { fuzz } from '../study/support.ts';
import { openTempFolder } from '../support/temp-folder.ts';

type Key = readonly [string, string];

interface Step {
  readonly writes: readonly { readonly key: Key; readonly value: number | null }[];
  readonly throws: boolean;
  /** Closes and opens the state behind it. */
  readonly reopens: boolean;
}

const key: fc.Arbitrary<Key> = fc.tuple(
  fc.constantFrom('a', 'b', 'ab'),
  fc.constantFrom('1', '2', '10', '\u00ff'),
);
const step: fc.Arbitrary<Step> = fc.record({
  writes: fc.array(fc.record({ key, value: fc.option(fc.integer(), { freq: 3 }) }), { maxLength: 5 }),
  throws: fc.boolean(),
  reopens: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
});

describe('state against a map', () => {
  it('holds what was committed and nothing else, in key order, in both directions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const folder = await openTempFolder('sluis-model');
        let state = await State.open(folder.path);
        let model = new Map<string, number>();
        try {
          for (const { writes, throws, reopens } of steps) {
            const next = new Map(model);
            const committing = state.commit((tx) => {
              for (const { key, value } of writes) {
                if (value === null) tx.remove(keys.instanceNumbers, key);
                else tx.put(keys.instanceNumbers, key, value);
                if (value === null) next.delete(key.join(' '));
                else next.set(key.join(' '), value);
                expect(tx.get(keys.instanceNumbers, key)).toBe(value ?? undefined);
              }
              if (throws) throw new Error('changed my mind');
            });
            if (throws) await expect(committing).rejects.toThrow('changed my mind');
            else await committing;
            model = throws ? model : next;
            if (reopens) {
              await state.close();
              state = await State.open(folder.path);
            }
          }
          for (const prefix of ['a', 'b', 'ab']) {
            const listed = [...state.list(keys.instanceNumbers, { prefix: [prefix] })];
            const back = [...state.list(keys.instanceNumbers, { prefix: [prefix], reverse: true })];
            const expected = [...model]
              .filter(([one]) => one.startsWith(`${prefix} `))
              .toSorted(([a], [b]) => (a < b ? -1 : 1));
            expect(listed.map(({ key, value }) => [key.join(' '), value])).toEqual(expected);
            expect(back).toEqual(listed.toReversed());
            for (const [at, { key: after }] of listed.entries()) {
              const behind = [...state.list(keys.instanceNumbers, { prefix: [prefix], after })];
              const before = [
                ...state.list(keys.instanceNumbers, { prefix: [prefix], after, reverse: true }),
              ];
              expect(behind).toEqual(listed.slice(at + 1));
              expect(before).toEqual(listed.slice(0, at).toReversed());
            }
          }
        } finally {
          await state.close();
          await folder.remove();
        }
      }),
      fuzz,
    );
  });

  it('gives records that stay as they were when other records are read', async () => {
    const folder = await openTempFolder('sluis-model');
    const state = await State.open(folder.path);
    try {
      await state.commit((tx) => {
        for (let at = 0; at < 100; at++) tx.put(keys.ledgers, `d${at}`, new Uint8Array(64).fill(at));
      });
      const read = Array.from({ length: 100 }, (_, at) => state.get(keys.ledgers, `d${at}`));
      for (const [at, bytes] of read.entries()) expect(bytes?.every((byte) => byte === at)).toBe(true);
    } finally {
      await state.close();
      await folder.remove();
    }
  });
});
