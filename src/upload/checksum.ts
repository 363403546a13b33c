import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Crc32c } from '@aws-crypto/crc32c';
import { ChecksumMismatch } from './errors.ts';

export const checksumAlgorithms = ['md5', 'sha1', 'sha256', 'sha512', 'crc32', 'crc32c'] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

/** What a client says of a body: for CRCs 4 bytes, the most significant first. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: Uint8Array;
}

/** Bytes of a value, by which one that is no such checksum is told at once. */
export const checksumBytes: Readonly<Record<ChecksumAlgorithm, number>> = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha512: 64,
  crc32: 4,
  crc32c: 4,
};

/** Computes one checksum over bytes that come in pieces. */
export interface ChecksumStream {
  update(bytes: Uint8Array): void;
  /** Once, at the end. */
  value(): Uint8Array;
}

export function checksumStream(algorithm: ChecksumAlgorithm): ChecksumStream {
  if (algorithm === 'crc32') {
    let crc = 0;
    return {
      update: (bytes) => {
        crc = crc32(bytes, crc);
      },
      value: () => bigEndian(crc),
    };
  }
  if (algorithm === 'crc32c') {
    const crc = new Crc32c();
    return { update: (bytes) => void crc.update(bytes), value: () => bigEndian(crc.digest()) };
  }
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), value: () => hash.digest() };
}

/** Of a body that is there whole. Throws ChecksumMismatch. */
export function verifyChecksum(checksum: Checksum | undefined, bytes: Uint8Array): void {
  if (checksum !== undefined) {
    const stream = checksumStream(checksum.algorithm);
    stream.update(bytes);
    compareChecksum(checksum, stream);
  }
}

/** Throws ChecksumMismatch. */
export function compareChecksum({ algorithm, value }: Checksum, computed: ChecksumStream): void {
  if (Buffer.compare(computed.value(), value) !== 0) {
    throw new ChecksumMismatch(algorithm);
  }
}

function bigEndian(crc: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes;
}
