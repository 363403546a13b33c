import { createHash } from 'node:crypto';

/**
 * A UID that follows from what it names: `2.25.` and the decimal form of a UUID (PS3.5 annex B.2), which
 * is version 8 and made of SHA-256 over a purpose and a name, as RFC 9562 appendix B.2 does it.
 * Same purpose and name, same UID, wherever and whenever; at most 44 characters.
 *
 * @param purpose tells what is named, so that one name gives a series and an instance two UIDs
 */
export function derivedUid(purpose: string, name: Uint8Array): string {
  const uuid = createHash('sha256').update(`sluis/${purpose}\0`).update(name).digest().subarray(0, 16);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return `2.25.${BigInt(`0x${uuid.toString('hex')}`).toString()}`;
}
