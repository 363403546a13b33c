import { HEADER_BYTES_MAX, HEADER_BYTES_MIN } from './element.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';

/** The few kinds of element that a patch writes. UT has the long form of a header, the others the short. */
type WrittenVr = 'LO' | 'CS' | 'DT' | 'UT';

/**
 * One element with a text of a byte for each character, padded with a space to even length (PS3.5 sections
 * 6.2 and 7.1).
 */
export function encodeText(tag: number, vr: WrittenVr, value: string, encoding: Encoding): Uint8Array {
  const bytes = textBytes(value.length % 2 === 0 ? value : `${value} `);
  return concat([encodeHeader(tag, vr, bytes.byteLength, encoding), bytes]);
}

/** The bytes of ASCII, and of what plainText() made of others. */
export function textBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A sequence of defined length around items that are ready. */
export function encodeSequence(tag: number, items: readonly Uint8Array[], encoding: Encoding): Uint8Array {
  const value = concat(items);
  return concat([encodeHeader(tag, 'SQ', value.byteLength, encoding), value]);
}

/** An item of defined length around elements that are ready. */
export function encodeItem(elements: readonly Uint8Array[], encoding: Encoding): Uint8Array {
  const value = concat(elements);
  const header = new Uint8Array(HEADER_BYTES_MIN);
  writeTag(header, Tag.item, encoding);
  return concat([writeLength(header, 4, value.byteLength, encoding), value]);
}

/** A 32 bit number by itself, as lengths and group lengths are written. */
export function encodeUint32(value: number, encoding: Encoding): Uint8Array {
  return writeLength(new Uint8Array(4), 0, value, encoding);
}

/** A 16 bit number by itself, as the lengths of short headers are written. */
export function encodeUint16(value: number, encoding: Encoding): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, encoding !== 'explicit-be');
  return bytes;
}

/** A header of implicit VR alone; the length may be UNDEFINED. */
export function encodeImplicitHeader(tag: number, length: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES_MIN);
  writeTag(header, tag, 'implicit-le');
  return writeLength(header, 4, length, 'implicit-le');
}

function encodeHeader(tag: number, vr: WrittenVr | 'SQ', length: number, encoding: Encoding): Uint8Array {
  if (encoding === 'implicit-le') return encodeImplicitHeader(tag, length);
  const long = vr === 'SQ' || vr === 'UT';
  const header = new Uint8Array(long ? HEADER_BYTES_MAX : HEADER_BYTES_MIN);
  writeTag(header, tag, encoding);
  header[4] = vr.charCodeAt(0);
  header[5] = vr.charCodeAt(1);
  if (long) return writeLength(header, 8, length, encoding);
  new DataView(header.buffer).setUint16(6, length, encoding !== 'explicit-be');
  return header;
}

function writeTag(into: Uint8Array, tag: number, encoding: Encoding): void {
  const view = new DataView(into.buffer);
  view.setUint16(0, tag >>> 16, encoding !== 'explicit-be');
  view.setUint16(2, tag & 0xffff, encoding !== 'explicit-be');
}

function writeLength(into: Uint8Array, at: number, length: number, encoding: Encoding): Uint8Array {
  new DataView(into.buffer).setUint32(at, length, encoding !== 'explicit-be');
  return into;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
