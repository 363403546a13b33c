import type { Header } from './element.ts';
import { DicomError } from './error.ts';
import { MAC_PARAMETERS_BYTES_MAX, SIGNED_TAGS_MAX } from './limits.ts';
import { presentSite } from './sites.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { itemsEncoding, visitItems } from './visit.ts';
import type { Window } from './window.ts';

/**
 * The tags that the dataset's own (4FFE,0001) MAC Parameters Sequence, at `at`, lists as signed (PS3.3
 * section C.12.1.1.3.1.1). `all` when it cannot be read or lists too many: what may be signed is not changed.
 *
 * @throws WindowEnds
 */
export function signedTags(...found: Found): readonly number[] | 'all' {
  try {
    return listedTags(...found);
  } catch (thrown) {
    if (thrown instanceof DicomError) return 'all';
    throw thrown;
  }
}

/** The sequence in its dataset: its first byte, and the one behind it. */
type Found = readonly [window: Window, header: Header, at: number, end: number, encoding: Encoding];

function listedTags(...[window, header, at, end, encoding]: Found): readonly number[] | 'all' {
  const site = presentSite(at, header, end);
  if (site.from === site.to) return [];
  if (end - at > MAC_PARAMETERS_BYTES_MAX) return 'all';
  window.require(end, at, header.tag);
  const inside = itemsEncoding(window, header, at, encoding);
  if (inside === undefined) return 'all';
  const signed = new Set<number>();
  const items = new Set<number>();
  const lists = new Set<number>();
  let readable = true;
  const open = site.state === 'undefined';
  visitItems(
    window,
    { tag: header.tag, from: site.from, limit: end, open, encoding: inside },
    (tag, from, to, path) => {
      const item = path[0]?.item ?? 0;
      items.add(item);
      if (path.length !== 1 || tag !== Tag.dataElementsSigned) return;
      lists.add(item);
      if ((to - from) % 4 !== 0) readable = false;
      const little = inside !== 'explicit-be';
      for (let next = from; next + 4 <= to && signed.size <= SIGNED_TAGS_MAX; next += 4) {
        signed.add(window.view.getUint16(next, little) * 0x10000 + window.view.getUint16(next + 2, little));
      }
    },
  );
  // An item without a list may have signed anything.
  const complete = readable && lists.size > 0 && lists.size === items.size;
  return complete && signed.size <= SIGNED_TAGS_MAX ? [...signed].sort((a, b) => a - b) : 'all';
}
