import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../src/dicom/edit.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { crc32Combine, patchedCrc32 } from '../../src/study/crc32.ts';
import { fuzz } from './support.ts';

const bytes = fc.uint8Array({ maxLength: 3_000 });

/** Edits of an instance: places and sizes in whatever order, made ascending and not overlapping. */
const edited = fc
  .record({
    stored: bytes,
    places: fc.array(fc.tuple(fc.nat(3_000), fc.nat(60), fc.uint8Array({ maxLength: 60 })), { maxLength: 6 }),
  })
  .map(({ stored, places }) => {
    const edits: Edit[] = [];
    let free = 0;
    for (const [place, remove, insert] of places.sort(([a], [b]) => a - b)) {
      const at = Math.max(free, Math.min(place, stored.byteLength));
      edits.push({ at, remove: Math.min(remove, stored.byteLength - at), insert });
      free = at + Math.min(remove, stored.byteLength - at);
    }
    return { stored, edits, headBytes: free };
  });

describe('the CRC-32', () => {
  it('of two runs of bytes follows from theirs', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const whole = crc32(Buffer.concat([a, b]));
        expect(crc32Combine(crc32(a), crc32(b), b.byteLength)).toBe(whole);
      }),
      fuzz,
    );
  });

  it('of runs of more than 4 GiB follows from theirs too', () => {
    // 6 GiB of zeros, by doubling 1 MiB of them: what is combined is combined again.
    const mebi = Buffer.alloc(1024 ** 2);
    let zeros = { crc: crc32(mebi), bytes: mebi.byteLength };
    while (zeros.bytes < 4 * 1024 ** 3) {
      zeros = { crc: crc32Combine(zeros.crc, zeros.crc, zeros.bytes), bytes: 2 * zeros.bytes };
    }
    const first = crc32('DICM');
    const whole = crc32Combine(first, zeros.crc, zeros.bytes);
    let running = first;
    for (let bytes = 0; bytes < zeros.bytes; bytes += mebi.byteLength) running = crc32(mebi, running);
    expect(whole).toBe(running);
  });

  it('of a patched instance follows from its head and the CRC-32 of what is stored', () => {
    fc.assert(
      fc.property(edited, ({ stored, edits, headBytes }) => {
        const whole = { crc32: crc32(stored), bytes: stored.byteLength };
        const patched = patchedCrc32(whole, stored.subarray(0, headBytes), edits);
        expect(patched).toBe(crc32(applyEdits(stored, edits)));
      }),
      fuzz,
    );
  });

  it('of a patched instance is not made from a head that ends elsewhere', () => {
    const edits = [{ at: 2, remove: 2, insert: new Uint8Array(3) }];
    const whole = { crc32: crc32('abcdef'), bytes: 6 };
    for (const head of ['abc', 'abcde', '']) {
      expect(() => patchedCrc32(whole, Buffer.from(head), edits)).toThrow(RangeError);
    }
    expect(() => patchedCrc32({ ...whole, bytes: 3 }, Buffer.from('abcd'), edits)).toThrow(RangeError);
  });
});
