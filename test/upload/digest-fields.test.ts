import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksumStream } from '../../src/upload/checksum.ts';
import {
  checksumOf,
  DigestInvalid,
  DigestUnsupported,
  digestText,
  readDigest,
} from '../../src/upload/digest-fields.ts';
import { HeaderInvalid } from '../../src/upload/errors.ts';
import { fuzz } from './engine.ts';

const read = (text: string): ReturnType<typeof readDigest> =>
  readDigest(new Map([['content-digest', text]]), 'Content-Digest');

describe('a digest field', () => {
  it('is none when it is not there', () => {
    expect(readDigest(new Map(), 'Repr-Digest')).toBeNull();
    expect(readDigest(new Map([['content-digest', 'sha-256=:AA:']]), 'Repr-Digest')).toBeNull();
  });

  it('reads the example of RFC 9530, which is the digest of its content', () => {
    const found = read('sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:');
    const content = createHash('sha256').update('{"hello": "world"}\n').digest();
    expect(found).toEqual({ algorithm: 'sha-256', value: content });
  });

  it('is written as it is read', () => {
    const digest = fc.oneof(
      fc.record({
        algorithm: fc.constant('sha-256' as const),
        value: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      }),
      fc.record({
        algorithm: fc.constant('sha-512' as const),
        value: fc.uint8Array({ minLength: 64, maxLength: 64 }),
      }),
    );
    fc.assert(
      fc.property(digest, ({ algorithm, value }) => {
        expect(read(digestText({ algorithm, value }))).toEqual({ algorithm, value: Buffer.from(value) });
      }),
      fuzz,
    );
  });

  it.each(['sha-256', 'sha-512'] as const)('is a checksum of the same bytes: %s', (algorithm) => {
    const bytes = Buffer.from('bytes');
    const value = createHash(algorithm.replace('-', '')).update(bytes).digest();
    const checksum = checksumOf({ algorithm, value });
    const stream = checksumStream(checksum.algorithm);
    stream.update(bytes);
    expect(Buffer.from(stream.value()).equals(checksum.value)).toBe(true);
  });

  it('prefers sha-256, and reads over what it does not know', () => {
    const [short, long] = [
      `:${Buffer.alloc(32).toString('base64')}:`,
      `:${Buffer.alloc(64).toString('base64')}:`,
    ];
    expect(read(`sha-512=${long}, md5=:AA==:, sha-256=${short}`)?.algorithm).toBe('sha-256');
    expect(read(`md5=:AA==:, sha-512=${long}`)?.algorithm).toBe('sha-512');
  });

  it('names what is wrong with it', () => {
    expect(() => read('md5=:AA==:')).toThrow(DigestUnsupported);
    expect(() => read('md5=:AA==:')).toThrow(
      expect.objectContaining({
        algorithms: ['md5'],
        headers: { 'Want-Content-Digest': 'sha-256=10, sha-512=5' },
      }),
    );
    expect(() => read('sha-256=:AA==:')).toThrow(DigestInvalid);
    for (const text of ['', 'sha-256', 'sha-256=x', 'sha-256=:AA==:,']) {
      expect(() => read(text)).toThrow(HeaderInvalid);
    }
  });

  it('never throws anything else, and never takes what has another size', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 100 }),
          fc.base64String({ maxLength: 120 }).map((text) => `sha-256=:${text}:`),
        ),
        (text) => {
          try {
            const found = read(text);
            expect(found?.value.byteLength).toBe(found?.algorithm === 'sha-256' ? 32 : 64);
          } catch (error) {
            const kinds = [HeaderInvalid, DigestUnsupported, DigestInvalid];
            expect(kinds.some((kind) => error instanceof kind)).toBe(true);
          }
        },
      ),
      fuzz,
    );
  });
});
