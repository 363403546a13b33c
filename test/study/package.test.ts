import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePartHeaders } from '../../src/study/multipart.ts';
import { beginWalk, isPackageWalk, nextParts } from '../../src/study/package.ts';
import {
  digestOf,
  fuzz,
  headersWithLength,
  readsOf,
  type TestPart,
  walkThrough,
  writePackage,
} from './support.ts';

const MULTIPART = 'multipart/related; type="application/dicom"; boundary=B';
const bytes = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill);
const part = (length: number, fill?: number): TestPart => ({ data: bytes(length, fill) });
/** Digests compare and fail faster than bytes. */
const contents = (whole: Uint8Array, parts: readonly { start: number; bytes: number }[]): string[] =>
  parts.map(({ start, bytes: size }) => digestOf(whole.subarray(start, start + size)));

describe('the walk over a package', () => {
  it('jumps over parts that say their length, and reads next to nothing of them', async () => {
    const parts = [part(300_000, 1), part(0), part(500_000, 2)];
    const whole = writePackage({ parts });
    const { parts: found, last, reads } = await walkThrough(whole, MULTIPART);
    expect(last.state).toBe('done');
    expect(contents(whole, found)).toEqual(parts.map(({ data }) => digestOf(data)));
    expect(reads.bytes).toBeLessThan(10_000);
  });

  it('searches the end of parts that do not, also behind what looks like a delimiter', async () => {
    const data = Buffer.concat([bytes(200_000), Buffer.from('\r\n--BB\r\n--B-\r\n--B x\r\n'), bytes(70_000)]);
    const headers = ['Content-Type: application/dicom'];
    const whole = writePackage({
      parts: [
        { data, headers },
        { data: bytes(0), headers },
      ],
    });
    const { parts, last } = await walkThrough(whole, MULTIPART);
    expect(last.state).toBe('done');
    expect(contents(whole, parts)).toEqual([data, bytes(0)].map(digestOf));
  });

  it.each([
    ['a quoted boundary', 'a b?', 'Multipart/Related;TYPE=application/dicom ; Boundary="a b?"'],
    [
      'an unquoted boundary with signs',
      "x'(y)+=/",
      `multipart/related; boundary=x'(y)+=/; type="application/dicom"`,
    ],
    ['escapes in the boundary', 'B', 'multipart/related; boundary="\\B"'],
    ['no boundary', 'any', 'multipart/related; type="application/dicom"'],
    ['no filetype', 'any', null],
    ['a filetype that says nothing', 'any', 'application/octet-stream'],
    ['a filetype that is none', 'any', 'dcm'],
  ])('knows a package that is declared with %s', async (_, boundary, filetype) => {
    const whole = writePackage({ boundary, parts: [part(300), part(400)] });
    const { parts, last } = await walkThrough(whole, filetype);
    expect([last.state, parts.map((found) => found.bytes)]).toEqual(['done', [300, 400]]);
  });

  it.each([
    ['preamble', { preamble: 'This is a package.\r\n--C\r\n--Bx\r\n' }],
    ['empty line before the first delimiter', { preamble: '\r\n' }],
    ['epilogue', { epilogue: '\r\nThat was a package.\r\n--C\r\n--Bx\r\n' }],
    ['epilogue of 1 KiB', { epilogue: '\r'.repeat(1024) }],
  ])('passes over an %s', async (_, extra) => {
    const { parts, last } = await walkThrough(writePackage({ parts: [part(10)], ...extra }), MULTIPART);
    expect([last.state, parts.length]).toEqual(['done', 1]);
  });

  it('answers with the type of each part, so that reports can travel with images', async () => {
    const data = bytes(5);
    const types = [
      'application/pdf',
      'text/xml; charset=utf-8',
      'Text/Plain',
      'image/jpeg',
      'application/dicom; transfer-syntax=*',
    ];
    const parts = [
      ...types.map((type) => ({ data, headers: [`content-type:${type}`] })),
      { data, headers: [] },
    ];
    const { parts: found } = await walkThrough(writePackage({ parts }), MULTIPART);
    expect(found.map(({ contentType, kind }) => [contentType, kind])).toEqual([
      ['application/pdf', 'report'],
      ['text/xml', 'report'],
      ['text/plain', 'report'],
      ['image/jpeg', 'instance'],
      ['application/dicom', 'instance'],
      ['application/dicom', 'instance'],
    ]);
    expect(found.every(({ origin, entry, why }) => origin === 'part' && entry === null && why === null)).toBe(
      true,
    );
  });

  it('shows the part whose data is on its way, before it is whole', async () => {
    const whole = writePackage({ parts: [part(1000), part(2000)] });
    const { walk, parts } = await nextParts(beginWalk(MULTIPART), readsOf(whole).read, 1500, null);
    expect(parts.map((found) => found.bytes)).toEqual([1000]);
    expect(walk.open).toMatchObject({ bytes: 2000, contentType: 'application/dicom', kind: 'instance' });
    expect(whole.subarray(walk.open?.start, (walk.open?.start ?? 0) + 2000)).toEqual(
      Buffer.from(bytes(2000)),
    );
  });

  it('gives a package of many parts in steps that end', async () => {
    const whole = writePackage({ parts: Array.from({ length: 2500 }, () => part(1)) });
    const first = await nextParts(
      beginWalk(MULTIPART),
      readsOf(whole).read,
      whole.byteLength,
      whole.byteLength,
    );
    expect([first.state, first.parts.length]).toEqual(['more', 1024]);
    expect((await walkThrough(whole, MULTIPART)).parts).toHaveLength(2500);
  });

  it('rejects with what the storage rejects, and can be asked again', async () => {
    const failing = (): Promise<Uint8Array> => Promise.reject(new Error('the disk is gone'));
    await expect(nextParts(beginWalk(MULTIPART), failing, 10, 10)).rejects.toThrow('the disk is gone');
  });

  it('knows its own records from others', () => {
    expect([beginWalk(null), null, {}, 'x'].map(isPackageWalk)).toEqual([true, false, false, false]);
  });
});

describe('a package that is wrong', () => {
  const one = (headers: readonly string[]): Uint8Array =>
    writePackage({ parts: [{ data: bytes(9), headers }] });
  const whole = writePackage({ parts: [part(100), part(100)] });
  it.each([
    ['a length that is too short', one(['Content-Length: 8']), 'MALFORMED', 34],
    ['the same header twice', one(['Content-Length: 9', 'content-length: 9']), 'MALFORMED', 5],
    ['a negative length', one(['Content-Length: -1']), 'MALFORMED', 5],
    ['a length in hexadecimal', one(['Content-Length: 0x9']), 'MALFORMED', 5],
    ['a length above 16 GiB', one(['Content-Length: 17179869185']), 'TOO_LARGE', 5],
    ['a line that is no header', one(['Content-Length 9']), 'MALFORMED', 5],
    ['a bare line feed in a header', one(['X: a\nContent-Length: 9']), 'MALFORMED', 5],
    ['a zero in a header', one(['X: a\0b']), 'MALFORMED', 5],
    ['a type that is none', one(['Content-Type: dicom']), 'MALFORMED', 5],
    ['a transfer encoding', one(['Content-Transfer-Encoding: base64']), 'UNSUPPORTED', 5],
    ['endless headers', one(Array.from({ length: 900 }, () => 'X-Y: abcdef')), 'TOO_LARGE', 5],
    ['no part', Buffer.from('--B--\r\n'), 'EMPTY', 0],
    ['nothing', new Uint8Array(0), 'TRUNCATED', 0],
    ['another boundary', writePackage({ boundary: 'C', parts: [part(70_000)] }), 'MALFORMED', 0],
    ['no closing delimiter', whole.subarray(0, whole.byteLength - 2), 'TRUNCATED', whole.byteLength - 2],
    ['half a part', whole.subarray(0, 250), 'TRUNCATED', 250],
    ['half its headers', whole.subarray(0, 20), 'TRUNCATED', 20],
    [
      'another package behind it',
      Buffer.concat([whole, Buffer.from('\r\n'), whole]),
      'MALFORMED',
      whole.byteLength,
    ],
    [
      'a delimiter behind its end',
      Buffer.concat([whole, Buffer.from(' \r\n--B\r\n')]),
      'MALFORMED',
      whole.byteLength,
    ],
    [
      'half a delimiter behind its end',
      Buffer.concat([whole, Buffer.from('\r\n--B')]),
      'MALFORMED',
      whole.byteLength,
    ],
    [
      'more than 1 KiB behind its end',
      Buffer.concat([whole, Buffer.alloc(1025)]),
      'MALFORMED',
      whole.byteLength,
    ],
  ])('is broken by %s, and says where', async (_, upload, code, offset) => {
    const { last } = await walkThrough(upload, MULTIPART);
    expect(last.state).toBe('broken');
    expect(last.fault).toMatchObject({ code, offset });
    expect(last.walk.fault).toEqual(last.fault);
  });

  it('is still broken when it is asked again', async () => {
    const { last } = await walkThrough(whole.subarray(0, 20), MULTIPART);
    const again = await nextParts(last.walk, readsOf(whole).read, whole.byteLength, whole.byteLength);
    expect(again).toMatchObject({ state: 'broken', fault: { code: 'TRUNCATED' }, parts: [] });
  });

  it('is known to be too short as soon as a part cannot fit, not when the last byte is in', async () => {
    const step = await nextParts(beginWalk(MULTIPART), readsOf(whole).read, 70, 90);
    expect(step.fault).toMatchObject({ code: 'TRUNCATED', offset: 90 });
  });

  it('is not done before its last byte is known and in, since more may follow its end', async () => {
    const { read } = readsOf(whole);
    const { byteLength } = whole;
    const unknown = await nextParts(beginWalk(MULTIPART), read, byteLength, null);
    expect([unknown.state, unknown.parts.length, unknown.walk.open]).toEqual(['more', 2, null]);
    expect((await nextParts(unknown.walk, read, byteLength, byteLength + 1)).state).toBe('more');
    expect((await nextParts(unknown.walk, read, byteLength, byteLength)).state).toBe('done');
    const long = await nextParts(unknown.walk, read, byteLength, byteLength + 1025);
    expect(long.fault?.reason).toBe('more follows behind the end of the package');
  });

  it('keeps the parts that came whole before the fault', async () => {
    const { parts } = await walkThrough(whole.subarray(0, whole.byteLength - 20), MULTIPART);
    expect(parts).toHaveLength(1);
  });

  it('never shows a byte of itself in its reason', async () => {
    const { last } = await walkThrough(one(['JANSEN^PIET 999990019']), MULTIPART);
    expect(JSON.stringify(last)).not.toMatch(/JANSEN|99999/);
  });
});

describe('the headers of a part', () => {
  const headersOf = (lines: string) => parsePartHeaders(Buffer.from(lines, 'latin1'), 0);

  it('have their values without the blanks around them, which are spaces and tabs alone', () => {
    expect(headersOf('Content-Length:\t 5 \t\r\nContent-Type: text/plain ')).toEqual({
      contentType: 'text/plain',
      bytes: 5,
    });
    expect(() => headersOf('Content-Length: 5\xa0')).toThrow(/no number/);
  });

  it('cost no more to read when they are full of blanks than when they are full of letters', () => {
    // The best of a few: what else the machine does makes it longer, never shorter.
    const msOf = (filling: string): number => {
      const block = Buffer.from(`X: a${filling.repeat(8100)}b`);
      const runs = Array.from({ length: 5 }, () => {
        const from = performance.now();
        parsePartHeaders(block, 0);
        return performance.now() - from;
      });
      return Math.min(...runs);
    };
    expect(msOf(' ')).toBeLessThan(20 * msOf('x'));
  });
});

/** Data in which delimiters are likely to begin. */
const data = fc
  .array(fc.oneof(fc.constantFrom('\r\n--B', '\r\n', '--B--', '-', '\r'), fc.string({ maxLength: 20 })), {
    maxLength: 8,
  })
  .map((pieces) => Buffer.from(pieces.join('')));
const anyPart = fc.record({ data, length: fc.boolean() });
const written = fc
  .record({
    parts: fc.array(anyPart, { minLength: 1, maxLength: 6 }),
    preamble: fc.constantFrom('', 'hello'),
    epilogue: fc.constantFrom(
      '',
      '\r\n',
      '\r\n--B\r\n',
      '\r\n--B',
      '\r\n--B--',
      '--Bx\r\n',
      ' '.repeat(1030),
    ),
  })
  .map(({ parts, preamble, epilogue }) =>
    writePackage({
      preamble,
      epilogue,
      parts: parts.map(({ data: content, length }) => ({
        data: content,
        headers: length ? headersWithLength(content) : ['Content-Type: application/dicom'],
      })),
    }),
  );
const checkpoints = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
const at = (whole: Uint8Array, parts: readonly number[]): number[] =>
  parts.map((share) => Math.floor(share * whole.byteLength));

describe('for any upload', () => {
  it('published in any steps, the walk finds what it finds in one go', async () => {
    await fc.assert(
      fc.asyncProperty(written, checkpoints, async (whole, shares) => {
        const once = await walkThrough(whole, MULTIPART);
        const often = await walkThrough(whole, MULTIPART, at(whole, shares));
        expect(often.parts).toEqual(once.parts);
        expect([often.last.state, often.last.fault]).toEqual([once.last.state, once.last.fault]);
      }),
      fuzz,
    );
  });

  it('parts with a length are found exactly, whatever their data is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(data, { minLength: 1, maxLength: 6 }), checkpoints, async (parts, shares) => {
        const whole = writePackage({ parts: parts.map((content) => ({ data: content })) });
        const { parts: found, last } = await walkThrough(whole, null, at(whole, shares));
        expect(last.state).toBe('done');
        expect(contents(whole, found)).toEqual(parts.map(digestOf));
      }),
      fuzz,
    );
  });

  it('garbage and damaged packages end in a state, with parts inside the upload', async () => {
    const damaged = fc
      .record({ whole: written, from: fc.nat(), drop: fc.nat(40), put: fc.uint8Array({ maxLength: 30 }) })
      .map(({ whole, from, drop, put }) => {
        const cut = from % (whole.byteLength + 1);
        return Buffer.concat([whole.subarray(0, cut), put, whole.subarray(cut + drop)]);
      });
    const upload = fc.oneof(damaged, fc.uint8Array({ maxLength: 400 }));
    const filetype = fc.constantFrom(
      ...[null, MULTIPART, 'multipart/related', 'application/dicom', 'application/zip', 'text/plain'],
    );
    await fc.assert(
      fc.asyncProperty(upload, filetype, checkpoints, async (whole, type, shares) => {
        const { parts, last } = await walkThrough(whole, type, at(whole, shares));
        expect(last.state).not.toBe('more');
        let end = 0;
        for (const found of parts) {
          expect(found.start).toBeGreaterThanOrEqual(end);
          end = found.start + found.bytes;
        }
        expect(end).toBeLessThanOrEqual(whole.byteLength);
      }),
      fuzz,
    );
  });

  it('any filetype is either understood or sniffed, and never throws', async () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `multipart/related; boundary=${rest}`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (filetype) => {
        const { last } = await walkThrough(writePackage({ parts: [part(3)] }), filetype);
        expect(['done', 'broken']).toContain(last.state);
      }),
      fuzz,
    );
  });
});
