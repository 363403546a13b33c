import { createHash } from 'node:crypto';

/**
 * A UID that follows from its parts: 2.25. and the decimal form of a UUID made of SHA-256
 * (PS3.5 annex B.2; the UUID is a version 8 of RFC 9562 section 5.8). The same parts give the same UID.
 */
export function derivedUid(...parts: readonly (string | number)[]): string {
  const uuid = createHash('sha256').update(parts.join('/')).digest().subarray(0, 16);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return `2.25.${BigInt(`0x${uuid.toString('hex')}`).toString()}`;
}
