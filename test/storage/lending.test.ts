import { truncate } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDiskStorage } from '../../src/storage/disk.ts';
import { lendInTurns, lendTogether } from '../../src/storage/lending.ts';
import type { Extent, ObjectId, Storage } from '../../src/storage/storage.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { fill, lent, pattern } from './storage.contract.ts';

const MiB = 1024 * 1024;
const a = 'object-a' as ObjectId;
const b = 'object-b' as ObjectId;

describe('lending', () => {
  let folder: TempFolder;
  let storage: Storage;
  beforeEach(async () => {
    folder = await openTempFolder();
    storage = await openDiskStorage(folder.path);
  });
  afterEach(() => folder.remove());

  it('gives each list its own ranges, also those of several extents and of none', async () => {
    await fill(storage, a, pattern(100, 1));
    await fill(storage, b, pattern(100, 2));
    const lists: Extent[][] = [
      [{ object: a, start: 10, bytes: 5 }],
      [],
      [
        { object: a, start: 90, bytes: 10 },
        { object: b, start: 0, bytes: 7 },
        { object: b, start: 50, bytes: 0 },
      ],
      [{ object: b, start: 7, bytes: 3 }],
    ];
    const got = await lendTogether(storage, lists, (all) => Promise.all(all.map(lent)));
    expect(got).toEqual([
      pattern(100, 1).subarray(10, 15),
      Buffer.alloc(0),
      Buffer.concat([pattern(100, 1).subarray(90), pattern(100, 2).subarray(0, 7)]),
      pattern(100, 2).subarray(7, 10),
    ]);
  });

  it('lends a long list some at a time, a large one alone, and answers to each in its place', async () => {
    await fill(storage, a, pattern(1));
    // Sparse: nobody reads it.
    await truncate(storage.pathOf(a), 1000 * MiB);
    const sizes = [100, 100, 100, 700, 20, 236, 1, 0];
    const lists = sizes.map((size) => [{ object: a, start: 0, bytes: size * MiB }]);
    const turns: number[][] = [];
    const answers = await lendInTurns(storage, lists, (all, from) => {
      const bytes = all.map((ranges) => ranges.reduce((sum, range) => sum + range.bytes, 0) / MiB);
      turns.push(bytes);
      return Promise.resolve(bytes.map((one, at) => [from + at, one]));
    });
    expect(turns).toEqual([[100, 100], [100], [700], [20, 236], [1, 0]]);
    expect(answers).toEqual(sizes.map((size, at) => [at, size]));
    expect(await lendInTurns(storage, [], () => Promise.reject(new Error('asked')))).toEqual([]);
  });
});
