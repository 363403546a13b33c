import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Manifest } from '../../src/transfer/manifest.ts';
import { fuzz } from '../study/support.ts';

const sopInstanceUid = fc.stringMatching(/^[0-9.]{1,64}$/);
const entry = fc.record({
  sopInstanceUid,
  bytes: fc.nat({ max: 2 ** 53 - 1 }),
  sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});
const manifest = fc.uniqueArray(entry, { selector: (one) => one.sopInstanceUid, maxLength: 60 });

describe('a manifest', () => {
  it('knows what it lists, in whatever order it was given, also from its record', () => {
    fc.assert(
      fc.property(manifest, entry, (listed, other) => {
        // As LMDB gives it: a view somewhere in a larger buffer.
        const { entries } = Manifest.of(listed);
        const larger = Buffer.concat([Buffer.alloc(5), entries, Buffer.alloc(3)]);
        const stored = new Manifest({ entries: larger.subarray(5, larger.byteLength - 3), reports: [] });
        expect(stored.count).toBe(listed.length);
        expect(Buffer.compare(Manifest.of(listed.toReversed()).entries, stored.entries)).toBe(0);
        for (const one of listed) {
          expect(stored.compare(one)).toBe('equal');
          expect(stored.compare({ ...one, bytes: one.bytes === 0 ? 1 : 0 })).toBe('different');
          const sha256 = one.sha256.map((byte, at) => (at === 31 ? byte ^ 1 : byte));
          expect(stored.compare({ ...one, sha256 })).toBe('different');
        }
        if (!listed.some((one) => one.sopInstanceUid === other.sopInstanceUid)) {
          expect(stored.compare(other)).toBe('not-listed');
        }
      }),
      fuzz,
    );
  });

  it.each(['', '1.2\0', '1.2\u0133', ' 1.2', '1'.repeat(65)])('lists no %j', (uid) => {
    const one = { sopInstanceUid: '1.2', bytes: 1, sha256: Buffer.alloc(32) };
    const longest = { ...one, sopInstanceUid: '1'.repeat(64) };
    const listed = Manifest.of([one, longest, { ...one, sopInstanceUid: '1.23' }]);
    expect(listed.compare({ ...one, sopInstanceUid: uid })).toBe('not-listed');
    expect(listed.compare(longest)).toBe('equal');
  });
});
