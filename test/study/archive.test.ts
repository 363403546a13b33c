import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArchiveListings, type ListArchive } from '../../src/study/archive.ts';
import { beginWalk, nextParts } from '../../src/study/package.ts';
import { writeZip, type ZipFile } from '../support/zip.ts';
import { contentOf, dicom, image, names, ZIP } from './archive-support.ts';
import { fuzz, readsOf, type Walked, walkThrough } from './support.ts';

describe('the walk over an archive', () => {
  const files: ZipFile[] = [
    { name: 'DICOM/', data: Buffer.alloc(0), stored: true },
    image('DICOM/IM000001'),
    image('DICOM/IM000002', { stored: true, data: dicom(50_000, 3) }),
    image('DICOM/IM000003', { zip64: true }),
    image('DICOM/IM000004', { streamed: true }),
    image('DICOM/IM000005', { streamed: true, zip64: true, local: { extra: Buffer.alloc(0) } }),
    image('DICOM/IM000004', { data: dicom(400) }),
    { name: 'verslag.pdf', data: Buffer.from('%PDF-1.7\n%%EOF') },
    { name: 'DICOMDIR', data: dicom() },
  ];

  it.each([
    ['a ZIP', writeZip(files)],
    ['a ZIP64', writeZip(files, { zip64: true })],
    ['a ZIP with a comment', writeZip(files, { comment: Buffer.from('PACS export\r\n') })],
  ])('finds every entry of %s, where its data is, and passes over folders', async (_, whole) => {
    const { parts, last } = await walkThrough(whole, ZIP);
    expect(last.state).toBe('done');
    expect(names(parts)).toEqual(files.slice(1).map(({ name }) => name));
    expect(parts.map((part) => contentOf(whole, part))).toEqual(files.slice(1).map(({ data }) => data));
    expect(parts.map(({ kind, why, origin }) => why ?? `${origin} ${kind}`)).toEqual([
      ...Array.from({ length: 6 }, () => 'zip instance'),
      'zip report',
      'directory-record',
    ]);
  });

  it.each([null, 'application/octet-stream', 'application/x-zip-compressed'])(
    'knows an archive that is declared as %s',
    async (filetype) => {
      expect((await walkThrough(writeZip([image('a')]), filetype)).parts).toHaveLength(1);
    },
  );

  it('waits for the last byte, which is where the directory ends', async () => {
    const whole = writeZip(files);
    const { read, ...reads } = readsOf(whole);
    const { byteLength } = whole;
    for (const [published, total] of [[byteLength, null] as const, [byteLength - 1, byteLength] as const]) {
      const step = await nextParts(beginWalk(ZIP), read, published, total);
      expect(step).toMatchObject({ state: 'more', parts: [], walk: { stage: 'archive', at: 0, open: null } });
    }
    expect(reads.count).toBe(0);
  });

  it('goes on at any entry after a restart, and finds the same', async () => {
    const many = Array.from({ length: 2500 }, (_, index) => image(`IM${index.toString()}`, { stored: true }));
    const whole = writeZip(many);
    const { read } = readsOf(whole);
    const first = await nextParts(beginWalk(ZIP), read, whole.byteLength, whole.byteLength);
    expect([first.state, first.parts.length, first.walk.at]).toEqual(['more', 1024, 1024]);
    const { parts } = await walkThrough(whole, ZIP);
    expect(names(parts)).toEqual(many.map(({ name }) => name));
    expect(first.parts).toEqual(parts.slice(0, 1024));
  });

  it('reads the directory once for all steps, and a few KiB of each entry', async () => {
    const many = Array.from({ length: 3000 }, (_, index) =>
      image(`IM${index.toString()}`, { stored: true, data: dicom(20_000) }),
    );
    const whole = writeZip(many);
    const reads = readsOf(whole);
    const listings = new ArchiveListings();
    let listed = 0;
    const list = (...asked: Parameters<ListArchive>) => {
      listed += 1;
      return listings.of('u')(...asked);
    };
    let walk = beginWalk(ZIP);
    const before: number[] = [];
    for (let state = 'more'; state === 'more'; ) {
      before.push(reads.bytes);
      const step = await nextParts(walk, reads.read, whole.byteLength, whole.byteLength, list);
      walk = step.walk;
      state = step.state;
    }
    expect([walk.stage, walk.parts, listed, listings.size]).toEqual(['done', 3000, 3, 1]);
    expect(reads.bytes).toBeLessThan(3000 * 4096);
    listings.drop('u');
    expect(listings.size).toBe(0);
  });

  it('reads names as their writers meant them, and makes no path of any', async () => {
    const macOs = image('Zoë.dcm', { central: { flags: 0 }, local: { flags: 0 } });
    const dos = image(Buffer.from([0x5a, 0x6f, 0x89]), { central: { flags: 0 }, local: { flags: 0 } });
    const strange = ['../../etc/passwd', '/abs/IM1', 'C:\\IM1', 'a\\b\\IM2', 'x/../IM3', 'nul\0IM4'];
    const { parts } = await walkThrough(writeZip([macOs, dos, ...strange.map((name) => image(name))]), ZIP);
    const seen = ['../../etc/passwd', '/abs/IM1', 'C:/IM1', 'a/b/IM2', 'x/../IM3', 'nul\0IM4'];
    expect(names(parts)).toEqual(['Zoë.dcm', 'Zoë', ...seen]);
  });

  it('keeps as an instance what cannot be inflated, so that it is held and does not get lost', async () => {
    const raw = Buffer.alloc(50, 0xff);
    const files = ['unknown', 'a.dcm', 'verslag.pdf', 'Thumbs.db'].map((name) => image(name, { raw }));
    const { parts, last } = await walkThrough(writeZip(files), ZIP);
    expect(last.state).toBe('done');
    expect(parts.map(({ kind }) => kind)).toEqual(['instance', 'instance', 'report', 'set-aside']);
  });

  it('passes on what the storage throws, wherever it throws it', async () => {
    const whole = writeZip([image('a'), image('b')]);
    const { read } = readsOf(whole);
    const failAt = async (call: number): Promise<unknown> => {
      let calls = 0;
      const failing = (start: number, end: number): Promise<Uint8Array> => {
        calls += 1;
        return calls === call ? Promise.reject(new Error('the disk is gone')) : read(start, end);
      };
      return nextParts(beginWalk(ZIP), failing, whole.byteLength, whole.byteLength).then(
        ({ state }) => state,
      );
    };
    for (const call of [1, 2, 3, 4, 5]) {
      await expect(failAt(call)).rejects.toThrow('the disk is gone');
    }
    expect(await failAt(100)).toBe('done');
  });
});

describe('listings of archives', () => {
  it('are forgotten, those used last not, when they are of too many entries together', async () => {
    const listings = new ArchiveListings();
    const whole = writeZip([image('a')]);
    const { read } = readsOf(whole);
    for (let upload = 0; upload < 300; upload += 1) {
      await listings.of('kept')(read, whole.byteLength);
      await listings.of(upload.toString())(read, whole.byteLength);
    }
    expect(listings.size).toBe(256);
    const reads = readsOf(whole);
    await listings.of('kept')(reads.read, whole.byteLength);
    expect(reads.count).toBe(0);
    await listings.of('1')(reads.read, whole.byteLength);
    expect(reads.count).toBeGreaterThan(0);
  });
});

const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.nat(3000).map((bytes) => dicom(bytes)),
  fc.string({ maxLength: 60 }).map((text) => Buffer.from(text)),
);
const file: fc.Arbitrary<ZipFile> = fc.record({
  name: fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.constantFrom('IM1', 'a/b.dcm', 'a/', 'x.zip', 'r.pdf', 'DICOMDIR'),
  ),
  data: content,
  stored: fc.boolean(),
  streamed: fc.boolean(),
  zip64: fc.boolean(),
});
const archive = fc.record({
  files: fc.array(file, { minLength: 1, maxLength: 6 }),
  zip64: fc.boolean(),
  comment: fc.string({ maxLength: 20 }).map((text) => Buffer.from(text)),
});
const isFolder = ({ name, data }: ZipFile): boolean => name.toString().endsWith('/') && data.byteLength === 0;

describe('for any archive', () => {
  it('every file is found, with its own bytes', async () => {
    await fc.assert(
      fc.asyncProperty(archive, async ({ files, ...options }) => {
        // A blank name cannot be told from none; a backslash is a folder's.
        const whole = writeZip(files, options);
        const { parts, last } = await walkThrough(whole, ZIP);
        const found = files.filter(
          (one) => !isFolder({ ...one, name: one.name.toString().replaceAll('\\', '/') }),
        );
        expect(last.state).toBe(found.length === 0 ? 'broken' : 'done');
        expect(parts.map((part) => contentOf(whole, part))).toEqual(
          found.map(({ data }) => Buffer.from(data)),
        );
      }),
      fuzz,
    );
  });

  it('damaged in any way it ends in a state, with parts inside the upload that share no byte', async () => {
    const damage = fc.record({
      at: fc.nat(),
      fromEnd: fc.boolean(),
      drop: fc.constantFrom(0, 0, 0, 1, 2, 7, 40),
      put: fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc.constantFrom(Buffer.from([255]), Buffer.from('PK\x05\x06')),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        archive,
        fc.array(damage, { minLength: 1, maxLength: 4 }),
        async ({ files, ...options }, hits) => {
          let whole = writeZip(files, options);
          for (const { at, fromEnd, drop, put } of hits) {
            // The directory and the end are at the back, and small.
            const from = fromEnd
              ? Math.max(0, whole.byteLength - 1 - (at % 300))
              : at % (whole.byteLength + 1);
            const behind = whole.subarray(from + (drop === 0 ? put.byteLength : drop));
            whole = Buffer.concat([whole.subarray(0, from), put, behind]);
          }
          const { parts, last }: Walked = await walkThrough(whole, ZIP);
          expect(['done', 'broken']).toContain(last.state);
          const sorted = [...parts].sort((a, b) => a.start - b.start);
          let end = 0;
          for (const { start, bytes } of sorted) {
            expect(start).toBeGreaterThanOrEqual(end);
            end = start + bytes;
          }
          expect(end).toBeLessThanOrEqual(whole.byteLength);
        },
      ),
      fuzz,
    );
  });
});
