import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundaryOf, MultipartTap } from './multipart-tap.ts';
import { findSopInstanceUid } from './sop-instance-uid.ts';
import { EXPLICIT_LE, fileMeta, IMPLICIT_LE, RLE_LOSSLESS } from './study/part10.ts';
import { generateStudy } from './study/study.ts';

const FUZZ_MS = Number(process.env.FUZZ_SECONDS ?? 2) * 1000;
const instances = ([EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS] as const).flatMap((transferSyntaxUid, seed) => [
  ...generateStudy({ modality: 'MR', instances: 2, bytesPerInstance: 3000, seed, transferSyntaxUid }),
]);
const uids = instances.map((instance) => instance.sopInstanceUid);

function bodyOf(parts: readonly Uint8Array[], boundary: string): Buffer {
  const framed = parts.flatMap((part) => [
    Buffer.from(
      `--${boundary}\r\nContent-Type: application/dicom\r\nContent-Length: ${part.byteLength.toString()}\r\n\r\n`,
    ),
    part,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...framed, Buffer.from(`--${boundary}--\r\n`)]);
}

describe('a multipart tap', () => {
  it('finds every instance however the body is cut into chunks', () => {
    const body = bodyOf(
      instances.map((instance) => instance.bytes),
      'b0und',
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (sizes) => {
        const seen: string[] = [];
        const tap = new MultipartTap('b0und', (uid) => seen.push(uid));
        for (let at = 0, turn = 0; at < body.byteLength; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          tap.take(body.subarray(at, at + size));
          at += size;
        }
        tap.end();
        expect(seen).toEqual(uids);
        expect(tap.parts).toBe(uids.length);
      }),
      { interruptAfterTimeLimit: FUZZ_MS, numRuns: 10_000, markInterruptAsFailure: false },
    );
  });

  it('has told the part that was going by when the body is cut off', () => {
    const body = bodyOf(
      instances.map((instance) => instance.bytes),
      'b',
    );
    const tap = new MultipartTap('b', () => undefined);
    const third = body.indexOf(uids[2] ?? '', body.indexOf(uids[2] ?? '') + 1);
    tap.take(body.subarray(0, third + 100));
    expect(tap.sopInstanceUids).toEqual(uids.slice(0, 3));
  });

  it('counts parts that are no instances, and empty ones, without a UID', () => {
    const report = Buffer.from('%PDF-1.4 not an instance');
    const tap = new MultipartTap('b', () => undefined);
    tap.take(Buffer.concat([Buffer.from('preamble'), Buffer.from('\r\n')]));
    tap.take(bodyOf([report, Buffer.alloc(0), instances[0]?.bytes ?? report], 'b'));
    tap.end();
    expect(tap.sopInstanceUids).toEqual(uids.slice(0, 1));
    expect(tap.parts).toBe(3);
  });

  it('does not look further than 64 KiB into a part', () => {
    const late = Buffer.concat([Buffer.alloc(70_000), instances[0]?.bytes ?? Buffer.alloc(0)]);
    const tap = new MultipartTap('b', () => undefined);
    tap.take(bodyOf([late], 'b'));
    tap.end();
    expect(tap.sopInstanceUids).toEqual([]);
    expect(tap.parts).toBe(1);
  });

  it('takes the file meta for a dataset it cannot read', () => {
    const deflated = Buffer.concat([
      fileMeta('1.2', '1.2.33', '1.2.840.10008.1.2.1.99'),
      Buffer.alloc(50, 0xaa),
    ]);
    expect(findSopInstanceUid(deflated, false)).toBeUndefined();
    expect(findSopInstanceUid(deflated, true)).toBe('1.2.33');
  });

  it('reads big endian datasets too', () => {
    const head = Buffer.from('0008001855490006', 'hex');
    expect(findSopInstanceUid(Buffer.concat([head, Buffer.from('1.2.3\0')]), false)).toBe('1.2.3');
  });

  it.each([
    ['multipart/related; type="application/dicom"; boundary=abc', 'abc'],
    ['multipart/related; boundary="a b:c"; type="application/dicom"', 'a b:c'],
    ['Multipart/Related;Boundary=x', 'x'],
    ['application/dicom; boundary=x', undefined],
    [undefined, undefined],
  ])('reads the boundary of %s', (contentType, boundary) => {
    expect(boundaryOf(contentType)).toBe(boundary);
  });
});
