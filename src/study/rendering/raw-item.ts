import { HEADER_BYTES_MIN, readHeader, tagAt, UNDEFINED } from '../../dicom/element.ts';
import { DicomError } from '../../dicom/error.ts';
import type { Scan } from '../../dicom/scan.ts';
import { Tag } from '../../dicom/tags.ts';
import { itemsEncoding, passOver, visitItems } from '../../dicom/visit.ts';
import { Window } from '../../dicom/window.ts';
import { ReportUnreadable } from './fault.ts';
import { sequenceItemsMax } from './limits.ts';
import { ReportTag } from './tags.ts';

/** A dataset or an item: values as they are written, views into the bytes they were read from. */
export class RawItem {
  readonly values = new Map<number, Uint8Array>();
  readonly #sequences = new Map<number, Map<number, RawItem>>();

  /** The items of a sequence that hold any value, in their order; none when it is absent. */
  items(sequence: number): RawItem[] {
    return [...(this.#sequences.get(sequence)?.values() ?? [])];
  }

  /** The first item of a sequence: most sequences of reports have one. */
  first(sequence: number): RawItem | undefined {
    return this.items(sequence)[0];
  }

  /** That item of a sequence, made when it is not there; undefined tells that it was not. */
  reach(sequence: number, item: number): { readonly inner: RawItem; readonly made: boolean } {
    const items = this.#sequences.get(sequence) ?? new Map<number, RawItem>();
    this.#sequences.set(sequence, items);
    const found = items.get(item);
    if (found !== undefined) return { inner: found, made: false };
    const inner = new RawItem();
    items.set(item, inner);
    return { inner, made: true };
  }
}

/** What anybody asks for. A hostile file has two million others, and each would be an object. */
const READ: ReadonlySet<number> = new Set([...Object.values(Tag), ...Object.values(ReportTag)]);

/** Which elements of the dataset itself are read: none behind `last`, and no other sequences than these. */
interface Wanted {
  readonly last: number;
  readonly sequences: ReadonlySet<number>;
}

/**
 * Reads a dataset's values, and those in the wanted sequences, as far as their tags are known here. It ends where
 * the bytes do.
 *
 * @param into gets what is read, and keeps it when this throws
 * @throws DicomError when the bytes end within an element or contradict PS3.5, ReportUnreadable over the limit and
 *   for what comes twice
 */
export function readRawItem(bytes: Uint8Array, scan: Scan, wanted: Wanted, into: RawItem): void {
  const window = new Window(bytes, bytes.byteLength);
  const count = { items: 0 };
  let at = scan.datasetAt;
  while (at + HEADER_BYTES_MIN <= bytes.byteLength && tagAt(window.view, at, scan.encoding) <= wanted.last) {
    const header = readHeader(window, at, scan.encoding);
    const from = at + header.bytes;
    const encoding = itemsEncoding(window, header, at, scan.encoding);
    const end = passOver(window, at, header, scan.encoding);
    if (encoding === undefined) {
      if (header.length !== UNDEFINED && READ.has(header.tag)) {
        keep(into, header.tag, bytes.subarray(from, end));
      }
    } else if (wanted.sequences.has(header.tag)) {
      const sequence = {
        tag: header.tag,
        from,
        limit: end,
        open: header.length === UNDEFINED,
        encoding,
      };
      visitItems(window, sequence, collector(bytes, into, count));
    }
    at = end;
  }
}

function collector(bytes: Uint8Array, root: RawItem, count: { items: number }) {
  // The way to the last value, of which the next one's is nearly all: a hostile file has two million values, 64 deep.
  const way: { sequence: number; item: number; inner: RawItem }[] = [];
  return (
    tag: number,
    from: number,
    to: number,
    path: readonly { readonly sequence: number; readonly item: number }[],
  ): void => {
    let known = 0;
    while (known < path.length && isStep(way[known], path[known])) known += 1;
    way.length = known;
    for (const { sequence, item } of path.slice(known)) {
      const { inner, made } = (way.at(-1)?.inner ?? root).reach(sequence, item);
      if (made) count.items += 1;
      way.push({ sequence, item, inner });
    }
    if (count.items > sequenceItemsMax) {
      throw new ReportUnreadable(`it has more than ${sequenceItemsMax.toString()} items in its sequences`);
    }
    if (READ.has(tag)) keep(way.at(-1)?.inner ?? root, tag, bytes.subarray(from, to));
  };
}

type Step = { readonly sequence: number; readonly item: number } | undefined;

function isStep(one: Step, other: Step): boolean {
  return one?.sequence === other?.sequence && one?.item === other?.item;
}

/** Of two values in one place the second would take the first's, unseen; so would a sequence that comes twice. */
function keep(item: RawItem, tag: number, value: Uint8Array): void {
  if (item.values.has(tag)) throw new ReportUnreadable('an element in it comes twice');
  item.values.set(tag, value);
}

/** What a DicomError says, as a fault of a report: no value is in it. Anything else is thrown again. */
export function unreadable(thrown: unknown): ReportUnreadable {
  if (thrown instanceof ReportUnreadable) return thrown;
  if (!(thrown instanceof DicomError)) throw thrown;
  return new ReportUnreadable(thrown.message);
}
