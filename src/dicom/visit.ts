import { type Header, readHeader, UNDEFINED, VR } from './element.ts';
import { DicomError } from './error.ts';
import { NESTING_MAX } from './limits.ts';
import { insideOf, Nesting, tooDeep } from './nesting.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';
import type { Window } from './window.ts';

/** One level of nesting: which sequence, and which of its items (from 0). */
export interface Step {
  readonly sequence: number;
  readonly item: number;
}

/** Called for every value that is not itself a sequence: bytes [from, to) of the window. The path is lent. */
export type OnValue = (tag: number, from: number, to: number, path: readonly Step[]) => void;

/** Which elements are read, and how they are written. */
interface Region {
  readonly window: Window;
  readonly encoding: Encoding;
  readonly path: Step[];
  readonly onValue: OnValue;
}

/** How a sequence's items are written, or undefined when the element is no sequence. */
export function itemsEncoding(
  window: Window,
  header: Header,
  at: number,
  encoding: Encoding,
): Encoding | undefined {
  if (header.length === UNDEFINED) {
    const inside = insideOf(header, encoding, at);
    return inside.kind === 'sequence' ? inside.encoding : undefined;
  }
  if (header.vr === VR.SQ) return encoding;
  if (header.vr !== VR.UN && header.vr !== VR.none) return undefined;
  // Nothing says that this is a sequence (a private one in implicit VR, any in UN) but an item at its start.
  const valueAt = at + header.bytes;
  if (header.length < 8) return undefined;
  window.require(valueAt + 4, at, header.tag);
  return window.view.getUint32(valueAt, true) === ITEM_LITTLE_ENDIAN ? 'implicit-le' : undefined;
}

const ITEM_LITTLE_ENDIAN = 0xe000fffe;

/**
 * Reads the items of one sequence and everything nested in it, each byte once; returns the offset
 * behind the last item, or behind the delimiter when the sequence is `open` (of undefined length).
 *
 * @throws DicomError MALFORMED, TRUNCATED, TOO_DEEP when it is not exactly a sequence of items
 */
export function visitItems(
  window: Window,
  sequence: { tag: number; from: number; limit: number; open: boolean; encoding: Encoding },
  onValue: OnValue,
  path: Step[] = [],
): number {
  const { tag, limit, open, encoding } = sequence;
  // One path for all, that grows and shrinks: a hostile head has a million sequences, 64 deep.
  const step = { sequence: tag, item: 0 };
  const inner = { window, encoding, path, onValue };
  path.push(step);
  let at = sequence.from;
  for (; open || at < limit; step.item += 1) {
    const header = readWithin(window, at, encoding, limit);
    const itemAt = at;
    at += header.bytes;
    if (open && header.tag === Tag.sequenceEnd) break;
    if (header.tag !== Tag.item) {
      throw new DicomError('MALFORMED', 'an element stands where an item belongs', itemAt, header.tag);
    }
    if (path.length > NESTING_MAX) throw tooDeep(header, itemAt);
    at =
      header.length === UNDEFINED
        ? visitElements(inner, at, limit, true)
        : visitElements(inner, at, at + header.length, false);
  }
  path.pop();
  return at;
}

/** Nothing may reach beyond `limit`: the end of whatever has a length around it. */
function visitElements(region: Region, from: number, limit: number, open: boolean): number {
  const { window, encoding, path, onValue } = region;
  let at = from;
  while (open || at < limit) {
    const header = readWithin(window, at, encoding, limit);
    const valueAt = at + header.bytes;
    if (open && header.tag === Tag.itemEnd) return valueAt;
    if (groupOf(header.tag) === groupOf(Tag.item)) {
      throw new DicomError(
        'MALFORMED',
        'an item or delimiter stands where an element belongs',
        at,
        header.tag,
      );
    }
    const inside = itemsEncoding(window, header, at, encoding);
    const undefinedLength = header.length === UNDEFINED;
    if (inside !== undefined) {
      const end = undefinedLength ? limit : valueAt + header.length;
      const sequence = {
        tag: header.tag,
        from: valueAt,
        limit: end,
        open: undefinedLength,
        encoding: inside,
      };
      at = visitItems(window, sequence, onValue, path);
    } else if (undefinedLength) {
      at = passOver(window, at, header, encoding);
    } else {
      at = valueAt + header.length;
      onValue(header.tag, valueAt, at, path);
    }
  }
  return at;
}

/** The offset behind an element of any length, without a look at its values. */
export function passOver(window: Window, from: number, header: Header, encoding: Encoding): number {
  if (header.length !== UNDEFINED && groupOf(header.tag) !== groupOf(Tag.item)) {
    return from + header.bytes + header.length;
  }
  const nesting = new Nesting(encoding);
  let at = from + header.bytes + nesting.take(header, from);
  while (nesting.inside) {
    const nested = readHeader(window, at, nesting.encoding);
    at += nested.bytes + nesting.take(nested, at);
  }
  return at;
}

function readWithin(window: Window, at: number, encoding: Encoding, limit: number): Header {
  const header = readHeader(window, at, encoding);
  const end = at + header.bytes + (header.length === UNDEFINED ? 0 : header.length);
  if (end > limit) {
    throw new DicomError('MALFORMED', 'an element reaches beyond the sequence it is in', at, header.tag);
  }
  return header;
}
