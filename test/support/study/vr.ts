/** Value representations whose value is text, by PS3.5 table 6.2-1. */
export type TextVr =
  | 'AE'
  | 'AS'
  | 'CS'
  | 'DA'
  | 'DS'
  | 'DT'
  | 'IS'
  | 'LO'
  | 'LT'
  | 'PN'
  | 'SH'
  | 'ST'
  | 'TM'
  | 'UC'
  | 'UI'
  | 'UR'
  | 'UT';
export type NumberVr = 'AT' | 'FD' | 'FL' | 'SL' | 'SS' | 'SV' | 'UL' | 'US' | 'UV';
export type ByteVr = 'OB' | 'OD' | 'OF' | 'OL' | 'OV' | 'OW' | 'UN';
export type Vr = TextVr | NumberVr | ByteVr | 'SQ';

/** PS3.5 table 7.1-1: these have two reserved bytes and a 32 bit length. */
export const LONG_VRS: ReadonlySet<Vr> = new Set<Vr>([
  ...(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'] as const),
]);

/** Bytes of one number. AT is written as a tag: two of two bytes. */
const NUMBER_BYTES: Readonly<Record<NumberVr, number>> = {
  AT: 4,
  FD: 8,
  FL: 4,
  SL: 4,
  SS: 2,
  SV: 8,
  UL: 4,
  US: 2,
  UV: 8,
};

/** How many bytes of a value change places together in big endian (PS3.5 section 7.3). */
const WORD_BYTES: Readonly<Partial<Record<ByteVr, number>>> = { OD: 8, OF: 4, OL: 4, OV: 8, OW: 2 };

export function numberBytes(vr: NumberVr, numbers: readonly number[], bigEndian: boolean): Buffer {
  const size = NUMBER_BYTES[vr];
  const value = Buffer.alloc(size * numbers.length);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const little = !bigEndian;
  for (const [index, number] of numbers.entries()) {
    const at = index * size;
    if (vr === 'US') view.setUint16(at, number, little);
    else if (vr === 'SS') view.setInt16(at, number, little);
    else if (vr === 'UL') view.setUint32(at, number, little);
    else if (vr === 'SL') view.setInt32(at, number, little);
    else if (vr === 'UV') view.setBigUint64(at, BigInt(number), little);
    else if (vr === 'SV') view.setBigInt64(at, BigInt(number), little);
    else if (vr === 'FL') view.setFloat32(at, number, little);
    else if (vr === 'FD') view.setFloat64(at, number, little);
    else {
      view.setUint16(at, number >>> 16, little);
      view.setUint16(at + 2, number & 0xff_ff, little);
    }
  }
  return value;
}

/** `value` holds little endian words; the copy that comes back is as the encoding wants them. */
export function wordBytes(vr: ByteVr, value: Uint8Array, bigEndian: boolean): Buffer {
  const copy = Buffer.from(value);
  const word = bigEndian ? WORD_BYTES[vr] : undefined;
  // What is no whole number of words (an odd form) stays as it is.
  if (word === undefined || copy.byteLength % word !== 0) return copy;
  if (word === 2) return copy.swap16();
  return word === 4 ? copy.swap32() : copy.swap64();
}
