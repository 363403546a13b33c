import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DatasetWalk } from '../../src/dicom/completeness.ts';
import { type Built, ct, ENCODINGS, number32, part10 } from './builder.ts';
import { bounded, scanWhole, walk } from './support.ts';

const delimiter = Buffer.from('feffdde000000000', 'hex');

/** Encapsulated pixel data; the second fragment looks like the end of it inside. */
function encapsulated(): Built {
  const item = (bytes: Buffer) =>
    Buffer.concat([Buffer.from('feff00e0', 'hex'), number32(bytes.byteLength, 'explicit-le'), bytes]);
  const fragments = [
    item(Buffer.alloc(0)),
    item(Buffer.concat([delimiter, delimiter])),
    item(Buffer.alloc(70, 1)),
  ];
  return { tag: 0x7fe00010, vr: 'OB', value: Buffer.concat([...fragments, delimiter]), lie: 0xffffffff };
}

const nested: Built = {
  tag: 0x00400275,
  vr: 'SQ',
  open: true,
  openItems: true,
  items: [
    [{ tag: 0x00321060, vr: 'LO', value: 'CT' }],
    [{ tag: 0x00400008, vr: 'SQ', items: [[]], open: true }],
  ],
};
const padding: Built = { tag: 0xfffcfffc, vr: 'OB', value: Buffer.alloc(20) };

describe.each(ENCODINGS)('a walk over %s', (encoding) => {
  const bytes = part10(ct([nested, padding]), encoding);
  const found = scanWhole(bytes);

  it('finds it complete however the bytes are cut into chunks', () => {
    for (let chunk = 1; chunk < 40; chunk++) expect(walk(bytes, found, chunk)).toEqual({ complete: true });
  });

  it('finds it truncated wherever it is cut behind the scan, but between two elements', () => {
    const ends = new Set<number>();
    for (let end = found.scannedTo; end < bytes.byteLength; end++) {
      const verdict = walk(bytes.subarray(0, end), found);
      if (verdict.complete) ends.add(end);
      else expect(verdict.code).toBe('TRUNCATED');
    }
    // In front of (0028,0010), (0040,0275), (7FE0,0010) and (FFFC,FFFC), and a few zeros of a tag behind each.
    expect(ends.size).toBeLessThanOrEqual(8);
  });

  it('takes zeros behind the last element for padding, and nothing else', () => {
    for (const zeros of [1, 7, 8, 9, 500]) {
      const padded = Buffer.concat([bytes, Buffer.alloc(zeros)]);
      for (const chunk of [1, 5, 512]) expect(walk(padded, found, chunk)).toEqual({ complete: true });
      const other = Buffer.concat([padded, Buffer.alloc(12), Buffer.from([9])]);
      for (const chunk of [1, 5, 512]) {
        expect(walk(other, found, chunk)).toMatchObject({ complete: false, code: 'MALFORMED' });
      }
    }
  });
});

describe('a walk', () => {
  const bytes = part10(ct([encapsulated()]), 'explicit-le', '1.2.840.10008.1.2.4.50');
  const found = scanWhole(bytes);

  it('goes along fragments by their lengths and is not deceived by a delimiter inside one', () => {
    for (const chunk of [1, 3, 8, 64, 4096]) expect(walk(bytes, found, chunk)).toEqual({ complete: true });
    const cut = bytes.subarray(0, bytes.byteLength - 8);
    expect(walk(cut, found)).toMatchObject({ complete: false, code: 'TRUNCATED', tag: '7FE0,0010' });
  });

  it('says where and why an instance ends too early', () => {
    const plain = part10(ct(), 'explicit-le');
    const verdict = walk(plain.subarray(0, plain.byteLength - 10), scanWhole(plain));
    expect(verdict).toMatchObject({ complete: false, code: 'TRUNCATED', tag: '7FE0,0010' });
    if (verdict.complete) throw new Error('unreachable');
    expect(verdict.offset).toBe(plain.byteLength - 64 - 12);
    expect(verdict.reason).toContain('10 bytes');
  });

  it('notices when it was not given all bytes', () => {
    const dataset = new DatasetWalk(found, bytes.byteLength);
    dataset.feed(bytes.subarray(0, found.scannedTo));
    expect(dataset.end()).toMatchObject({ complete: false, code: 'TRUNCATED', offset: found.scannedTo });
  });

  it.each([
    ['out of order', [...ct(), { tag: 0x00280010, vr: 'US', value: Buffer.alloc(2) }]],
    ['of no known representation', ct([{ tag: 0x00290010, vr: 'ZZ', value: 'ab' }])],
    [
      'of undefined length that may not have one',
      ct([{ tag: 0x00290010, vr: 'LO', value: '', lie: 0xffff }]),
    ],
    ['that is a stray delimiter', [...ct(), { tag: 0xfffee0dd, vr: 'OB', value: '' }]],
  ] as const)('refuses an element %s', (_, elements) => {
    const wrong = part10(elements as readonly Built[], 'explicit-le');
    expect(walk(wrong, scanWhole(wrong)).complete).toBe(false);
  });

  it('gives the same verdict for any chunks and any damage', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(sizes, damage, (chunks, changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) {
          damaged[found.scannedTo + (at % (bytes.byteLength - found.scannedTo))] = value;
        }
        const dataset = new DatasetWalk(found, damaged.byteLength);
        for (let at = 0, index = 0; at < damaged.byteLength; index++) {
          const size = chunks[index % chunks.length] ?? 1;
          dataset.feed(damaged.subarray(at, at + size));
          at += size;
        }
        expect(dataset.end()).toEqual(walk(damaged, found));
      }),
      bounded,
    );
  });
});
