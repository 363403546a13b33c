import { PART_END, packageEnd, partHeader } from './multipart.ts';

/** A run of a package: [from, to) of the header, data or end of one part, or of the package's end. */
export interface Run {
  readonly of: 'frame' | 'data';
  /** Which part; for the package's end the number of parts. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
  /** The frame's text, of which [from, to) is meant; '' for data. */
  readonly frame: string;
}

/**
 * Where everything lies in a package of parts of known lengths. One number is kept a part, so that a
 * package of 100,000 costs 800 KB; the rest is computed where a reader gets to it.
 */
export class PackageLayout {
  readonly count: number;
  /** Bytes of the whole package. */
  readonly total: number;
  readonly #boundary: string;
  readonly #bytesOf: (index: number) => number;
  /** Where each part begins with its delimiter, and behind them the package's end. */
  readonly #starts: Float64Array;

  /** @param bytesOf bytes of the data of a part; always the same for the same index */
  constructor(boundary: string, count: number, bytesOf: (index: number) => number) {
    this.count = count;
    this.#boundary = boundary;
    this.#bytesOf = bytesOf;
    this.#starts = new Float64Array(count + 1);
    const fixed = partHeader(boundary, 0).length - 1 + PART_END.length;
    let at = 0;
    for (let index = 0; index < count; index += 1) {
      const bytes = bytesOf(index);
      if (!Number.isSafeInteger(bytes) || bytes < 0)
        throw new RangeError(`part ${index.toString()} has no length`);
      this.#starts[index] = at;
      at += fixed + bytes.toString().length + bytes;
    }
    this.#starts[count] = at;
    this.total = at + packageEnd(boundary).length;
  }

  /** Offset of the first byte of the data of a part. Throws RangeError for a part that is not there. */
  dataAt(index: number): number {
    const start = index < this.count ? this.#starts[index] : undefined;
    if (start === undefined) throw new RangeError(`there is no part ${index.toString()}`);
    return start + partHeader(this.#boundary, this.#bytesOf(index)).length;
  }

  /** The runs that make [start, end), one after the other. Throws RangeError for no such range. */
  *runs(start: number, end: number): Generator<Run> {
    if (!(start >= 0 && start <= end && end <= this.total)) {
      throw new RangeError(
        `no range from ${start.toString()} to ${end.toString()} of ${this.total.toString()}`,
      );
    }
    for (let index = this.#partAt(start); index <= this.count; index += 1) {
      let at = this.#starts[index] ?? this.total;
      if (at >= end) return;
      for (const [of, frame, bytes] of this.#pieces(index)) {
        const from = Math.max(0, start - at);
        const to = Math.min(bytes, end - at);
        if (from < to) yield { of, index, from, to, frame };
        at += bytes;
      }
    }
  }

  #pieces(index: number): ['frame' | 'data', string, number][] {
    if (index === this.count) {
      const end = packageEnd(this.#boundary);
      return [['frame', end, end.length]];
    }
    const bytes = this.#bytesOf(index);
    const header = partHeader(this.#boundary, bytes);
    return [
      ['frame', header, header.length],
      ['data', '', bytes],
      ['frame', PART_END, PART_END.length],
    ];
  }

  /** The part in which a byte lies: the last one that begins at or before it. */
  #partAt(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] ?? Number.POSITIVE_INFINITY) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
