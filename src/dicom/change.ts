import type { Edit } from './edit.ts';
import { HEADER_BYTES_MAX, VR } from './element.ts';
import { concat, encodeSequence, encodeText, encodeUint16, encodeUint32, textBytes } from './encode.ts';
import type { ForeignElement } from './foreign.ts';
import { OTHER_IDS_BYTES_MAX, SHORT_VALUE_BYTES_MAX } from './limits.ts';
import { endOf, type PresentSite, type Site } from './sites.ts';
import type { Encoding } from './syntaxes.ts';
import { trimmed } from './text.ts';

/** What a patch does to one element of the top level. */
export interface Change {
  readonly tag: number;
  /** The element that was there and is now another, or gone; undefined when there was none. */
  readonly prior: PresentSite | undefined;
  /** Ascending, within the element. */
  readonly edits: readonly Edit[];
}

/** A whole element takes the place of what is there, or of nothing. */
export function putting(tag: number, site: Site, insert: Uint8Array): Change {
  if (site.state === 'absent') return { tag, prior: undefined, edits: [{ at: site.at, remove: 0, insert }] };
  return { tag, prior: site, edits: [{ at: site.at, remove: endOf(site) - site.at, insert }] };
}

/** Items are added behind those of a sequence, which is made when it is not there. */
export function appendingItems(
  tag: number,
  site: Site,
  items: readonly Uint8Array[],
  dataset: Encoding,
): Change {
  if (site.state === 'absent') return putting(tag, site, encodeSequence(tag, items, dataset));
  const insert = concat(items);
  const append = { at: site.to, remove: 0, insert };
  if (site.state === 'undefined') return { tag, prior: site, edits: [append] };
  // The element's own length is written as the dataset is, also when UN makes its value implicit.
  const length = encodeUint32(site.to - site.from + insert.byteLength, dataset);
  return { tag, prior: site, edits: [{ at: site.from - 4, remove: 4, insert: length }, append] };
}

/**
 * An ASCII value is added to those of a LO, of which `value` are the bytes; undefined when it cannot be:
 * the value would be too long, or the representation knows no backslash.
 */
export function appendingValue(
  tag: number,
  site: Site,
  value: Uint8Array,
  added: string,
  dataset: Encoding,
): Change | undefined {
  const kept = trimmed(value).to;
  if (site.state === 'absent' || kept === 0) return putting(tag, site, encodeText(tag, 'LO', added, dataset));
  if (!MULTIPLE.has(site.vr)) return undefined;
  const bytes = kept + 1 + added.length;
  const insert = textBytes(`\\${added}${bytes % 2 === 0 ? '' : ' '}`);
  const length = kept + insert.byteLength;
  const short = dataset !== 'implicit-le' && site.from - site.at < HEADER_BYTES_MAX;
  if (length > (short ? SHORT_VALUE_BYTES_MAX : OTHER_IDS_BYTES_MAX)) return undefined;
  const lengthEdit = short
    ? { at: site.from - 2, remove: 2, insert: encodeUint16(length, dataset) }
    : { at: site.from - 4, remove: 4, insert: encodeUint32(length, dataset) };
  // The padding goes, since it would be inside a value now.
  const at = site.from + kept;
  return { tag, prior: site, edits: [lengthEdit, { at, remove: site.to - at, insert }] };
}

/** A whole element is taken out. */
export function removing({ tag, at, bytes }: ForeignElement): Change {
  return { tag, prior: undefined, edits: [{ at, remove: bytes, insert: new Uint8Array(0) }] };
}

const MULTIPLE: ReadonlySet<number> = new Set([VR.none, VR.LO, VR.SH, VR.UN]);
