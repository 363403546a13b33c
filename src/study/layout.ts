import { DICOM, PART_END, packageEnd, partHeader } from './multipart.ts';

/** A run of a container: [from, to) of what frames its parts, or of the data of one. */
export interface Run {
  readonly of: 'frame' | 'data';
  /** Which part; for what stands behind all of them the number of parts. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
  /** The frame's bytes as Latin-1 text, of which [from, to) is meant; '' for data. */
  readonly frame: string;
}

/** Where everything lies in a container of parts of known lengths; its frames are made where a reader gets to them. */
export interface Layout {
  readonly count: number;
  /** Bytes of the whole container. */
  readonly total: number;
  /** Offset of the first byte of the data of a part. Throws RangeError for a part that is not there. */
  dataAt(index: number): number;
  /** The runs that make [start, end), one after the other. Throws RangeError for no such range. */
  runs(start: number, end: number): Generator<Run>;
}

/** What lies in a block of a container, in order, with its bytes. */
export type Piece = readonly [of: 'frame' | 'data', frame: string, bytes: number];

/**
 * The runs of [start, end) in a container that is made of blocks.
 *
 * @param starts where each block begins, ascending; the last one is the container's end
 * @param piecesOf what lies in a block, and which part it is of
 */
export function* runsOf(
  starts: Float64Array,
  piecesOf: (block: number) => { readonly index: number; readonly pieces: readonly Piece[] },
  start: number,
  end: number,
): Generator<Run> {
  const blocks = starts.length - 1;
  const total = starts[blocks] ?? 0;
  if (!(start >= 0 && start <= end && end <= total)) {
    throw new RangeError(`no range from ${start.toString()} to ${end.toString()} of ${total.toString()}`);
  }
  for (let block = blockAt(starts, start); block < blocks; block += 1) {
    let at = starts[block] ?? total;
    if (at >= end) return;
    const { index, pieces } = piecesOf(block);
    for (const [of, frame, bytes] of pieces) {
      const from = Math.max(0, start - at);
      const to = Math.min(bytes, end - at);
      if (from < to) yield { of, index, from, to, frame };
      at += bytes;
    }
  }
}

/** The block in which a byte lies: the last one that begins at or before it. */
function blockAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? Number.POSITIVE_INFINITY) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Throws RangeError for what is no number of bytes. */
export function checkBytes(index: number, bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(`part ${index.toString()} has no length`);
  }
}

/**
 * Where everything lies in a package (multipart/related). One number is kept a part, so that a package of
 * 100,000 costs 800 KB; the rest is computed where a reader gets to it.
 */
export class PackageLayout implements Layout {
  readonly count: number;
  readonly total: number;
  readonly #boundary: string;
  readonly #bytesOf: (index: number) => number;
  readonly #typeOf: (index: number) => string;
  /** Where each part begins with its delimiter, then the package's end, and behind that nothing. */
  readonly #starts: Float64Array;

  /**
   * @param bytesOf bytes of the data of a part; always the same for the same index
   * @param typeOf its Content-Type; the same
   */
  constructor(
    boundary: string,
    count: number,
    bytesOf: (index: number) => number,
    typeOf: (index: number) => string = () => DICOM,
  ) {
    this.count = count;
    this.#boundary = boundary;
    this.#bytesOf = bytesOf;
    this.#typeOf = typeOf;
    this.#starts = new Float64Array(count + 2);
    const fixed = partHeader(boundary, 0, '').length - 1 + PART_END.length;
    let at = 0;
    for (let index = 0; index < count; index += 1) {
      const bytes = bytesOf(index);
      checkBytes(index, bytes);
      this.#starts[index] = at;
      at += fixed + typeOf(index).length + bytes.toString().length + bytes;
    }
    this.#starts[count] = at;
    this.total = at + packageEnd(boundary).length;
    this.#starts[count + 1] = this.total;
  }

  dataAt(index: number): number {
    const start = index < this.count ? this.#starts[index] : undefined;
    if (start === undefined) throw new RangeError(`there is no part ${index.toString()}`);
    return start + this.#header(index).length;
  }

  runs(start: number, end: number): Generator<Run> {
    return runsOf(this.#starts, (block) => ({ index: block, pieces: this.#pieces(block) }), start, end);
  }

  #pieces(index: number): Piece[] {
    if (index === this.count) {
      const end = packageEnd(this.#boundary);
      return [['frame', end, end.length]];
    }
    const header = this.#header(index);
    return [
      ['frame', header, header.length],
      ['data', '', this.#bytesOf(index)],
      ['frame', PART_END, PART_END.length],
    ];
  }

  #header(index: number): string {
    return partHeader(this.#boundary, this.#bytesOf(index), this.#typeOf(index));
  }
}
