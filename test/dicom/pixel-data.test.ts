import { describe, expect, it } from 'vitest';
import { type Built, ct, ENCODINGS, number32, part10, SYNTAX } from './builder.ts';
import { scanWhole, walk } from './support.ts';

type Encoding = (typeof ENCODINGS)[number];

interface Picture {
  readonly rows?: number;
  readonly columns?: number;
  readonly samples?: number;
  readonly bits?: number;
  readonly frames?: string;
  readonly photometric?: string;
  /** Of the elements of two bytes. */
  readonly vr?: string;
}

function number16(value: number, encoding: Encoding): Buffer {
  const bytes = Buffer.alloc(2);
  if (encoding === 'explicit-be') bytes.writeUInt16BE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
}

/** Group 0028 as far as it is given. */
function described(picture: Picture, encoding: Encoding): Built[] {
  const { rows, columns, samples: count, bits, frames, photometric, vr = 'US' } = picture;
  const within = vr === 'UN' ? 'implicit-le' : encoding;
  const short = (tag: number, value: number | undefined): Built[] =>
    value === undefined ? [] : [{ tag, vr, value: number16(value, within) }];
  const text = (tag: number, textVr: string, value: string | undefined): Built[] =>
    value === undefined ? [] : [{ tag, vr: textVr, value }];
  return [
    ...short(0x00280002, count),
    ...text(0x00280004, 'CS', photometric),
    ...text(0x00280008, 'IS', frames),
    ...short(0x00280010, rows),
    ...short(0x00280011, columns),
    ...short(0x00280100, bits),
  ];
}

const of = (bytes: number, tag = 0x7fe00010, vr = 'OW'): Built => ({
  tag,
  vr,
  value: Buffer.alloc(bytes, 7),
});

function fragments(...lengths: readonly number[]): Built {
  const items = [0, ...lengths].map((length) =>
    Buffer.concat([Buffer.from('feff00e0', 'hex'), number32(length, 'explicit-le'), Buffer.alloc(length, 7)]),
  );
  const value = Buffer.concat([...items, Buffer.from('feffdde000000000', 'hex')]);
  return { tag: 0x7fe00010, vr: 'OB', value, lie: 0xffffffff };
}

/** What the walk says of pixel data under a description, the same for every size of chunk. */
function verdictOf(more: readonly Built[], encoding: Encoding = 'explicit-le', syntax = SYNTAX[encoding]) {
  // Without the usual (0028,0010) and (7FE0,0010), unless they are given.
  const elements = ct(more).filter(({ tag }) => tag < 0x00280000 || more.some((one) => one.tag === tag));
  const bytes = part10(elements, encoding, syntax);
  const found = scanWhole(bytes);
  const verdict = walk(bytes, found);
  for (const chunk of [1, 2, 3, 7, 11]) expect(walk(bytes, found, chunk)).toEqual(verdict);
  return { verdict, bytes };
}

const whole = { complete: true };
const short = { complete: false, code: 'TRUNCATED', tag: '7FE0,0010' };
const ct16 = { rows: 10, columns: 300, samples: 1, bits: 16 };

describe.each(ENCODINGS)('native pixel data in %s', (encoding) => {
  it.each([
    ['one frame', ct16, 6000],
    ['twelve frames', { ...ct16, frames: '12 ' }, 72_000],
    ['frames with a sign', { ...ct16, frames: '+2' }, 12_000],
    ['an empty number of frames', { ...ct16, frames: '' }, 6000],
    ['colours', { rows: 3, columns: 5, samples: 3, bits: 8, photometric: 'RGB' }, 45],
    ['colours shared by two', { rows: 3, columns: 4, samples: 3, bits: 8, photometric: 'YBR_FULL_422' }, 24],
    [
      'colours shared by four',
      { rows: 4, columns: 4, samples: 3, bits: 8, photometric: 'YBR_PARTIAL_420' },
      24,
    ],
    ['single bits, frame after frame', { rows: 3, columns: 3, samples: 1, bits: 1, frames: '3' }, 4],
    ['twelve bits', { rows: 3, columns: 3, samples: 1, bits: 12 }, 14],
    ['32 bits', { rows: 2, columns: 2, samples: 1, bits: 32 }, 16],
    ['values of no representation', { ...ct16, vr: 'UN' }, 6000],
  ] as const)('of %s is whole from its last byte on, and more is no fault', (_, picture, bytes) => {
    const group = described(picture, encoding);
    // The writer pads to an even length: what is odd is short from one byte earlier.
    const even = bytes % 2 === 0 ? bytes : bytes + 1;
    expect(verdictOf([...group, of(even)], encoding).verdict).toEqual(whole);
    expect(verdictOf([...group, of(even + 10)], encoding).verdict).toEqual(whole);
    expect(verdictOf([...group, of(even - 2)], encoding).verdict).toMatchObject(short);
    expect(verdictOf([...group, of(0)], encoding).verdict).toMatchObject(short);
  });

  it('of floats has four or eight bytes a pixel', () => {
    for (const [tag, vr, bytes, name] of [
      [0x7fe00008, 'OF', 16, '7FE0,0008'],
      [0x7fe00009, 'OD', 32, '7FE0,0009'],
    ] as const) {
      const group = described({ rows: 2, columns: 2, samples: 1 }, encoding);
      expect(verdictOf([...group, of(bytes, tag, vr)], encoding).verdict).toEqual(whole);
      const { verdict } = verdictOf([...group, of(bytes - 2, tag, vr)], encoding);
      expect(verdict).toMatchObject({ ...short, tag: name });
    }
  });

  it.each([
    ['rows', { ...ct16, rows: undefined }],
    ['columns', { ...ct16, columns: undefined }],
    ['bits', { ...ct16, bits: undefined }],
  ])('is not judged without its %s', (_, picture) => {
    const { rows, columns, bits, samples: count } = picture;
    const given = {
      ...(rows && { rows }),
      ...(columns && { columns }),
      ...(bits && { bits }),
      samples: count,
    };
    expect(verdictOf([...described(given, encoding), of(2)], encoding).verdict).toEqual(whole);
  });

  it('is not judged by what a nested dataset or a value of another length says', () => {
    const icon: Built = { tag: 0x00280010, vr: 'US', value: number16(500, encoding) };
    const inside = described(ct16, encoding).map((one) => (one.tag === icon.tag ? icon : one));
    for (const shape of [{}, { open: true, openItems: true }]) {
      const nested: Built = { tag: 0x00280019, vr: 'SQ', items: [inside], ...shape };
      const group = [...described(ct16, encoding), nested].sort((a, b) => a.tag - b.tag);
      expect(verdictOf([...group, of(6000)], encoding).verdict).toEqual(whole);
      expect(verdictOf([nested, of(2)], encoding).verdict).toEqual(whole);
    }
    const long: Built = { tag: 0x00280010, vr: 'UL', value: number32(500, encoding) };
    const group = described(ct16, encoding).map((one) => (one.tag === long.tag ? long : one));
    expect(verdictOf([...group, of(2)], encoding).verdict).toEqual(whole);
  });

  it('says at which byte it begins and how much is missing, and no value', () => {
    const { verdict, bytes } = verdictOf([...described(ct16, encoding), of(5000)], encoding);
    const at = bytes.byteLength - 5000 - (encoding === 'implicit-le' ? 8 : 12);
    const reason = 'the pixel data has 5000 bytes, its frames take 6000';
    expect(verdict).toEqual({ ...short, offset: at, reason });
  });

  it('is not compared when there is none, or when numbers overflow', () => {
    expect(verdictOf(described(ct16, encoding), encoding).verdict).toEqual(whole);
    const huge = { rows: 65_535, columns: 65_535, samples: 65_535, bits: 65_535, frames: '9'.repeat(16) };
    expect(verdictOf([...described(huge, encoding), of(8)], encoding).verdict).toMatchObject(short);
  });
});

describe('encapsulated pixel data', () => {
  const JPEG = '1.2.840.10008.1.2.4.50';
  const frames = (count: string): Built[] => described({ ...ct16, frames: count }, 'explicit-le');
  const verdict = (elements: readonly Built[], syntax: string) =>
    verdictOf(elements, 'explicit-le', syntax).verdict;

  it.each([
    ['JPEG', JPEG],
    ['JPEG lossless', '1.2.840.10008.1.2.4.70'],
    ['JPEG-LS', '1.2.840.10008.1.2.4.80'],
    ['JPEG 2000', '1.2.840.10008.1.2.4.90'],
    ['HTJ2K', '1.2.840.10008.1.2.4.201'],
    ['JPEG XL', '1.2.840.10008.1.2.4.110'],
    ['RLE', '1.2.840.10008.1.2.5'],
    ['no compression', '1.2.840.10008.1.2.1.98'],
  ])('of %s has at least one fragment that holds something for each frame', (_, syntax) => {
    expect(verdict([...frames('2'), fragments(4, 6)], syntax)).toEqual(whole);
    expect(verdict([...frames('2'), fragments(4, 6, 8, 2)], syntax)).toEqual(whole);
    expect(verdict([...frames('3'), fragments(4, 6)], syntax)).toMatchObject(short);
    expect(verdict([...frames('2'), fragments(4, 0)], syntax)).toMatchObject(short);
    expect(verdict([...frames(''), fragments()], syntax)).toMatchObject(short);
    expect(verdict([...frames('no'), fragments(2)], syntax)).toEqual(whole);
  });

  it.each([
    ['MPEG-2', '1.2.840.10008.1.2.4.100'],
    ['MPEG-2, in fragments', '1.2.840.10008.1.2.4.100.1'],
    ['MPEG-4', '1.2.840.10008.1.2.4.102'],
    ['HEVC', '1.2.840.10008.1.2.4.107'],
    ['JPEG 2000 part 2', '1.2.840.10008.1.2.4.92'],
    ['a syntax to come', '1.2.840.10008.1.2.4.999'],
    ['a native syntax, which is odd', SYNTAX['explicit-le']],
  ])('of %s is not counted', (_, syntax) => {
    expect(verdict([...frames('500'), fragments(4)], syntax)).toEqual(whole);
  });

  it('says at which byte it begins and what there is', () => {
    const { verdict: found, bytes } = verdictOf([...frames('3'), fragments(4, 6)], 'explicit-le', JPEG);
    const reason = 'the pixel data has 2 fragments for 3 frames';
    expect(found).toEqual({ ...short, offset: bytes.indexOf(Buffer.from('e07f10004f42', 'hex')), reason });
  });

  it('that is written as one value is not measured: nobody knows how far it is compressed', () => {
    expect(verdict([...frames('3'), of(20, 0x7fe00010, 'OB')], JPEG)).toEqual(whole);
  });
});
