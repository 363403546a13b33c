import { deflateRawSync, deflateSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deflatedAt,
  isDeflatedSyntax,
  isZlibWrapped,
  storedBlocks,
  storedBytes,
} from '../../src/dicom/deflated.ts';
import { ct, part10 } from './builder.ts';
import { bounded, faultOf } from './support.ts';

/** An empty last block, so that a run of stored blocks becomes a stream that ends. */
const END = Buffer.from([0x03, 0x00]);

function written(bytes: Buffer): Buffer {
  const blocks = [...storedBlocks(bytes.byteLength)];
  return Buffer.concat(blocks.flatMap(({ head, from, to }) => [head, bytes.subarray(from, to)]));
}

describe('a run of stored blocks', () => {
  it.each([0, 1, 65_534, 65_535, 65_536, 131_070, 131_071, 500_000])(
    'of %d bytes inflates to them, and is as long as was said',
    (length) => {
      const bytes = Buffer.alloc(length, 'sluis');
      expect(inflateRawSync(Buffer.concat([written(bytes), END])).equals(bytes)).toBe(true);
      expect(written(bytes).byteLength).toBe(storedBytes(length));
    },
  );

  it('joins a stream that was deflated by itself, and is never the end', () => {
    fc.assert(
      fc.property(fc.nat(150_000), fc.uint8Array({ maxLength: 2000 }), (length, tail) => {
        const head = Buffer.alloc(length, 'kop');
        const stream = Buffer.concat([written(head), deflateRawSync(tail, { level: 1 })]);
        expect(inflateRawSync(stream).equals(Buffer.concat([head, tail]))).toBe(true);
      }),
      { ...bounded, numRuns: 1000 },
    );
    expect(() => inflateRawSync(written(Buffer.alloc(10)))).toThrow('unexpected end of file');
  });
});

describe('a stream in the wrapping of zlib', () => {
  it('is told from a raw one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 0, max: 9 }), (bytes, level) => {
        expect(isZlibWrapped(deflateSync(bytes, { level }).subarray(0, 5))).toBe(true);
        expect(isZlibWrapped(deflateRawSync(bytes, { level }).subarray(0, 5))).toBe(false);
      }),
      bounded,
    );
  });

  it('is told from a raw one also when its bytes could be a stored block', () => {
    const wrapped = deflateSync(Uint8Array.of(62, 1, 96), { level: 6 });
    // The length of a stored block, and its complement.
    expect(wrapped.readUInt16LE(1) ^ wrapped.readUInt16LE(3)).toBe(0xffff);
    expect(isZlibWrapped(wrapped)).toBe(true);
  });

  it.each([0, 1])('is not seen in %d bytes', (length) => {
    expect(isZlibWrapped(Buffer.alloc(length, 0x78))).toBe(false);
  });
});

describe('the transfer syntaxes that deflate', () => {
  it.each([
    ['1.2.840.10008.1.2.1.99', true],
    ['1.2.840.10008.1.2.4.95', true],
    ['1.2.840.10008.1.2.4.205', true],
    ['1.2.840.10008.1.2.8.1', false],
    ['1.2.840.10008.1.2.1', false],
    ['1.2.840.10008.1.2.4.94', false],
  ])('%s deflates the whole dataset: %s', (syntax, deflates) => {
    const file = part10(ct(), 'explicit-le', syntax);
    expect(isDeflatedSyntax(syntax)).toBe(deflates);
    expect(typeof deflatedAt(file, file.byteLength)).toBe(deflates ? 'number' : 'undefined');
  });

  it('have their stream where the file meta ends', () => {
    const plain = part10([], 'explicit-le', '1.2.840.10008.1.2.1.99');
    const file = Buffer.concat([plain, deflateRawSync(Buffer.alloc(100))]);
    expect(deflatedAt(file, file.byteLength)).toBe(plain.byteLength);
  });

  it('are looked for with as many bytes as the file meta has, and no more', () => {
    const file = part10(ct(), 'explicit-le', '1.2.840.10008.1.2.1.99');
    const asked = deflatedAt(file.subarray(0, 100), file.byteLength);
    expect(asked).toEqual({ need: file.byteLength });
  });

  it('are not guessed at where the file meta is broken', () => {
    const file = part10(ct(), 'explicit-le', '1.2.840.10008.1.2.1.99');
    const twice = Buffer.concat([file.subarray(0, 144), file.subarray(132)]);
    expect(faultOf(() => deflatedAt(twice, twice.byteLength))).toMatchObject({ code: 'MALFORMED' });
  });
});
