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

/** Header bytes by VR (PS3.5 section 7.1.2): long forms have two reserved bytes and a 32 bit length. */
const headerBytesByVr: ReadonlyMap<number, number> = new Map([
  ...LONG.map((vr): [number, number] => [vr, HEADER_BYTES_MAX]),
  ...SHORT.map((vr): [number, number] => [vr, HEADER_BYTES_MIN]),
]);

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
  return headerBytesByVr.has(vr);
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
  const bytes = headerBytesByVr.get(view.getUint16(at + 4));
  if (bytes === undefined) {
    throw new DicomError(
      'MALFORMED',
      'the element has a value representation that does not exist',
      offset,
      tag,
    );
  }
  return bytes;
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

/** The header at `at` of a window; a defined length is held against the whole instance. */
export function readHeader(window: Window, at: number, encoding: Encoding): Header {
  window.require(at + HEADER_BYTES_MIN, at);
  const bytes = headerBytes(window.view, at, encoding, at);
  const tag = tagAt(window.view, at, encoding);
  window.require(at + bytes, at, tag);
  const header = parseHeader(window.view, at, encoding, bytes);
  if (header.length !== UNDEFINED) window.within(at + bytes + header.length, at, tag);
  return header;
}
