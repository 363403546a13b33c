import { HEADER_BYTES_MIN, readHeader, tagAt, UNDEFINED } from '../../dicom/element.ts';
import { DicomError } from '../../dicom/error.ts';
import type { Scan } from '../../dicom/scan.ts';
import { itemsEncoding, passOver, visitItems } from '../../dicom/visit.ts';
import { Window } from '../../dicom/window.ts';
import { ReportUnreadable } from './fault.ts';
import { sequenceItemsMax } from './limits.ts';

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

/** Which elements of the dataset itself are read: none behind `last`, and no other sequences than these. */
interface Wanted {
  readonly last: number;
  readonly sequences: ReadonlySet<number>;
}

/**
 * Reads a dataset's values, and everything in the wanted sequences. It ends where the bytes do.
 *
 * @param into gets what is read, and keeps it when this throws
 * @throws DicomError when the bytes end within an element or contradict PS3.5, ReportUnreadable over the limit
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
      if (header.length !== UNDEFINED) into.values.set(header.tag, bytes.subarray(from, end));
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
  return (
    tag: number,
    from: number,
    to: number,
    path: readonly { readonly sequence: number; readonly item: number }[],
  ): void => {
    let item = root;
    for (const step of path) {
      const { inner, made } = item.reach(step.sequence, step.item);
      if (made) count.items += 1;
      item = inner;
    }
    if (count.items > sequenceItemsMax) {
      throw new ReportUnreadable(`it has more than ${sequenceItemsMax.toString()} items in its sequences`);
    }
    item.values.set(tag, bytes.subarray(from, to));
  };
}

/** What a DicomError says, as a fault of a report: no value is in it. Anything else is thrown again. */
export function unreadable(thrown: unknown): ReportUnreadable {
  if (thrown instanceof ReportUnreadable) return thrown;
  if (!(thrown instanceof DicomError)) throw thrown;
  return new ReportUnreadable(thrown.message);
}
