import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WINDOW_BYTES_MAX } from '../../src/dicom/limits.ts';
import { Inspector } from '../../src/work/inspector.ts';
import { batchBytesMax } from '../../src/work/limits.ts';
import { type Built, ct, part10 } from '../dicom/builder.ts';
import { bounded } from '../dicom/support.ts';

function inspect(bytes: Uint8Array, chunks: readonly number[] = [bytes.byteLength]) {
  const inspector = new Inspector(bytes.byteLength);
  for (let at = 0, index = 0; at < bytes.byteLength; index += 1) {
    const end = at + (chunks[index % chunks.length] ?? 1);
    inspector.feed(bytes.subarray(at, end));
    at = end;
  }
  return inspector.finish();
}

/** A private block between groups 0008 and 0010: the head goes on behind it. */
const block = (bytes: number): Built => ({ tag: 0x00091010, vr: 'OB', value: Buffer.alloc(bytes) });
/** Pixels, or so, in front of what another patient is named in. */
const filler = (bytes: number): Built => ({ tag: 0x00211010, vr: 'OB', value: Buffer.alloc(bytes) });
const other: Built = {
  tag: 0x00400561,
  vr: 'SQ',
  items: [[{ tag: 0x00100020, vr: 'LO', value: 'ANOTHER' }]],
};

describe('an inspection', () => {
  it('finds the same however the bytes come', () => {
    const instances = fc
      .record({
        head: fc.constantFrom(0, 100, 20_000, 130_000, 600_000),
        body: fc.constantFrom(0, 60_000, 128_000, 131_000, 200_000),
        // Padding that looks like nothing but zeros in a short window.
        tail: fc.constantFrom(
          Buffer.alloc(0),
          Buffer.alloc(150_000),
          Buffer.alloc(150_001, 0).fill(1, 150_000),
        ),
        early: fc.boolean(),
      })
      .map(({ head, body, tail, early }) => {
        const elements = ct([block(head), filler(body), other]);
        const kept = early ? elements.filter(({ tag }) => tag < 0x00200000) : elements;
        return Buffer.concat([part10(kept, 'explicit-le'), tail]);
      });
    const chunks = fc.array(
      fc.oneof(fc.integer({ min: 500, max: 40_000 }), fc.constantFrom(65_536, 131_072, 1_048_576)),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(instances, chunks, (bytes, sizes) => {
        expect(inspect(bytes, sizes)).toEqual(inspect(bytes));
      }),
      bounded,
    );
  });

  it.each([1, 40_000, 131_072, 1_048_576])(
    'sees who is named at byte 60,000 in chunks of %d bytes',
    (chunk) => {
      const bytes = part10(ct([filler(60_000), other]), 'explicit-le');
      expect(inspect(bytes, [chunk]).identity).toMatchObject({ nestedIdentity: true });
    },
  );

  it('keeps the head once while it comes, no more than twice what came, and nothing behind it', () => {
    const bytes = part10(ct([block(10_000_000)]), 'explicit-le');
    const inspector = new Inspector(bytes.byteLength);
    const chunk = 100_000;
    let at = 0;
    for (; at + chunk < 10_000_000; at += chunk) {
      inspector.feed(bytes.subarray(at, at + chunk));
      expect(inspector.headBytes).toBeGreaterThanOrEqual(at + chunk);
      expect(inspector.headBytes).toBeLessThanOrEqual(2 * (at + chunk));
    }
    inspector.feed(bytes.subarray(at));
    expect(inspector.headBytes).toBe(0);
    expect(inspector.finish()).toMatchObject({ scan: { sopInstanceUid: '1.2.3.4' } });
  });

  it('keeps nothing of an instance whose head it cannot read', () => {
    const inspector = new Inspector(10_000_000);
    inspector.feed(Buffer.alloc(100_000, 'Geachte collega. '));
    expect(inspector.headBytes).toBe(100_000);
    inspector.feed(Buffer.alloc(100_000, 'Geachte collega. '));
    expect(inspector.headBytes).toBe(0);
  });

  it('of an instance that is whole has read the head when its first task ends', () => {
    expect(WINDOW_BYTES_MAX).toBeLessThanOrEqual(batchBytesMax);
  });
});
