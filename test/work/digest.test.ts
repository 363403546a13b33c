import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../src/dicom/edit.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import type { FileRange } from '../../src/storage/storage.ts';
import { composeInstance } from '../../src/study/composing.ts';
import type { Digest, DigestJob } from '../../src/work/jobs.ts';
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

function jobOf(ranges: readonly FileRange[], edits: readonly Edit[]): DigestJob {
  const bytes = ranges.reduce((sum, range) => sum + range.bytes, 0);
  const segments = composeInstance({ extents: ranges, bytes, inflated: null, datasetAt: 0 }, edits);
  return {
    pieces: segments.flatMap<FileRange | Uint8Array>((segment) =>
      segment.from === 'insert' ? [segment.insert] : segment.extents,
    ),
  };
}

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
    expect(await pool.digest([jobOf(ranges, edits)])).toEqual([expectedOf(applyEdits(bytes, edits))]);
  });

  it('come in the order of the jobs, small and large among each other', async () => {
    const large = randomBytes(70 * MIB);
    const edits = [{ at: 50 * MIB, remove: 1, insert }];
    const small = Array.from({ length: 150 }, () => randomBytes(1000));
    const list = [...small.slice(0, 70), large, ...small.slice(70)];
    const jobs: DigestJob[] = [];
    for (const bytes of list) jobs.push(jobOf([await fileOf(bytes)], bytes === large ? edits : []));
    const digests = await pool.digest(jobs);
    const expected = list.map((bytes) => expectedOf(bytes === large ? applyEdits(bytes, edits) : bytes));
    expect(digests).toEqual(expected);
  });

  it('take along nothing but the inserted bytes, whatever buffer those lie in', async () => {
    const pooled = Buffer.concat([Buffer.alloc(50), insert]).subarray(50);
    const range = await fileOf(randomBytes(10));
    const edits = [{ at: 3, remove: 0, insert: pooled }];
    const [digest] = await pool.digest([jobOf([range], edits)]);
    expect(digest?.bytes).toBe(19);
  });

  it('have a CRC-32 that can be had alone, of many places at once and in their order', async () => {
    const parts = [randomBytes(9 * MIB), randomBytes(300_000), randomBytes(70 * MIB), new Uint8Array()];
    const jobs = await Promise.all(
      parts.map(async (bytes) => ({
        ranges: [await fileOf(bytes.subarray(0, 5_000)), await fileOf(bytes.subarray(5_000))],
      })),
    );
    const found = await pool.checksum(jobs);
    expect(found.map((one) => one.crc32)).toEqual(parts.map((bytes) => crc32(bytes)));
  });
});
