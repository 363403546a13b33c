import { createHash, randomBytes } from 'node:crypto';
import { rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceChanged } from '../../src/study/errors.ts';
import { packageType } from '../../src/study/multipart.ts';
import {
  boundaryFor,
  type Plan,
  type PlannedFile,
  type PlannedReport,
  planFile,
  planPackage,
} from '../../src/study/sending.ts';
import { digestOf, fuzz, temporaryFolder, walkThrough } from './support.ts';

const folder = await temporaryFolder();
let names = 0;

async function fileOf(bytes: number, uid: string): Promise<PlannedFile & { readonly data: Buffer }> {
  const path = join(folder, `${(names++).toString()}.dcm`);
  const data = randomBytes(bytes);
  await writeFile(path, data);
  return { path, bytes, sopInstanceUid: uid, data };
}

async function reportOf(
  bytes: number,
  mediaType: PlannedReport['mediaType'],
): Promise<PlannedReport & { readonly data: Buffer }> {
  const { path, data } = await fileOf(bytes, '');
  return { path, bytes, sha256: digestOf(data), mediaType, data };
}

async function take(plan: Plan, start = 0, end = plan.bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of plan.read(start, end)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const boundary = boundaryFor(createHash('sha256').update('these files').digest());
const files = [
  await fileOf(700_000, '1.2.3'),
  await fileOf(0, '1.2.1'),
  await fileOf(10, '1.2.2'),
  await fileOf(300_000, '1.2'),
];

describe('a plan to send files', () => {
  it('is a package that the walk understands, each file in it byte for byte', async () => {
    const plan = planPackage(files, boundary);
    const whole = await take(plan);
    expect(whole.byteLength).toBe(plan.bytes);
    const { parts, last } = await walkThrough(whole, packageType(boundary), [1, 5000, 400_000]);
    expect(last.state).toBe('done');
    const sorted = [files[3], files[1], files[2], files[0]].map((file) =>
      digestOf(file?.data ?? new Uint8Array(1)),
    );
    expect(parts.map(({ start, bytes }) => digestOf(whole.subarray(start, start + bytes)))).toEqual(sorted);
    expect(parts.map((_, index) => plan.offsetOf(index))).toEqual(parts.map(({ start }) => start));
  });

  it('writes the headers by the letter of the agreement', async () => {
    const whole = await take(planPackage(files.slice(2, 3), 'B'));
    const head = '--B\r\nContent-Type: application/dicom\r\nContent-Length: 10\r\n\r\n';
    expect(whole.toString('latin1')).toBe(`${head}${files[2]?.data.toString('latin1') ?? ''}\r\n--B--\r\n`);
  });

  it('is the same bytes in whatever order the files are listed', async () => {
    const digest = async (list: readonly PlannedFile[]): Promise<string> =>
      createHash('sha256')
        .update(await take(planPackage(list, boundary)))
        .digest('hex');
    expect(await digest([...files].reverse())).toBe(await digest(files));
  });

  it('has reports behind the instances, each with its own type, and does not care where they lie', async () => {
    const reports = [
      await reportOf(400_000, 'application/pdf'),
      await reportOf(20, 'text/xml'),
      await reportOf(30, 'text/plain'),
    ];
    const whole = await take(planPackage([...reports, ...files], boundary));
    const { parts } = await walkThrough(whole, packageType(boundary), [1000]);
    const sorted = reports.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    expect(parts.map(({ contentType }) => contentType)).toEqual([
      ...files.map(() => 'application/dicom'),
      ...sorted.map(({ mediaType }) => mediaType),
    ]);
    expect(
      parts.slice(files.length).map(({ start, bytes }) => digestOf(whole.subarray(start, start + bytes))),
    ).toEqual(sorted.map(({ sha256 }) => sha256));

    const moved = await Promise.all(
      sorted.map(async (report, index) => {
        const path = join(folder, `moved-${(9 - index).toString()}`);
        await writeFile(path, report.data);
        return { ...report, path };
      }),
    );
    expect((await take(planPackage([...files, ...moved], boundary))).equals(whole)).toBe(true);
  });

  it('goes on at any byte', async () => {
    const plan = planPackage(files, boundary);
    const whole = await take(plan);
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(share, share, async (a, b) => {
        const [start = 0, end = 0] = [a, b]
          .map((part) => Math.floor(part * plan.bytes))
          .sort((x, y) => x - y);
        expect((await take(plan, start, end)).equals(whole.subarray(start, end))).toBe(true);
      }),
      fuzz,
    );
  });

  it('hands out chunks that stay as they are, since a socket may keep them', async () => {
    const kept: { chunk: Uint8Array; copy: Buffer }[] = [];
    for await (const chunk of planPackage(files, boundary).read(0, 900_000)) {
      kept.push({ chunk, copy: Buffer.from(chunk) });
    }
    expect(kept.every(({ chunk, copy }) => copy.equals(chunk))).toBe(true);
    expect(Math.max(...kept.map(({ chunk }) => chunk.byteLength))).toBeLessThanOrEqual(256 * 1024);
  });

  it('refuses ranges and boundaries that are none', async () => {
    const plan = planPackage(files, boundary);
    await expect(take(plan, 0, plan.bytes + 1)).rejects.toThrow(RangeError);
    await expect(take(plan, 5, 4)).rejects.toThrow(RangeError);
    expect(() => planPackage(files, 'no\r\nboundary')).toThrow(RangeError);
    expect(() => planPackage([{ path: 'x', bytes: -1, sopInstanceUid: '1' }], 'B')).toThrow(RangeError);
  });
});

describe('a plan to send one file as it is', () => {
  it('is its bytes, from any of them on', async () => {
    const { data, ...file } = await fileOf(600_000, '');
    const plan = planFile(file);
    expect(plan.bytes).toBe(600_000);
    for (const [start, end] of [
      [0, 600_000],
      [1, 2],
      [300_000, 600_000],
      [600_000, 600_000],
    ] as const) {
      expect((await take(plan, start, end)).equals(data.subarray(start, end))).toBe(true);
    }
    await expect(take(plan, 0, 600_001)).rejects.toThrow(RangeError);
  });

  it('stops when the file changes', async () => {
    const file = await fileOf(1000, '');
    const { mtimeMs } = await stat(file.path);
    await utimes(file.path, 1, 1);
    await expect(take(planFile({ ...file, mtimeMs }))).rejects.toBeInstanceOf(SourceChanged);
  });
});

describe('a file that changes under a plan', () => {
  it.each<[string, (file: PlannedFile) => Promise<void>]>([
    ['grew', (file) => writeFile(file.path, randomBytes(file.bytes + 1))],
    ['shrank', (file) => writeFile(file.path, randomBytes(file.bytes - 1))],
    ['is gone', (file) => rm(file.path)],
    ['was written again', (file) => utimes(file.path, 1, 1)],
  ])('stops the upload when it %s between two reads', async (_, change) => {
    const file = await fileOf(1000, '1.2');
    const plan = planPackage([file], boundary);
    await take(plan);
    await change(file);
    await expect(take(plan)).rejects.toBeInstanceOf(SourceChanged);
  });

  it('is noticed by the time it had when it was inspected', async () => {
    const file = await fileOf(1000, '1.2');
    const { mtimeMs } = await stat(file.path);
    await take(planPackage([{ ...file, mtimeMs }], boundary));
    await expect(take(planPackage([{ ...file, mtimeMs: mtimeMs - 1 }], boundary))).rejects.toBeInstanceOf(
      SourceChanged,
    );
  });

  it('is noticed while it is read, before the chunk is handed out', async () => {
    const file = await fileOf(1_000_000, '1.2');
    const reading = planPackage([file], boundary).read(0, 1_000_000)[Symbol.asyncIterator]();
    await reading.next();
    await utimes(file.path, 1, 1);
    await expect(reading.next()).rejects.toMatchObject({
      code: 'SLUIS_STUDY_SOURCE_CHANGED',
      remedy: 'fix-request',
      path: file.path,
    });
  });
});

describe('a boundary', () => {
  it('follows from the digest alone and is one', () => {
    const digest = createHash('sha256').update('a').digest();
    expect(boundaryFor(digest)).toBe(boundaryFor(new Uint8Array(digest)));
    expect(boundaryFor(digest)).toMatch(/^sluis-[0-9a-f]{40}$/);
    expect(boundaryFor(createHash('sha256').update('b').digest())).not.toBe(boundaryFor(digest));
  });
});
