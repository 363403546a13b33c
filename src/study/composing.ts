import { storedBlocks, storedBytes } from '../dicom/deflated.ts';
import { type Edit, growth } from '../dicom/edit.ts';
import type { InstanceRecord } from '../state/records.ts';
import { lendInTurns, takeRanges } from '../storage/lending.ts';
import { slice } from '../storage/reader.ts';
import type { ByteReader, Extent, FileRange, Run } from '../storage/storage.ts';
import { CompositionChanged } from './errors.ts';
import type { Layout } from './layout.ts';

/** A run of what a receiver gets: bytes as they are stored, or bytes that an edit inserts. */
export type Segment<R extends Run = Extent> =
  | { readonly from: 'stored'; readonly extents: readonly R[]; readonly bytes: number }
  /** May hold the BSN: never store or log it. */
  | { readonly from: 'insert'; readonly insert: Uint8Array; readonly bytes: number };

/** Where the bytes of an instance lie: in stored objects, or in files. */
export interface StoredInstance<R extends Run = Extent> {
  readonly extents: readonly R[];
  /** Of all of them. */
  readonly bytes: number;
  /** Of a deflated dataset: what edits are done to, see Inflated in state/records.ts. */
  readonly inflated: { readonly head: R; readonly tail: R } | null;
  /** Where the dataset begins, from the scan. Read beside `inflated` only. */
  readonly datasetAt: number;
}

/** The same of a record. */
export function storedInstance({
  extents,
  bytes,
  inflated,
  scan,
}: Pick<InstanceRecord, 'extents' | 'bytes' | 'inflated' | 'scan'>): StoredInstance {
  return { extents, bytes, inflated, datasetAt: scan?.datasetAt ?? 0 };
}

/**
 * What a receiver gets of an instance, as segments one after the other: the stored bytes, with the edits
 * done. A deflated dataset without edits goes out as it came; with edits, its head as stored blocks with
 * the edits done, its tail as it was deflated anew, and a zero if the stream is odd (PS3.5 annex A.5).
 *
 * @param edits ascending and not overlapping; RangeError when they are not, or reach behind the instance
 *   (of a deflated one: behind its head, or from its file meta into its dataset)
 */
export function composeInstance<R extends Run>(
  instance: StoredInstance<R>,
  edits: readonly Edit[],
): Segment<R>[] {
  const { extents, bytes, inflated, datasetAt } = instance;
  if (inflated === null || edits.length === 0) return splice(extents, 0, bytes, edits);
  const { head, tail } = inflated;
  const meta = splice(
    [head],
    0,
    datasetAt,
    edits.filter(({ at }) => at < datasetAt),
  );
  const dataset = splice(
    [head],
    datasetAt,
    head.bytes,
    edits.filter(({ at }) => at >= datasetAt),
  );
  const blocks = [...storedBlocks(segmentsBytes(dataset))].flatMap((block) => [
    inserted(block.head),
    ...cut(dataset, block.from, block.to),
  ]);
  const stream = [...blocks, ...kept([tail], 0, tail.bytes)];
  const padding = segmentsBytes(stream) % 2 === 0 ? [] : [inserted(new Uint8Array(1))];
  return [...meta, ...stream, ...padding];
}

/** Bytes of what composeInstance gives, without making it. */
export function composedBytes(
  { bytes, inflated, datasetAt }: StoredInstance<Run>,
  edits: readonly Edit[],
): number {
  if (inflated === null || edits.length === 0) return bytes + growth(edits);
  const metaBytes = datasetAt + growth(edits.filter(({ at }) => at < datasetAt));
  const headBytes = inflated.head.bytes + growth(edits) - metaBytes;
  const streamBytes = storedBytes(headBytes) + inflated.tail.bytes;
  return metaBytes + streamBytes + (streamBytes % 2);
}

/** The bytes [from, to) of runs laid end to end, with edits done. */
function splice<R extends Run>(
  runs: readonly R[],
  from: number,
  to: number,
  edits: readonly Edit[],
): Segment<R>[] {
  const segments: Segment<R>[] = [];
  let at = from;
  for (const edit of edits) {
    if (edit.at < at || edit.remove < 0 || edit.at + edit.remove > to) {
      throw new RangeError(
        `an edit at byte ${edit.at.toString()} overlaps the one before, or reaches behind byte ${to.toString()}`,
      );
    }
    segments.push(...kept(runs, at, edit.at));
    if (edit.insert.byteLength > 0) segments.push(inserted(edit.insert));
    at = edit.at + edit.remove;
  }
  segments.push(...kept(runs, at, to));
  return segments;
}

/** The bytes [from, to) of segments laid end to end. */
function cut<R extends Run>(segments: readonly Segment<R>[], from: number, to: number): Segment<R>[] {
  const found: Segment<R>[] = [];
  let at = 0;
  for (const segment of segments) {
    if (at >= to) break;
    const low = Math.max(0, from - at);
    const high = Math.min(segment.bytes, to - at);
    at += segment.bytes;
    if (low >= high) continue;
    if (segment.from === 'insert') found.push(inserted(segment.insert.subarray(low, high)));
    else found.push(...kept(segment.extents, low, high));
  }
  return found;
}

function kept<R extends Run>(runs: readonly R[], from: number, to: number): Segment<R>[] {
  return from < to ? [{ from: 'stored', extents: slice(runs, from, to), bytes: to - from }] : [];
}

function inserted(insert: Uint8Array): Segment<never> {
  return { from: 'insert', insert, bytes: insert.byteLength };
}

/** A run of a composition for a worker: where stored bytes lie in the file system, or what is inserted. */
export type ComposedPiece = FileRange | Uint8Array;

/** Many compositions for workers (WorkPool.digest), lent as lendInTurns does. */
export function lendPieces<R>(
  storage: Pick<ByteReader, 'lend'>,
  compositions: readonly (readonly Segment[])[],
  use: (compositions: ComposedPiece[][]) => Promise<readonly R[]>,
): Promise<R[]> {
  const stored = compositions.map((segments) =>
    segments.flatMap((segment) => (segment.from === 'stored' ? segment.extents : [])),
  );
  return lendInTurns(storage, stored, (lent, from) =>
    use(lent.map((ranges, at) => [...woven(compositions[from + at] ?? [], ranges)])),
  );
}

/** The inserts again between the ranges of what is stored. */
function* woven(segments: readonly Segment[], ranges: readonly FileRange[]): Generator<ComposedPiece> {
  const rest = ranges.values();
  for (const segment of segments) {
    if (segment.from === 'insert') yield segment.insert;
    else yield* takeRanges(rest, segment.bytes);
  }
}

export function segmentsBytes(segments: readonly Segment<Run>[]): number {
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
export interface Composed extends StoredInstance {
  readonly edits: readonly Edit[];
}

export interface CompositionOptions {
  /** The container: PackageLayout or ZipLayout. */
  readonly layout: Layout;
  /** Bytes of instance `index` as the receiver gets it, see composedBytes. Any array of numbers. */
  readonly bytes: ArrayLike<number>;
  /** Asked only when a read gets to the instance, and again by each read: has to answer the same. */
  readonly instance: (index: number) => Composed | Promise<Composed>;
}

/**
 * What a receiver gets of many instances: one package (multipart/related, PS3.18 section 8.7.1) or archive
 * whose every byte is known by its offset, without having been made. Keeps 16 bytes an instance.
 */
export class Composition {
  /** Bytes of the whole package. */
  readonly total: number;
  readonly #options: CompositionOptions;
  readonly #layout: Layout;

  constructor(options: CompositionOptions) {
    this.#options = options;
    this.#layout = options.layout;
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
    const { edits, ...instance } = await this.#options.instance(index);
    const segments = composeInstance(instance, edits);
    const composed = segmentsBytes(segments);
    const announced = this.#options.bytes[index] ?? 0;
    if (composed !== announced) throw new CompositionChanged(index, announced, composed);
    return segments;
  }
}
