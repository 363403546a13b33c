import {
  HEADER_BYTES_MAX,
  HEADER_BYTES_MIN,
  type Header,
  readHeader,
  UNDEFINED,
  VR,
  vrCode,
} from './element.ts';
import { concat } from './encode.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';
import { passOver } from './visit.ts';
import { Window } from './window.ts';

/** Where a value is padded with a NUL; text is padded with a space (PS3.5 section 6.2). */
const PADDED_WITH_NUL: ReadonlySet<number> = new Set([VR.UN, VR.OB, VR.none, vrCode('UI')]);

/**
 * An element as it may be written anew: values of odd length get the padding that they lack, and a UN of
 * undefined length, which readers trip over, gets its length (PS3.5 sections 6.2.2 and 7.1.1). Where nothing
 * of that is to be done, its own bytes. Undefined when a value does not fit its length field any more.
 *
 * @throws DicomError when `element` is none
 */
export function evened(element: Uint8Array, encoding: Encoding): Uint8Array | undefined {
  return evenedRun(new Window(element, element.byteLength), 0, element.byteLength, encoding);
}

/** Elements, items and delimiters in [from, to), one after the other: what has no length simply flows on. */
function evenedRun(window: Window, from: number, to: number, encoding: Encoding): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = from; at < to; ) {
    const header = readHeader(window, at, encoding);
    const valueAt = at + header.bytes;
    const open = header.length === UNDEFINED;
    const isUnknown = open && header.vr === VR.UN;
    const end = isUnknown ? passOver(window, at, header, encoding) : valueAt + (open ? 0 : header.length);
    const value =
      open && !isUnknown
        ? window.bytes.subarray(valueAt, end)
        : evenedValue(window, header, valueAt, end, encoding);
    if (value === undefined) return undefined;
    // A copy: slice() of a Buffer would be the stored bytes themselves.
    const head = new Uint8Array(window.bytes.subarray(at, valueAt));
    const flows = open && !isUnknown;
    if (!flows && !setLength(head, header, value.byteLength, encoding)) return undefined;
    parts.push(head, value);
    at = end;
  }
  return concat(parts);
}

function evenedValue(
  window: Window,
  header: Header,
  from: number,
  to: number,
  encoding: Encoding,
): Uint8Array | undefined {
  if (header.length === UNDEFINED) {
    return evenedRun(window, from, to - HEADER_BYTES_MIN, 'implicit-le');
  }
  if (header.vr === VR.SQ || header.tag === Tag.item) return evenedRun(window, from, to, encoding);
  const value = window.bytes.subarray(from, to);
  if (value.byteLength % 2 === 0) return value;
  const isText = groupOf(header.tag) === groupOf(Tag.patientId) && header.vr === VR.none;
  const pad = isText || !PADDED_WITH_NUL.has(header.vr) ? 0x20 : 0;
  return concat([value, Uint8Array.of(pad)]);
}

/** False when the header's form has no room for the length. */
function setLength(head: Uint8Array, header: Header, length: number, encoding: Encoding): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const little = encoding !== 'explicit-be';
  if (header.bytes === HEADER_BYTES_MAX) view.setUint32(8, length, little);
  else if (header.vr === VR.none) view.setUint32(4, length, little);
  else if (length > 0xffff) return false;
  else view.setUint16(6, length, little);
  return true;
}
