import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DigestTable } from '../../src/delivery/digest-table.ts';

describe('a digest table', () => {
  it('gives back what was put in, also from its record and for the largest values', () => {
    const table = new DigestTable(3);
    const sha256 = createHash('sha256').update('x').digest();
    table.setDigest(0, { sha256, crc32: 0, bytes: 0 });
    table.setDigest(2, { sha256: Buffer.alloc(32, 255), crc32: 0xffff_ffff, bytes: 2 ** 53 - 1 });
    table.setName(0, { kind: 1, study: 0, series: 0, number: 12 });
    table.setName(2, { kind: 0, study: 2 ** 32 - 1, series: 70_000, number: 1 });
    // As LMDB gives it: a view somewhere in a larger buffer.
    const larger = Buffer.concat([Buffer.alloc(5), table.stored, Buffer.alloc(3)]);
    const stored = new DigestTable(larger.subarray(5, larger.byteLength - 3));
    expect(stored.get(0)).toEqual({ sha256: sha256.toString('hex'), crc32: 0, bytes: 0 });
    expect(stored.get(1)).toEqual({ sha256: '0'.repeat(64), crc32: 0, bytes: 0 });
    expect(stored.get(2)).toEqual({ sha256: 'f'.repeat(64), crc32: 0xffff_ffff, bytes: 2 ** 53 - 1 });
    expect(stored.bytesOf(2)).toBe(2 ** 53 - 1);
    expect(stored.crc32Of(2)).toBe(0xffff_ffff);
    expect([stored.mediaTypeOf(0), stored.nameOf(0)]).toEqual(['application/pdf', 'reports/12.pdf']);
    expect([stored.mediaTypeOf(2), stored.nameOf(2)]).toEqual([
      'application/dicom',
      'DICOM/ST4294967295/SE070000/IM000001.dcm',
    ]);
  });

  it('has nothing behind its end', () => {
    const table = new DigestTable(1);
    expect(() => table.get(1)).toThrow(RangeError);
    expect(() => table.setDigest(1, { sha256: Buffer.alloc(32), crc32: 0, bytes: 0 })).toThrow(RangeError);
    expect(() => table.setName(1, { kind: 0, study: 1, series: 1, number: 1 })).toThrow(RangeError);
  });
});
