import { crc32 } from 'node:zlib';
import type { Edit } from '../dicom/edit.ts';

/** The polynomial of CRC-32 (ISO 3309) with the highest power last, as ZIP, PNG and zlib have it. */
const POLYNOMIAL = 0xedb88320;

/** x to the power 2^n, modulo the polynomial. From the 32nd on they begin again: x to the 2^32 is x. */
const POWERS: readonly number[] = powers();

function powers(): number[] {
  let power = 0x40000000;
  return Array.from({ length: 32 }, () => {
    const now = power;
    power = product(power, power);
    return now;
  });
}

/** The product of two polynomials over GF(2), modulo the polynomial. */
function product(a: number, b: number): number {
  let sum = 0;
  let factor = b;
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) sum ^= factor;
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ POLYNOMIAL;
  }
  return sum >>> 0;
}

/** What a CRC contributes when so many bytes follow it: times x to the power of their bits. */
function shifted(crc: number, bytes: number): number {
  let moved = crc;
  // 8 bits a byte, so from 2^3 on.
  for (let left = bytes, power = 3; left > 0; left = Math.floor(left / 2), power += 1) {
    if (left % 2 === 1) moved = product(POWERS[power % 32] ?? 0, moved);
  }
  return moved >>> 0;
}

/** The CRC-32 of A followed by B, from theirs and B's length; in some 30 steps, however long B is. */
export function crc32Combine(crcA: number, crcB: number, bytesB: number): number {
  return (shifted(crcA, bytesB) ^ crcB) >>> 0;
}

/**
 * The CRC-32 of an instance with edits done to it, without its tail: what the old head contributes to the
 * whole's is taken out, and what the new one does is put in.
 *
 * @param whole of the stored instance
 * @param head the stored bytes up to the end of the last edit, exactly; RangeError when they are others
 * @param edits ascending and not overlapping
 */
export function patchedCrc32(
  whole: { readonly crc32: number; readonly bytes: number },
  head: Uint8Array,
  edits: readonly Edit[],
): number {
  let patched = 0;
  let at = 0;
  for (const edit of edits) {
    patched = continued(continued(patched, head.subarray(at, edit.at)), edit.insert);
    at = edit.at + edit.remove;
  }
  if (head.byteLength !== at || whole.bytes < at) {
    throw new RangeError('the head does not end where the last edit does');
  }
  // Sums over GF(2): both heads are carried over the same tail, so their sum can be, once.
  return crc32Combine(continued(0, head) ^ patched, whole.crc32, whole.bytes - at);
}

/** zlib begins anew, at 0, when it is given no byte and no place where one would be. */
function continued(crc: number, bytes: Uint8Array): number {
  return bytes.byteLength === 0 ? crc : crc32(bytes, crc);
}
