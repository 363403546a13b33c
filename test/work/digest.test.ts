import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../src/dicom/edit.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import type { FileRange } from '../../src/storage/storage.ts';
import type { Digest } from '../../src/work/jobs.ts';
import { poolOf, temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const pool = await poolOf({ workers: 2 });
const MIB = 1024 * 1024;

let names = 0;
async function fileOf(bytes: Uint8Array): Promise<FileRange> {
  const path = join(folder, (names++).toString());
  await writeFile(path, bytes);
  return { path, start: 0, bytes: bytes.byteLength };
}

function expectedOf(bytes: Uint8Array): Digest {
  const sha256 = new Uint8Array(createHash('sha256').update(bytes).digest());
  return { sha256, crc32: crc32(bytes), bytes: bytes.byteLength };
}

const insert = Buffer.from('999990019');

describe('the digests of what a receiver gets', () => {
  it.each<[string, Edit[]]>([
    ['as it is stored', []],
    ['with bytes at its beginning', [{ at: 0, remove: 0, insert }]],
    ['with bytes at its end', [{ at: 300_000, remove: 0, insert }]],
    [
      'with bytes for others, across two places',
      [
        { at: 99_990, remove: 20, insert },
        { at: 200_000, remove: 4, insert },
      ],
    ],
    ['with bytes gone', [{ at: 5, remove: 150_000, insert: new Uint8Array(0) }]],
    ['with all of it gone', [{ at: 0, remove: 300_000, insert: new Uint8Array(0) }]],
  ])('are those of the patched bytes: an instance %s', async (_, edits) => {
    const bytes = randomBytes(300_000);
    const ranges = [await fileOf(bytes.subarray(0, 100_000)), await fileOf(bytes.subarray(100_000))];
    expect(await pool.digest([{ ranges, edits }])).toEqual([expectedOf(applyEdits(bytes, edits))]);
  });

  it('come in the order of the jobs, small and large among each other', async () => {
    const large = randomBytes(70 * MIB);
    const edits = [{ at: 50 * MIB, remove: 1, insert }];
    const small = Array.from({ length: 150 }, () => randomBytes(1000));
    const list = [...small.slice(0, 70), large, ...small.slice(70)];
    const jobs = [];
    for (const bytes of list)
      jobs.push({ ranges: [await fileOf(bytes)], edits: bytes === large ? edits : [] });
    const digests = await pool.digest(jobs);
    const expected = list.map((bytes) => expectedOf(bytes === large ? applyEdits(bytes, edits) : bytes));
    expect(digests).toEqual(expected);
  });

  it.each<[string, Edit[]]>([
    [
      'overlap',
      [
        { at: 5, remove: 5, insert },
        { at: 9, remove: 0, insert },
      ],
    ],
    ['reach behind the end', [{ at: 9, remove: 2, insert }]],
  ])('are refused for edits that %s', async (_, edits) => {
    const range = await fileOf(randomBytes(10));
    await expect(pool.digest([{ ranges: [range], edits }])).rejects.toThrow(RangeError);
  });

  it('take along nothing but the inserted bytes, whatever buffer those lie in', async () => {
    const pooled = Buffer.concat([Buffer.alloc(50), insert]).subarray(50);
    const range = await fileOf(randomBytes(10));
    const edits = [{ at: 3, remove: 0, insert: pooled }];
    const [digest] = await pool.digest([{ ranges: [range], edits }]);
    expect(digest?.bytes).toBe(19);
  });
});
