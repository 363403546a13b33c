import {
  HEADER_BYTES_MAX,
  HEADER_BYTES_MIN,
  type Header,
  readHeader,
  UNDEFINED,
  VR,
  vrCode,
} from './element.ts';
import { concat, encodeImplicitHeader } from './encode.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';
import { itemsEncoding, passOver } from './visit.ts';
import { Window } from './window.ts';

/**
 * An element as it has to be written anew, perhaps among elements of another encoding; undefined when it
 * cannot be. Values stay byte for byte, but for three things: those of odd length get the padding that they
 * lack, the numbers of big endian are turned, and a UN of undefined length, which readers trip over, gets its
 * length where it stays a UN (PS3.5 sections 6.2.2 and 7.1.1).
 *
 * Only explicit to implicit is ever asked for: what has to hold the element is a sequence that some writer
 * left as UN (PS3.5 section 6.2.2).
 *
 * @throws DicomError when `element` is none
 */
export function rewritten(element: Uint8Array, from: Encoding, into: Encoding): Uint8Array | undefined {
  if (from !== into && into !== 'implicit-le') return undefined;
  return rewrittenRun(new Window(element, element.byteLength), 0, element.byteLength, { from, into });
}

interface Change {
  readonly from: Encoding;
  readonly into: Encoding;
}

const stayingImplicit: Change = { from: 'implicit-le', into: 'implicit-le' };

/** Elements, items and delimiters in [start, end), one after the other: what has no length simply flows on. */
function rewrittenRun(window: Window, start: number, end: number, change: Change): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = start; at < end; ) {
    const header = readHeader(window, at, change.from);
    const valueAt = at + header.bytes;
    const open = header.length === UNDEFINED;
    const flows = open && holdsItems(header) && header.vr !== VR.UN;
    const next = !open
      ? valueAt + header.length
      : flows
        ? valueAt
        : passOver(window, at, header, change.from);
    const value = flows ? new Uint8Array(0) : rewrittenValue(window, header, at, next, change);
    const head = value && rewrittenHeader(window, header, at, value.byteLength, change);
    if (value === undefined || head === undefined) return undefined;
    parts.push(head, value);
    at = next;
  }
  return concat(parts);
}

/** What may be without a length in implicit VR too, unlike the fragments of an icon. */
function holdsItems({ tag, vr }: Header): boolean {
  return groupOf(tag) === groupOf(Tag.item) || vr === VR.SQ || vr === VR.UN || vr === VR.none;
}

/** The value of an element in [at, end); undefined when it cannot be written so. */
function rewrittenValue(
  window: Window,
  header: Header,
  at: number,
  end: number,
  change: Change,
): Uint8Array | undefined {
  const valueAt = at + header.bytes;
  const stays = change.from === change.into;
  if (header.length === UNDEFINED) {
    // Fragments have a length of their own each; with their delimiter they are left as they are.
    if (header.vr !== VR.UN) return stays ? window.bytes.subarray(valueAt, end) : undefined;
    const behind = stays ? end - HEADER_BYTES_MIN : end;
    return rewrittenRun(window, valueAt, behind, stayingImplicit);
  }
  if (header.tag === Tag.item) return rewrittenRun(window, valueAt, end, change);
  const inside = itemsEncoding(window, header, at, change.from);
  if (inside !== undefined) {
    const nested = inside === change.from ? change : stayingImplicit;
    return rewrittenRun(window, valueAt, end, nested);
  }
  const value = window.bytes.subarray(valueAt, end);
  const unit = NUMBER_BYTES.get(header.vr);
  const turns = change.from === 'explicit-be' && !stays && unit !== undefined;
  const right = turns ? turned(value, unit) : value;
  return right.byteLength % 2 === 0 ? right : concat([right, Uint8Array.of(paddingOf(header))]);
}

/** PS3.5 section 6.2: text is padded with a space, UIDs and what is no text with a NUL. */
function paddingOf({ tag, vr }: Header): number {
  // Implicit VR does not say; of the patient everything that is no sequence is text.
  if (vr === VR.none) return groupOf(tag) === groupOf(Tag.patientId) ? SPACE : 0;
  return NUL_PADDED.has(vr) ? 0 : SPACE;
}

const SPACE = 0x20;
const NUL_PADDED: ReadonlySet<number> = new Set([VR.UN, VR.OB, vrCode('UI')]);

/** The header with the value's length now; undefined when its form has no room for that. */
function rewrittenHeader(
  window: Window,
  header: Header,
  at: number,
  length: number,
  { from, into }: Change,
): Uint8Array | undefined {
  const open = header.length === UNDEFINED;
  if (from !== into) return encodeImplicitHeader(header.tag, open ? UNDEFINED : length);
  // Not slice(): of a Buffer that would be the stored bytes themselves.
  const head = new Uint8Array(window.bytes.subarray(at, at + header.bytes));
  if (open && header.vr !== VR.UN) return head;
  const view = new DataView(head.buffer);
  const little = from !== 'explicit-be';
  if (header.bytes === HEADER_BYTES_MAX) view.setUint32(8, length, little);
  else if (header.vr === VR.none) view.setUint32(4, length, little);
  else if (length > 0xffff) return undefined;
  else view.setUint16(6, length, little);
  return head;
}

/** Each number of `unit` bytes backwards; a rest that is no number stays. */
function turned(value: Uint8Array, unit: number): Uint8Array {
  // Not slice(): of a Buffer that would be the stored bytes themselves.
  const copy = new Uint8Array(value);
  for (let at = 0; at + unit <= copy.byteLength; at += unit) copy.subarray(at, at + unit).reverse();
  return copy;
}

/** PS3.5 section 7.3: the VRs that have a byte order, by the bytes of one number. An AT is two. */
const NUMBER_BYTES: ReadonlyMap<number, number> = new Map(
  Object.entries({ 2: 'AT OW SS US', 4: 'FL OF OL SL UL', 8: 'FD OD OV SV UV' }).flatMap(([bytes, vrs]) =>
    vrs.split(' ').map((vr): [number, number] => [vrCode(vr), Number(bytes)]),
  ),
);
