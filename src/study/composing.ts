import type { Edit } from '../dicom/edit.ts';
import { slice } from '../storage/reader.ts';
import type { ByteReader, Extent } from '../storage/storage.ts';
import { CompositionChanged } from './errors.ts';
import { PackageLayout } from './layout.ts';

/** A run of what a receiver gets: bytes as they are stored, or bytes that an edit inserts. */
export type Segment =
  | { readonly from: 'stored'; readonly extents: readonly Extent[]; readonly bytes: number }
  /** May hold the BSN: never store or log it. */
  | { readonly from: 'insert'; readonly insert: Uint8Array; readonly bytes: number };

/**
 * What a receiver gets of an instance, as segments one after the other.
 *
 * @param bytes of the stored instance, which its extents hold
 * @param edits ascending and not overlapping; RangeError when they are not, or reach behind the instance
 */
export function composeInstance(
  extents: readonly Extent[],
  bytes: number,
  edits: readonly Edit[],
): Segment[] {
  const segments: Segment[] = [];
  const keep = (from: number, to: number): void => {
    if (from < to) segments.push({ from: 'stored', extents: slice(extents, from, to), bytes: to - from });
  };
  let at = 0;
  for (const edit of edits) {
    if (edit.at < at || edit.remove < 0 || edit.at + edit.remove > bytes) {
      throw new RangeError(
        `an edit at byte ${edit.at.toString()} overlaps the one before or the instance's end`,
      );
    }
    keep(at, edit.at);
    if (edit.insert.byteLength > 0) {
      segments.push({ from: 'insert', insert: edit.insert, bytes: edit.insert.byteLength });
    }
    at = edit.at + edit.remove;
  }
  keep(at, bytes);
  return segments;
}

export function segmentsBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

/**
 * The bytes [start, end) of segments laid end to end, at the pace of who takes them.
 *
 * A chunk is valid until the next one is asked for: who hands it to something that keeps it (a socket
 * whose write has not called back) copies it or waits.
 */
export async function* readSegments(
  storage: ByteReader,
  segments: readonly Segment[],
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const total = segmentsBytes(segments);
  if (!(start >= 0 && start <= end && end <= total)) {
    throw new RangeError(`no range from ${start.toString()} to ${end.toString()} of ${total.toString()}`);
  }
  let at = 0;
  for (const segment of segments) {
    const from = Math.max(0, start - at);
    const to = Math.min(segment.bytes, end - at);
    at += segment.bytes;
    if (from >= to) continue;
    if (segment.from === 'insert') yield segment.insert.subarray(from, to);
    else yield* storage.read(segment.extents, from, to);
  }
}

/** One instance as a composition asks for it. */
export interface Composed {
  readonly extents: readonly Extent[];
  /** Of the stored instance. */
  readonly bytes: number;
  readonly edits: readonly Edit[];
}

export interface CompositionOptions {
  readonly boundary: string;
  readonly count: number;
  /** Bytes of instance `index` as the receiver gets it: stored bytes and growth of its edits. Any array of numbers. */
  readonly bytes: ArrayLike<number>;
  /** Asked only when a read gets to the instance, and again by each read: has to answer the same. */
  readonly instance: (index: number) => Composed | Promise<Composed>;
}

/**
 * What a receiver gets of many instances: one package (multipart/related, PS3.18 section 8.7.1) whose
 * every byte is known by its offset, without having been made. Keeps 16 bytes an instance.
 */
export class Composition {
  /** Bytes of the whole package. */
  readonly total: number;
  readonly #options: CompositionOptions;
  readonly #layout: PackageLayout;

  constructor(options: CompositionOptions) {
    this.#options = options;
    this.#layout = new PackageLayout(options.boundary, options.count, (index) => options.bytes[index] ?? -1);
    this.total = this.#layout.total;
  }

  /** Offset of the first byte of an instance in the package. */
  offsetOf(index: number): number {
    return this.#layout.dataAt(index);
  }

  /**
   * The bytes [start, end) of the package, for any Range. Chunks as in readSegments.
   *
   * Rejects CompositionChanged when an instance is not as long as was announced, before a byte of it.
   */
  async *read(storage: ByteReader, start: number, end: number): AsyncGenerator<Uint8Array> {
    for (const { of, index, from, to, frame } of this.#layout.runs(start, end)) {
      if (of === 'frame') yield Buffer.from(frame.slice(from, to), 'latin1');
      else yield* readSegments(storage, await this.#segments(index), from, to);
    }
  }

  async #segments(index: number): Promise<Segment[]> {
    const { extents, bytes, edits } = await this.#options.instance(index);
    const segments = composeInstance(extents, bytes, edits);
    const composed = segmentsBytes(segments);
    const announced = this.#options.bytes[index] ?? 0;
    if (composed !== announced) throw new CompositionChanged(index, announced, composed);
    return segments;
  }
}
