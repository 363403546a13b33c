import { createHash, getHashes } from 'node:crypto';

/** Reflected polynomials; the values are sent with their most significant byte first. */
const CRCS: Readonly<Record<string, number>> = { crc32: 0xedb88320, crc32c: 0x82f63b78 };
const known = new Set(getHashes());

export const computable = (algorithm: string): boolean => algorithm in CRCS || known.has(algorithm);

/** The value of Upload-Checksum for these bytes. */
export function uploadChecksum(algorithm: string, bytes: Uint8Array): string {
  const polynomial = CRCS[algorithm];
  const digest =
    polynomial === undefined ? createHash(algorithm).update(bytes).digest() : crcOf(polynomial, bytes);
  return `${algorithm} ${digest.toString('base64')}`;
}

function crcOf(polynomial: number, bytes: Uint8Array): Buffer {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return digest;
}
