import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import yauzl from 'yauzl';
import { type ZipEntries, ZipLayout } from '../../src/study/zip-layout.ts';
import { fuzz, temporaryFolder } from './support.ts';

const at = Date.UTC(2026, 10, 24, 9, 30, 15);
const folder = await temporaryFolder();
const GiB = 1024 ** 3;

interface Content {
  readonly name: string;
  readonly data: Uint8Array;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly crc32: number;
}

const entriesOf = (entryOf: (index: number) => Entry): ZipEntries => ({
  nameOf: (index) => entryOf(index).name,
  nameBytesOf: (index) => entryOf(index).name.length,
  bytesOf: (index) => entryOf(index).bytes,
  crc32Of: (index) => entryOf(index).crc32,
});

function layoutOf(contents: readonly Content[]): ZipLayout {
  const entryOf = (index: number): Entry => {
    const { name, data } = contents[index] as Content;
    return { name, bytes: data.byteLength, crc32: crc32(data) };
  };
  return new ZipLayout(contents.length, entriesOf(entryOf), at);
}

/** The bytes [start, end), with what `dataOf` says for data. */
function bytesOf(
  layout: ZipLayout,
  start: number,
  end: number,
  dataOf: (index: number, from: number, to: number) => Uint8Array,
): Buffer {
  const chunks: Uint8Array[] = [];
  for (const { of, index, from, to, frame } of layout.runs(start, end)) {
    chunks.push(of === 'data' ? dataOf(index, from, to) : Buffer.from(frame.slice(from, to), 'latin1'));
  }
  return Buffer.concat(chunks);
}

function archiveOf(contents: readonly Content[]): Buffer {
  const layout = layoutOf(contents);
  return bytesOf(layout, 0, layout.total, (index, from, to) =>
    (contents[index] as Content).data.subarray(from, to),
  );
}

interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly headerAt: number;
  readonly crc32: number;
  readonly data: Buffer | undefined;
}

/** What yauzl finds: from the end, as every reader of ZIP does. */
async function listed(zip: yauzl.ZipFile, withData: boolean): Promise<Listed[]> {
  const entries: Listed[] = [];
  for await (const entry of zip.eachEntry()) {
    let data: Buffer | undefined;
    if (withData) {
      const chunks: Buffer[] = [];
      for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
      data = Buffer.concat(chunks);
    }
    entries.push({
      name: entry.fileName,
      bytes: entry.uncompressedSize,
      headerAt: entry.relativeOffsetOfLocalHeader,
      crc32: entry.crc32,
      data,
    });
  }
  return entries;
}

/** An archive that nobody could hold: its data is zeros wherever somebody reads. */
class Imagined extends yauzl.RandomAccessReader {
  readonly #layout: ZipLayout;

  constructor(layout: ZipLayout) {
    super();
    this.#layout = layout;
  }

  override _readStreamForRange(start: number, end: number): PassThrough {
    const stream = new PassThrough();
    stream.end(bytesOf(this.#layout, start, end, (_, from, to) => new Uint8Array(to - from)));
    return stream;
  }
}

/** Whether a program is here; a test with one that is not proves nothing and is left out. */
const has = (program: string): boolean => spawnSync(program, ['--help']).error === undefined;

const study: readonly Content[] = [
  { name: 'DICOM/ST000001/SE000001/IM000001.dcm', data: randomBytes(70_000) },
  { name: 'DICOM/ST000001/SE000002/IM000001.dcm', data: randomBytes(1) },
  { name: 'DICOM/ST000002/SE000001/IM000001.dcm', data: new Uint8Array(0) },
  { name: 'reports/1.pdf', data: Buffer.from('%PDF-1.7\n') },
];

describe('a ZIP archive', () => {
  it('is read by others with every entry as it is', async () => {
    const zip = await yauzl.fromBufferPromise(archiveOf(study), { validateEntrySizes: true });
    const found = await listed(zip, true);
    expect(found.map(({ name }) => name)).toEqual(study.map(({ name }) => name));
    for (const [index, { data, crc32: crc }] of found.entries()) {
      expect(Buffer.compare(data ?? Buffer.alloc(0), study[index]?.data ?? Buffer.alloc(0))).toBe(0);
      expect(crc).toBe(crc32(study[index]?.data ?? Buffer.alloc(0)));
    }
  });

  it.runIf(has('unzip'))('is read by unzip, which gives the files to their owner alone', () => {
    const path = join(folder, 'study.zip');
    writeFileSync(path, archiveOf(study));
    expect(execFileSync('unzip', ['-t', path], { encoding: 'utf8' })).toContain('No errors detected');
    const list = execFileSync('unzip', ['-Z', '-l', '-T', path], { encoding: 'utf8', env: { TZ: 'UTC' } });
    expect(list.match(/^-rw-------.* 20261124\.093014 /gm)).toHaveLength(study.length);
  });

  it.runIf(has('python3'))('is read by Python, which finds nothing wrong with it', () => {
    const path = join(folder, 'study-for-python.zip');
    writeFileSync(path, archiveOf(study));
    const check = `import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))`;
    expect(execFileSync('python3', ['-c', check, path], { encoding: 'utf8' }).trim()).toBe('None 4');
  });

  it('is an archive too when nothing is in it', async () => {
    const zip = await yauzl.fromBufferPromise(archiveOf([]));
    expect(await listed(zip, false)).toEqual([]);
  });

  it('is in any range what it is as a whole, the data where it says', () => {
    const content = fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9/.]{1,40}$/),
      data: fc.uint8Array({ maxLength: 300 }),
    });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(content, { maxLength: 8 }), share, share, (contents, a, b) => {
        const layout = layoutOf(contents);
        const whole = archiveOf(contents);
        expect(whole.byteLength).toBe(layout.total);
        const [start = 0, end = 0] = [a, b]
          .map((part) => Math.floor(part * layout.total))
          .sort((x, y) => x - y);
        const part = bytesOf(layout, start, end, (index, from, to) =>
          (contents[index] as Content).data.subarray(from, to),
        );
        expect(part.equals(whole.subarray(start, end))).toBe(true);
        for (const [index, { data }] of contents.entries()) {
          const from = layout.dataAt(index);
          expect(whole.subarray(from, from + data.byteLength).equals(data)).toBe(true);
        }
      }),
      fuzz,
    );
  });

  it('says the same at any time: its date is the one it was given, in UTC', () => {
    expect(archiveOf(study).equals(archiveOf(study))).toBe(true);
    for (const outside of [Date.UTC(1970, 0, 1), Date.UTC(2300, 0, 1)]) {
      const layout = new ZipLayout(
        1,
        entriesOf(() => ({ name: 'a', bytes: 0, crc32: 0 })),
        outside,
      );
      const header = bytesOf(layout, 0, layout.dataAt(0), () => new Uint8Array(0));
      expect((header.readUInt16LE(12) >> 9) + 1980).toBe(outside < at ? 1980 : 2107);
    }
  });

  it('is plain ZIP as long as that can say it', () => {
    const whole = archiveOf(study);
    expect(whole.readUInt32LE(whole.byteLength - 22)).toBe(0x06054b50);
    expect(whole.includes(Buffer.from([0x50, 0x4b, 6, 6]))).toBe(false);
    expect(whole.readUInt16LE(4)).toBe(20);
  });

  it('is ZIP64 where an entry, the archive or the number of entries is too large for ZIP', async () => {
    const sizes = [5 * GiB, 0xffff_ffff, 0xffff_fffe, 10, 6 * GiB, 3];
    const entry = (index: number): Entry => ({
      name: `DICOM/ST000001/SE000001/IM00000${index.toString()}.dcm`,
      bytes: sizes[index] ?? 0,
      crc32: index + 1,
    });
    const layout = new ZipLayout(sizes.length, entriesOf(entry), at);
    const zip = await yauzl.fromRandomAccessReaderPromise(new Imagined(layout), layout.total, {
      autoClose: false,
    });
    const found = await listed(zip, false);
    expect(found.map(({ bytes }) => bytes)).toEqual(sizes);
    expect(found.map(({ name }) => name)).toEqual(sizes.map((_, index) => entry(index).name));
    for (const [index, { headerAt, bytes, crc32: crc }] of found.entries()) {
      const header = bytesOf(layout, headerAt, layout.dataAt(index), () => new Uint8Array(0));
      expect(header.readUInt32LE(0)).toBe(0x04034b50);
      expect(header.readUInt32LE(14)).toBe(crc);
      const isLarge = bytes >= 0xffff_ffff;
      expect(header.readUInt32LE(18)).toBe(isLarge ? 0xffff_ffff : bytes);
      const extra = header.subarray(30 + entry(index).name.length);
      expect(extra.byteLength).toBe(isLarge ? 20 : 0);
      if (isLarge)
        expect([extra.readBigUInt64LE(4), extra.readBigUInt64LE(12)]).toEqual([bytes, bytes].map(BigInt));
    }
  });

  it('holds more entries than 16 bits count, and keeps nothing of them but a number', async () => {
    const count = 70_000;
    const entry = (index: number): Entry => ({
      name: `f${index.toString()}`,
      bytes: 1,
      crc32: crc32('\0'),
    });
    const layout = new ZipLayout(count, entriesOf(entry), at);
    const whole = bytesOf(layout, 0, layout.total, () => new Uint8Array(1));
    const found = await listed(await yauzl.fromBufferPromise(whole), false);
    expect(found).toHaveLength(count);
    expect(found.at(-1)).toMatchObject({ name: `f${(count - 1).toString()}`, bytes: 1 });
    expect(whole.readUInt16LE(whole.byteLength - 12)).toBe(0xffff);
  });

  it('has no entry and no range behind its end', () => {
    const layout = layoutOf(study);
    expect(() => layout.dataAt(4)).toThrow(RangeError);
    expect(() => [...layout.runs(0, layout.total + 1)]).toThrow(RangeError);
    expect(
      () =>
        new ZipLayout(
          1,
          entriesOf(() => ({ name: 'a', bytes: -1, crc32: 0 })),
          at,
        ),
    ).toThrow(RangeError);
  });
});
