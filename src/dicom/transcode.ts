import { type Header, readHeader, UNDEFINED, VR, vrCode } from './element.ts';
import { concat, encodeImplicitHeader } from './encode.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';
import { passOver } from './visit.ts';
import { Window } from './window.ts';

/**
 * An element as it has to be written among elements of another encoding; undefined when it cannot be.
 * Values stay byte for byte; only the numbers of big endian are turned.
 *
 * Only explicit to implicit is ever asked for: what has to hold the element is a sequence that some writer
 * left as UN (PS3.5 section 6.2.2).
 *
 * @throws DicomError when `element` is none
 */
export function rewritten(element: Uint8Array, from: Encoding, into: Encoding): Uint8Array | undefined {
  if (from === into) return element;
  if (into !== 'implicit-le') return undefined;
  return toImplicit(new Window(element, element.byteLength), 0, element.byteLength, from);
}

/** Elements, items and delimiters in [from, to), one after the other: what has no length simply flows on. */
function toImplicit(window: Window, from: number, to: number, encoding: Encoding): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = from; at < to; ) {
    const header = readHeader(window, at, encoding);
    const valueAt = at + header.bytes;
    const open = header.length === UNDEFINED;
    if (open && !holdsItems(header)) return undefined;
    const isImplicit = open && header.vr === VR.UN;
    const end = isImplicit
      ? passOver(window, at, header, encoding)
      : open
        ? valueAt
        : valueAt + header.length;
    const value = isImplicit
      ? window.bytes.subarray(valueAt, end)
      : rewrittenValue(window, header, valueAt, end, encoding);
    if (value === undefined) return undefined;
    parts.push(encodeImplicitHeader(header.tag, open ? UNDEFINED : value.byteLength), value);
    at = end;
  }
  return concat(parts);
}

/** What may be without a length in implicit VR too, unlike the fragments of an icon. */
function holdsItems({ tag, vr }: Header): boolean {
  return groupOf(tag) === groupOf(Tag.item) || vr === VR.SQ || vr === VR.UN;
}

function rewrittenValue(
  window: Window,
  header: Header,
  from: number,
  to: number,
  encoding: Encoding,
): Uint8Array | undefined {
  if (header.vr === VR.SQ || header.tag === Tag.item) return toImplicit(window, from, to, encoding);
  const value = window.bytes.subarray(from, to);
  const unit = NUMBER_BYTES.get(header.vr);
  return encoding === 'explicit-be' && unit !== undefined ? turned(value, unit) : value;
}

/** Each number of `unit` bytes backwards; a rest that is no number stays. */
function turned(value: Uint8Array, unit: number): Uint8Array {
  const copy = value.slice();
  for (let at = 0; at + unit <= copy.byteLength; at += unit) copy.subarray(at, at + unit).reverse();
  return copy;
}

/** PS3.5 section 7.3: the VRs that have a byte order, with the bytes of one number. An AT is two. */
const NUMBER_BYTES: ReadonlyMap<number, number> = new Map(
  Object.entries({
    AT: 2,
    FD: 8,
    FL: 4,
    OD: 8,
    OF: 4,
    OL: 4,
    OV: 8,
    OW: 2,
    SL: 4,
    SS: 2,
    SV: 8,
    UL: 4,
    US: 2,
    UV: 8,
  }).map(([letters, bytes]) => [vrCode(letters), bytes]),
);
