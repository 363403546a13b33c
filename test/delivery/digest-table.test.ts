import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DigestTable } from '../../src/delivery/digest-table.ts';

describe('a digest table', () => {
  it('gives back what was put in, also from its record and for the largest values', () => {
    const table = new DigestTable(3);
    const sha256 = createHash('sha256').update('x').digest();
    table.set(0, { sha256, crc32: 0, bytes: 0 });
    table.set(2, { sha256: Buffer.alloc(32, 255), crc32: 0xffff_ffff, bytes: 2 ** 53 - 1 });
    // As LMDB gives it: a view somewhere in a larger buffer.
    const larger = Buffer.concat([Buffer.alloc(5), table.stored, Buffer.alloc(3)]);
    const stored = new DigestTable(larger.subarray(5, larger.byteLength - 3));
    expect(stored.get(0)).toEqual({ sha256: sha256.toString('hex'), crc32: 0, bytes: 0 });
    expect(stored.get(1)).toEqual({ sha256: '0'.repeat(64), crc32: 0, bytes: 0 });
    expect(stored.get(2)).toEqual({ sha256: 'f'.repeat(64), crc32: 0xffff_ffff, bytes: 2 ** 53 - 1 });
    expect(stored.bytesOf(2)).toBe(2 ** 53 - 1);
  });

  it('has nothing behind its end', () => {
    expect(() => new DigestTable(1).get(1)).toThrow(RangeError);
    expect(() => new DigestTable(1).set(1, { sha256: Buffer.alloc(32), crc32: 0, bytes: 0 })).toThrow(
      RangeError,
    );
  });
});
