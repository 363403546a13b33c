import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type InflateJob, type InflateResult, isDeflated } from '../../src/work/jobs.ts';
import { ct, part10 } from '../dicom/builder.ts';
import { deflatedFile } from './deflated-files.ts';
import { poolOf, Scratch, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const folder = await temporaryFolder();
const pool = await poolOf({ workers: 2 });

const scratch = new Scratch(folder);

/** What an archive says of an entry with this content. */
const saidOf = (content: Uint8Array) => ({ crc32: crc32(content), bytes: content.byteLength });

async function unpacked(data: Uint8Array, limits: Partial<InflateJob> = {}): Promise<InflateResult> {
  const ranges = [await scratch.fileOf(data)];
  return pool.inflate({
    of: 'entry',
    ranges,
    into: scratch.into,
    bytesMax: 1024 * MIB,
    ratioMax: 200,
    ...limits,
  });
}

const pixels = { tag: 0x7fe00010, vr: 'OW', value: randomBytes(300_000) };
const instance = part10(ct([pixels]), 'explicit-le');

describe('the data of a ZIP entry', () => {
  it.each<[string, Buffer]>([
    ['an instance', instance],
    ['a report', Buffer.from('%PDF-1.7 Verslag')],
    ['nothing', Buffer.alloc(0)],
    ['20 MiB', Buffer.concat([instance, Buffer.alloc(20 * MIB)])],
  ])('is written out inflated, and inspected as what it is then: %s', async (_, content) => {
    const result = await unpacked(deflateRawSync(content), saidOf(content));
    const [inspection] = await pool.inspect([{ ranges: [await scratch.fileOf(content)] }]);
    expect(result).toEqual({ inspection, bytes: content.byteLength });
    expect((await readFile(scratch.into)).equals(content)).toBe(true);
    expect((await stat(scratch.into)).mode & 0o777).toBe(0o600);
  });

  it('may be an instance that is deflated itself, which is inflated next', async () => {
    const { bytes, inflated } = deflatedFile(ct([pixels]));
    const entry = await unpacked(deflateRawSync(bytes), saidOf(bytes));
    expect(isDeflated(entry.inspection)).toBe(true);
    const target = join(folder, 'second');
    await writeFile(target, '');
    const ranges = [{ path: scratch.into, start: 0, bytes: entry.bytes }];
    const limits = { bytesMax: 1024 * MIB, ratioMax: 200 };
    const dataset = await pool.inflate({ of: 'dataset', ranges, into: target, ...limits });
    expect(dataset.inspection.error).toBeUndefined();
    expect(dataset.inflated?.bytes).toBe(inflated.byteLength);
  });

  it('is taken without a word of its archive too', async () => {
    expect(await unpacked(deflateRawSync(instance))).toMatchObject({ bytes: instance.byteLength });
  });

  const data = deflateRawSync(instance);
  it.each<[string, Uint8Array, Partial<InflateJob>, string]>([
    ['has another CRC', data, { ...saidOf(instance), crc32: 1 }, 'MALFORMED'],
    ['is longer than was said', data, { ...saidOf(instance), bytes: instance.byteLength - 1 }, 'MALFORMED'],
    ['is shorter than was said', data, { ...saidOf(instance), bytes: instance.byteLength + 1 }, 'MALFORMED'],
    ['ends too early', data.subarray(0, -10), saidOf(instance), 'TRUNCATED'],
    ['is not there', data.subarray(0, 0), saidOf(instance), 'TRUNCATED'],
    ['is noise', Buffer.alloc(500, 0xff), saidOf(instance), 'MALFORMED'],
    ['has noise behind it', Buffer.concat([data, Buffer.alloc(99, 7)]), saidOf(instance), 'MALFORMED'],
    ['is a bomb by its bytes', data, { bytesMax: 100_000 }, 'INFLATED_TOO_LARGE'],
    [
      'is a bomb by its ratio',
      deflateRawSync(Buffer.alloc(40 * MIB)),
      { ratioMax: 200 },
      'INFLATED_TOO_LARGE',
    ],
  ])('leaves nothing behind when it %s', async (_, bytes, limits, code) => {
    const result = await unpacked(bytes, limits);
    expect(result).toMatchObject({ bytes: 0, inspection: { scan: undefined, identity: undefined } });
    expect(result.inspection.error).toMatchObject({ code, tag: '' });
    expect(result.inspection.error?.reason).toMatch(/\w/);
    expect((await stat(scratch.into)).size).toBe(0);
    // Nothing else there is to name it by.
    const { sha256 } = result.inspection;
    expect(Buffer.from(sha256).equals(createHash('sha256').update(bytes).digest())).toBe(true);
    expect(result.inspection.crc32).toBe(crc32(bytes));
  });
});

describe('a job that inflates', () => {
  const data = deflateRawSync(instance);

  it.each<[string, () => Promise<Partial<InflateJob>>, string, string]>([
    [
      'a file to write that is not there',
      async () => ({ into: join(folder, 'gone') }),
      'SLUIS_STORAGE_DAMAGED',
      'give-up',
    ],
    [
      'bytes to read that are not there',
      async () => ({ ranges: [{ ...(await scratch.fileOf(data)), bytes: data.byteLength + 1 }] }),
      'SLUIS_STORAGE_DAMAGED',
      'give-up',
    ],
    ['a disk that is full', async () => ({ into: '/dev/full' }), 'SLUIS_STORAGE_FULL', 'retry'],
    ['a folder in the place of a file', async () => ({ into: folder }), 'SLUIS_WORK_FAILED', 'retry'],
  ])('rejects for %s, and the next one goes on', async (_, limits, code, remedy) => {
    await expect(unpacked(data, await limits())).rejects.toMatchObject({ code, remedy });
    expect(await unpacked(data, saidOf(instance))).toMatchObject({ bytes: instance.byteLength });
  });

  it('leaves nothing of a dataset for which the disk had no room', async () => {
    const ranges = [await scratch.fileOf(deflatedFile(ct([pixels])).bytes)];
    const job = { of: 'dataset', ranges, into: '/dev/full', bytesMax: MIB, ratioMax: 200 } as const;
    await expect(pool.inflate(job)).rejects.toMatchObject({ code: 'SLUIS_STORAGE_FULL' });
  });

  it('is many at a time, each with its own result', async () => {
    const contents = Array.from({ length: 40 }, (_, n) => randomBytes(1000 * n));
    const results = await Promise.all(
      contents.map(async (content, n) => {
        const own = join(folder, `many-${n.toString()}`);
        await writeFile(own, '');
        return unpacked(deflateRawSync(content), { ...saidOf(content), into: own });
      }),
    );
    expect(results.map(({ bytes }) => bytes)).toEqual(contents.map(({ byteLength }) => byteLength));
    expect(results.map(({ inspection }) => inspection.crc32)).toEqual(
      contents.map((content) => crc32(content)),
    );
  });

  it('is taken out of the queue when its signal is aborted, and cut when the pool stops', async () => {
    const one = await poolOf({ workers: 1 });
    const stop = new AbortController();
    const zeros = await scratch.fileOf(deflateRawSync(Buffer.alloc(100 * MIB)));
    const long = {
      of: 'entry',
      ranges: [zeros],
      into: scratch.into,
      bytesMax: 1024 * MIB,
      ratioMax: 10_000,
    } as const;
    const running = one.inflate(long);
    const waiting = one.inflate({ ...long, into: '/dev/null' }, stop.signal);
    const settling = Promise.allSettled([running, waiting]);
    stop.abort(new Error('nobody wants it'));
    await expect(waiting).rejects.toThrow('nobody wants it');
    expect(one.metrics).toMatchObject({ queued: 0, running: 1 });
    await one.stop(AbortSignal.abort());
    expect((await settling)[0]).toMatchObject({ reason: { code: 'SLUIS_WORK_WORKER_LOST' } });
  });

  it('holds up no inspection, and no chain', async () => {
    const one = await poolOf({ workers: 1 });
    const zeros = await scratch.fileOf(deflateRawSync(Buffer.alloc(200 * MIB)));
    let over = false;
    const inflating = one
      .inflate({ of: 'entry', ranges: [zeros], into: scratch.into, bytesMax: 1024 * MIB, ratioMax: 10_000 })
      .then(() => (over = true));
    const file = await scratch.fileOf(instance);
    await one.inspect([{ ranges: [file] }]);
    const chain = one.inspectChain(file.bytes);
    await chain.feed([file]);
    await chain.finish();
    expect(over).toBe(false);
    await inflating;
  });
});
