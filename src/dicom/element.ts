import { DicomError } from './error.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf } from './tags.ts';
import type { Window } from './window.ts';

/** The length that says: ends at a delimiter (PS3.5 section 7.1.1). */
export const UNDEFINED = 0xffffffff;

/** Group of items and delimiters; they have no VR in any encoding (PS3.5 section 7.5). */
const ITEM_GROUP = 0xfffe;

/** The shortest header, and what has to be there to know the length of any. */
export const HEADER_BYTES_MIN = 8;
export const HEADER_BYTES_MAX = 12;

/** A VR as its two letters in one number; 0 where the encoding has none. */
export function vrCode(letters: string): number {
  return (letters.charCodeAt(0) << 8) | letters.charCodeAt(1);
}

export const VR = {
  none: 0,
  SQ: vrCode('SQ'),
  UN: vrCode('UN'),
  OB: vrCode('OB'),
  OW: vrCode('OW'),
  LO: vrCode('LO'),
  SH: vrCode('SH'),
} as const;

const LONG = 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ').map(vrCode);
const SHORT = 'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' ').map(vrCode);

/**
 * Header bytes by VR (PS3.5 section 7.1.2): long forms have two reserved bytes and a 32 bit length; 0 for no VR.
 * A table by the lower five bits of both letters, since every element of every head is looked up in it.
 */
const headerBytesByVr = new Uint8Array(32 * 32);
for (const vr of LONG) headerBytesByVr[vrIndex(vr)] = HEADER_BYTES_MAX;
for (const vr of SHORT) headerBytesByVr[vrIndex(vr)] = HEADER_BYTES_MIN;

function vrIndex(vr: number): number {
  return ((vr >> 3) & 0x3e0) | (vr & 0x1f);
}

/** 0 for a VR that no edition of PS3.5 knows. */
function headerBytesOf(vr: number): number {
  // Both bytes are capitals, 0x40 to 0x5f; what the table holds there is letters only.
  return (vr & 0xe0e0) === 0x4040 ? (headerBytesByVr[vrIndex(vr)] ?? 0) : 0;
}

export interface Header {
  readonly tag: number;
  /** See vrCode. */
  readonly vr: number;
  /** Of the value, as written: may be UNDEFINED. */
  readonly length: number;
  /** Of the header itself: 8 or 12. */
  readonly bytes: number;
}

export function isKnownVr(vr: number): boolean {
  return headerBytesOf(vr) > 0;
}

/** The tag at `at`; four bytes have to be there. */
export function tagAt(view: DataView, at: number, encoding: Encoding): number {
  const little = encoding !== 'explicit-be';
  return view.getUint16(at, little) * 0x10000 + view.getUint16(at + 2, little);
}

/**
 * How long the header at `at` is; eight bytes have to be there. Throws MALFORMED for a VR that no
 * edition of PS3.5 knows: a guessed length would be the start of nonsense. `offset` is for the error.
 */
export function headerBytes(view: DataView, at: number, encoding: Encoding, offset: number): number {
  const tag = tagAt(view, at, encoding);
  if (encoding === 'implicit-le' || groupOf(tag) === ITEM_GROUP) return HEADER_BYTES_MIN;
  const bytes = headerBytesOf(view.getUint16(at + 4));
  if (bytes === 0) throw unknownVr(offset, tag);
  return bytes;
}

function unknownVr(offset: number, tag: number): DicomError {
  const reason = 'the element has a value representation that does not exist';
  return new DicomError('MALFORMED', reason, offset, tag);
}

/** The header at `at`, of which all `bytes` (from headerBytes) have to be there. */
export function parseHeader(view: DataView, at: number, encoding: Encoding, bytes: number): Header {
  const tag = tagAt(view, at, encoding);
  const little = encoding !== 'explicit-be';
  if (encoding === 'implicit-le' || groupOf(tag) === ITEM_GROUP) {
    return { tag, vr: VR.none, length: view.getUint32(at + 4, little), bytes };
  }
  const vr = view.getUint16(at + 4);
  const length = bytes === HEADER_BYTES_MAX ? view.getUint32(at + 8, little) : view.getUint16(at + 6, little);
  return { tag, vr, length, bytes };
}

/**
 * As readHeader, yet undefined for an element that does not end within the window or has no whole header
 * there: for who reads as far as the window goes, where that is no fault.
 */
export function wholeHeader(window: Window, at: number, encoding: Encoding): Header | undefined {
  const { view } = window;
  if (at + HEADER_BYTES_MIN > view.byteLength) return undefined;
  const bytes = headerBytes(view, at, encoding, at);
  if (at + bytes > view.byteLength) return undefined;
  const header = parseHeader(view, at, encoding, bytes);
  const isWhole = header.length === UNDEFINED || at + bytes + header.length <= view.byteLength;
  return isWhole ? header : undefined;
}

/** The header at `at` of a window; a defined length is held against the whole instance. */
export function readHeader(window: Window, at: number, encoding: Encoding): Header {
  window.require(at + HEADER_BYTES_MIN, at);
  const { view } = window;
  const bytes = headerBytes(view, at, encoding, at);
  if (bytes > HEADER_BYTES_MIN) window.require(at + bytes, at, tagAt(view, at, encoding));
  const header = parseHeader(view, at, encoding, bytes);
  if (header.length !== UNDEFINED) window.within(at + bytes + header.length, at, header.tag);
  return header;
}
