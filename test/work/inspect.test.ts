import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { identify } from '../../src/dicom/identity.ts';
import { scan } from '../../src/dicom/scan.ts';
import type { FileRange } from '../../src/storage/storage.ts';
import { isDeflated } from '../../src/work/jobs.ts';
import { ct, dataset, part10 } from '../dicom/builder.ts';
import { generateStudy } from '../support/study/study.ts';
import { poolOf, temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const pool = await poolOf({ workers: 2 });
const small = [...generateStudy({ modality: 'CT', instances: 90, bytesPerInstance: 20_000, seed: 1 })];
const MIB = 1024 * 1024;

let names = 0;
async function fileOf(...parts: readonly Uint8Array[]): Promise<FileRange> {
  const path = join(folder, (names++).toString());
  const bytes = Buffer.concat(parts);
  await writeFile(path, bytes);
  return { path, start: 0, bytes: bytes.byteLength };
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

describe('an inspection', () => {
  it('finds in a worker what scan, identify and a hash find here, in the order of the jobs', async () => {
    // All instances in one object, as an upload leaves them.
    const object = await fileOf(...small.map(({ bytes }) => bytes));
    let start = 0;
    const jobs = small.map(({ bytes: { byteLength } }) => {
      const range = { path: object.path, start, bytes: byteLength };
      start += byteLength;
      return { ranges: [range] };
    });
    const found = await pool.inspect(jobs);
    expect(found).toHaveLength(small.length);
    for (const [index, { bytes }] of small.entries()) {
      const expected = scan(bytes, bytes.byteLength);
      if ('need' in expected) throw new Error('the whole instance is there');
      const { sha256, ...rest } = found[index] ?? { sha256: undefined };
      expect(rest).toEqual({ scan: expected, identity: identify(bytes, expected), crc32: crc32(bytes) });
      expect(hex(sha256)).toBe(digestOf(bytes));
    }
  });

  it('reads an instance whose bytes lie in several places', async () => {
    const [bytes = new Uint8Array()] = small.map((instance) => instance.bytes);
    const cuts = [0, 1, 130, 9000, bytes.byteLength];
    const ranges = await Promise.all(
      cuts.slice(1).map((cut, index) => fileOf(bytes.subarray(cuts[index], cut))),
    );
    const [found] = await pool.inspect([{ ranges }]);
    expect(found?.error).toBeUndefined();
    expect(hex(found?.sha256)).toBe(digestOf(bytes));
  });

  it('reads a head that is longer than any buffer, and the rest behind it', async () => {
    const [{ bytes } = { bytes: new Uint8Array() }] = small;
    const head = scan(bytes, bytes.byteLength);
    if ('need' in head) throw new Error('the whole instance is there');
    // A private block of 1 MiB between group 0008 and 0010: (0009,0010) LO creator, (0009,1001) OB.
    const creator = Buffer.from('\x09\x00\x10\x00LO\x04\x00TEST', 'latin1');
    const block = Buffer.alloc(12 + MIB, 1);
    block.write('\x09\x00\x01\x10OB\0\0', 'latin1');
    block.writeUInt32LE(MIB, 8);
    const at = Buffer.from(bytes).indexOf(Buffer.from('\x10\x00\x10\x00PN', 'latin1'), head.datasetAt);
    const own = Buffer.from(bytes).indexOf(Buffer.from('\x09\x00\x10\x00LO', 'latin1'), head.datasetAt);
    const from = own < 0 || own > at ? at : own;
    const whole = Buffer.concat([bytes.subarray(0, from), creator, block, bytes.subarray(at)]);
    const [found] = await pool.inspect([{ ranges: [await fileOf(whole)] }]);
    expect(found?.error).toBeUndefined();
    expect(found?.scan?.scannedTo).toBeGreaterThan(MIB);
    expect(found?.identity).toEqual(identify(bytes, head));
    expect(hex(found?.sha256)).toBe(digestOf(whole));
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array, string, boolean]>([
    ['text', () => Buffer.from('Geachte collega, hierbij de beelden.'), 'NOT_DICOM', false],
    ['nothing', () => new Uint8Array(0), 'NOT_DICOM', false],
    ['an instance that ends in its head', (bytes) => bytes.subarray(0, 400), 'TRUNCATED', false],
    ['an instance that ends in its pixels', (bytes) => bytes.subarray(0, -100), 'TRUNCATED', true],
  ])('says what is wrong with %s, and hashes it all the same', async (_, change, code, scanned) => {
    const bytes = change(small[1]?.bytes ?? new Uint8Array());
    const [found] = await pool.inspect([{ ranges: [await fileOf(bytes)] }]);
    expect(found?.error?.code).toBe(code);
    expect(found?.error?.reason).toMatch(/\w/);
    expect(found?.crc32).toBe(crc32(bytes));
    expect(found && isDeflated(found)).toBe(false);
    expect([found?.scan !== undefined, found?.identity !== undefined]).toEqual([scanned, scanned]);
    expect(hex(found?.sha256)).toBe(digestOf(bytes));
  });

  it.each([
    ['1.2.840.10008.1.2.1.99', true],
    ['1.2.840.10008.1.2.4.95', true],
    ['1.2.840.10008.1.2.4.205', true],
    ['1.2.840.10008.1.2.1.97', false],
  ])(
    'tells a dataset that is only to be inflated from one in a syntax nobody knows: %s',
    async (syntax, deflated) => {
      const bytes = Buffer.concat([
        part10([], 'explicit-le', syntax),
        deflateRawSync(dataset(ct(), 'explicit-le')),
      ]);
      const [found] = await pool.inspect([{ ranges: [await fileOf(bytes)] }]);
      expect(found?.error).toMatchObject({ code: 'SYNTAX_UNSUPPORTED', tag: '0002,0010' });
      expect(found && isDeflated(found)).toBe(deflated);
      expect(hex(found?.sha256)).toBe(digestOf(bytes));
    },
  );

  it('of one bad instance leaves the others of its batch alone', async () => {
    const jobs = [];
    for (const bytes of [small[0]?.bytes, Buffer.alloc(5000, 255), small[2]?.bytes]) {
      jobs.push({ ranges: [await fileOf(bytes ?? new Uint8Array())] });
    }
    const found = await pool.inspect(jobs);
    expect(found.map(({ error }) => error?.code)).toEqual([undefined, 'NOT_DICOM', undefined]);
  });

  it('of no jobs is no work', async () => {
    expect(await pool.inspect([])).toEqual([]);
  });

  it('names bytes that are not there, and the pool goes on', async () => {
    const good = await fileOf(small[0]?.bytes ?? new Uint8Array());
    const short = { ...good, bytes: good.bytes + 1 };
    const gone = { ...good, path: join(folder, 'gone') };
    for (const range of [short, gone]) {
      await expect(pool.inspect([{ ranges: [range] }])).rejects.toMatchObject({
        code: 'SLUIS_STORAGE_DAMAGED',
        remedy: 'give-up',
      });
    }
    expect((await pool.inspect([{ ranges: [good] }]))[0]?.error).toBeUndefined();
  });
});

describe('a large instance', async () => {
  const [{ bytes: large } = { bytes: new Uint8Array() }] = generateStudy({
    modality: 'MR',
    instances: 1,
    bytesPerInstance: 70 * MIB,
    seed: 2,
  });
  const range = await fileOf(large);

  it('is a chain that finds the same, fed as its bytes come', async () => {
    const chain = pool.inspectChain(large.byteLength);
    expect(pool.metrics.chains).toBe(1);
    const feeds: Promise<void>[] = [];
    // Not awaited in between: the chain keeps the order itself.
    for (const [start, end] of [
      [0, 100],
      [100, 40 * MIB],
      [40 * MIB, large.byteLength],
    ] as const) {
      feeds.push(chain.feed([{ path: range.path, start, bytes: end - start }]));
    }
    await Promise.all(feeds);
    const found = await chain.finish();
    expect(pool.metrics.chains).toBe(0);
    expect(hex(found.sha256)).toBe(digestOf(large));
    expect(found.error).toBeUndefined();
    expect([found, { ...found, sha256: found.sha256 }]).toEqual([
      (await pool.inspect([{ ranges: [range] }]))[0],
      found,
    ]);
  });

  it('does not make small ones wait for its end', async () => {
    const one = await poolOf({ workers: 1 });
    const chain = one.inspectChain(large.byteLength);
    let finished = false;
    const long = chain.feed([range]).then(() => {
      finished = true;
    });
    await one.inspect([{ ranges: [await fileOf(small[0]?.bytes ?? new Uint8Array())] }]);
    expect(finished).toBe(false);
    await long;
    chain.drop();
    expect(one.metrics.chains).toBe(0);
  });

  it('cannot be finished before all its bytes were fed', async () => {
    const chain = pool.inspectChain(large.byteLength);
    await chain.feed([{ ...range, bytes: 1000 }]);
    await expect(chain.finish()).rejects.toMatchObject({
      code: 'SLUIS_WORK_FAILED',
      facts: { cause: 'RangeError' },
    });
    expect(pool.metrics.chains).toBe(0);
  });
});
