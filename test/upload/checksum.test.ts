import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Checksum,
  type ChecksumAlgorithm,
  checksumAlgorithms,
  checksumBytes,
  checksumStream,
} from '../../src/upload/checksum.ts';
import { ChecksumMismatch } from '../../src/upload/errors.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): Checksum {
  const stream = checksumStream(algorithm);
  stream.update(bytes);
  return { algorithm, value: stream.value() };
}

describe('checksums', () => {
  // The check values of "123456789": RFC 1321, FIPS 180-4, and the catalogue of parametrised CRCs.
  const known: Record<ChecksumAlgorithm, string> = {
    md5: '25f9e794323b453885f5181f1b624d0b',
    sha1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
    sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
    sha512: createHash('sha512').update('123456789').digest('hex'),
    crc32: 'cbf43926',
    crc32c: 'e3069283',
  };

  it.each(checksumAlgorithms)('are computed right: %s', (algorithm) => {
    const stream = checksumStream(algorithm);
    for (const piece of ['1', '', '2345', '6789']) {
      stream.update(Buffer.from(piece));
    }
    const value = Buffer.from(stream.value());
    expect(value.toString('hex')).toBe(known[algorithm]);
    expect(value.byteLength).toBe(checksumBytes[algorithm]);
  });
});

describe('a body with a checksum', () => {
  const bytes = pattern(300_000);
  let engine: Engine;
  let id: string;
  beforeEach(async () => {
    engine = await Engine.open({ settings: { checkpointMs: 1, checkpointBytes: 50_000 } });
    ({ id } = await engine.uploads.create(alice, request(bytes.byteLength)));
  });
  afterEach(() => engine.remove());

  const append = (offset: number, body: FakeBody, checksum: Checksum): Promise<unknown> =>
    engine.uploads.append(id, alice, { offset, checksum }, body);

  it.each(checksumAlgorithms)(
    'counts when it is right, and not at all when it is not: %s',
    async (algorithm) => {
      const damaged = Buffer.from(bytes.subarray(0, 100_000));
      damaged[77_777] = (damaged[77_777] ?? 0) ^ 1;
      const checksum = checksumOf(algorithm, bytes.subarray(0, 100_000));
      await expect(append(0, FakeBody.of(damaged, 10_000), checksum)).rejects.toBeInstanceOf(
        ChecksumMismatch,
      );
      expect(engine.uploads.head(id, alice).offset).toBe(0);
      await append(0, FakeBody.of(bytes.subarray(0, 100_000), 10_000), checksum);
      expect(engine.uploads.head(id, alice).offset).toBe(100_000);
      expect(await engine.bytes(id)).toEqual(bytes.subarray(0, 100_000));
    },
  );

  it('publishes no byte before all of it was verified', async () => {
    const body = new FakeBody(bytes.byteLength);
    const appended = append(0, body, checksumOf('sha256', bytes));
    for (let at = 0; at < bytes.byteLength; at += 30_000) {
      body.send(bytes.subarray(at, at + 30_000));
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(engine.uploads.head(id, alice).offset).toBe(0);
    }
    expect(engine.published).toEqual([]);
    body.end();
    await appended;
    expect(engine.published).toEqual([{ id, offset: bytes.byteLength }]);
    expect(engine.received).toEqual([id]);
  });

  it('that has no bytes is held against its checksum too, also when the upload is complete', async () => {
    const none = new Uint8Array();
    await append(0, FakeBody.of(none), checksumOf('sha1', none));
    await append(0, FakeBody.of(bytes), checksumOf('sha1', bytes));
    await append(bytes.byteLength, FakeBody.of(none), checksumOf('sha1', none));
    const wrong = append(bytes.byteLength, FakeBody.of(none), checksumOf('sha1', bytes));
    await expect(wrong).rejects.toBeInstanceOf(ChecksumMismatch);
    expect(engine.received).toEqual([id]);
  });

  it('leaves nothing when it is cut, and a next body replaces what it had written', async () => {
    const body = new FakeBody(200_000);
    const appended = append(0, body, checksumOf('crc32c', bytes.subarray(0, 200_000)));
    body.send(pattern(150_000, 9));
    await new Promise((resolve) => setTimeout(resolve, 20));
    body.vanish();
    await expect(appended).rejects.toThrow('gone');
    expect(engine.uploads.head(id, alice).offset).toBe(0);
    await append(0, FakeBody.of(bytes.subarray(0, 100_000)), checksumOf('md5', bytes.subarray(0, 100_000)));
    await append(100_000, FakeBody.of(bytes.subarray(100_000)), checksumOf('sha1', bytes.subarray(100_000)));
    expect(await engine.bytes(id)).toEqual(bytes);
    expect(engine.received).toEqual([id]);
  });
});
