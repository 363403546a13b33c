import {
  HEADER_BYTES_MAX,
  HEADER_BYTES_MIN,
  type Header,
  headerBytes,
  parseHeader,
  tagAt,
  UNDEFINED,
} from './element.ts';
import { DicomError } from './error.ts';
import { SMALL_VALUE_BYTES_MAX } from './limits.ts';
import { Nesting } from './nesting.ts';
import { PixelData } from './pixel-data.ts';
import type { Scan } from './scan.ts';
import { Tag, tagText } from './tags.ts';
import { NO_BYTES } from './text.ts';

export type Completeness =
  | { readonly complete: true }
  | {
      readonly complete: false;
      readonly code: 'TRUNCATED' | 'MALFORMED';
      /** As in `7FE0,0010`; '' when the fault belongs to no element. */
      readonly tag: string;
      readonly offset: number;
      readonly reason: string;
    };

/**
 * Tells whether an instance is whole: fed with all its bytes in order, it walks from where the scan
 * ended to the last element, passing over values and entering only what has no length (fragments of
 * encapsulated pixel data among it). A header may be split over chunks; of values only the few bytes of
 * group 0028 are held that tell how much pixel data there has to be, and less is TRUNCATED.
 *
 * Trailing padding, the element (FFFC,FFFC) or zeros, is no fault.
 */
export class DatasetWalk {
  readonly #total: number;
  readonly #nesting: Nesting;
  /** The head of an element that is not all here yet. */
  #carry: Uint8Array = NO_BYTES;
  #carried = 0;
  /** Bytes of the instance that were fed. */
  #fed = 0;
  /** Where the next header begins; in front of it everything is passed over. */
  #next: number;
  /** The last element of the top level; the scan has seen to those before. */
  #last: number = Tag.seriesInstanceUid;
  #padding = false;
  readonly #pixels: PixelData;
  /** A value that is wanted, how many of its bytes are here, and those. */
  #wanted: Header | undefined;
  #held = 0;
  #value: Uint8Array = NO_BYTES;
  #fault: Completeness | undefined;

  constructor(scan: Scan, instanceBytes: number) {
    this.#total = instanceBytes;
    this.#nesting = new Nesting(scan.encoding);
    this.#pixels = new PixelData(scan);
    this.#next = scan.scannedTo;
  }

  /** The next bytes of the instance, from its first one on. They are not kept. */
  feed(chunk: Uint8Array): void {
    const start = this.#fed;
    const end = start + chunk.byteLength;
    this.#hold(chunk, start);
    // Within the pixel data, where most chunks lie, there is nothing to read.
    if (this.#next > end) {
      this.#fed = end;
      return;
    }
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (this.#fault === undefined && !this.#padding && this.#next + this.#carried < end) {
      const at = this.#next + this.#carried - start;
      if (this.#carried === 0 && at + HEADER_BYTES_MAX <= chunk.byteLength)
        this.#take(view, at, HEADER_BYTES_MAX);
      else this.#collect(chunk, at);
      this.#hold(chunk, start);
    }
    if (this.#padding && this.#fault === undefined)
      this.#expectZeros(chunk, Math.max(0, this.#next - start), start);
    this.#fed = end;
  }

  /** The verdict, after the last chunk. */
  end(): Completeness {
    if (this.#fault !== undefined) return this.#fault;
    if (this.#fed < this.#total) {
      return this.#truncated(
        `only ${this.#fed.toString()} of ${this.#total.toString()} bytes came`,
        this.#fed,
      );
    }
    if (this.#nesting.inside) return this.#truncated('a sequence or pixel data has no end', this.#next);
    if (this.#carry.subarray(0, this.#carried).some((byte) => byte !== 0)) {
      return this.#truncated('the instance ends within the head of an element', this.#next);
    }
    return { complete: true };
  }

  /** Adds bytes to the header in hand until it is whole, then acts on it. */
  #collect(chunk: Uint8Array, at: number): void {
    const wanted = this.#carried < HEADER_BYTES_MIN ? HEADER_BYTES_MIN : HEADER_BYTES_MAX;
    // Room for what is split between chunks is made when that comes: it seldom does, and costs 1 µs an instance.
    if (this.#carry === NO_BYTES) this.#carry = new Uint8Array(HEADER_BYTES_MAX);
    const taken = chunk.subarray(at, at + wanted - this.#carried);
    this.#carry.set(taken, this.#carried);
    this.#carried += taken.byteLength;
    if (this.#carried === wanted) this.#take(new DataView(this.#carry.buffer), 0, wanted);
  }

  /** Takes what the chunk has of a wanted value, which ends where the next header begins. */
  #hold(chunk: Uint8Array, start: number): void {
    if (this.#wanted === undefined) return;
    const { length } = this.#wanted;
    const from = this.#next - length + this.#held - start;
    if (this.#held === 0 && from + length <= chunk.byteLength) {
      this.#pixels.value(this.#wanted, chunk, from);
      this.#wanted = undefined;
      return;
    }
    if (this.#value === NO_BYTES) this.#value = new Uint8Array(SMALL_VALUE_BYTES_MAX);
    const taken = chunk.subarray(from, from + length - this.#held);
    this.#value.set(taken, this.#held);
    this.#held += taken.byteLength;
    if (this.#held < length) return;
    this.#pixels.value(this.#wanted, this.#value, 0);
    this.#wanted = undefined;
    this.#held = 0;
  }

  /** Acts on the header at `at`, of which `available` bytes are there. */
  #take(view: DataView, at: number, available: number): void {
    if (!this.#nesting.inside && tagAt(view, at, this.#nesting.encoding) === 0) {
      this.#padding = true; // the zeros from here on are looked at in feed()
      const other = this.#carry.subarray(0, this.#carried).findIndex((byte) => byte !== 0);
      if (other >= 0) this.#misplaced(this.#next + other);
      this.#next += this.#carried;
      this.#carried = 0;
      return;
    }
    try {
      this.#step(view, at, available);
    } catch (thrown) {
      if (!(thrown instanceof DicomError)) throw thrown;
      const code = thrown.code === 'TRUNCATED' ? 'TRUNCATED' : 'MALFORMED';
      this.#fault = { complete: false, code, tag: thrown.tag, offset: thrown.offset, reason: thrown.reason };
    }
  }

  #step(view: DataView, viewAt: number, available: number): void {
    const at = this.#next;
    const { encoding, inside } = this.#nesting;
    const bytes = headerBytes(view, viewAt, encoding, at);
    if (available < bytes) return;
    const header = parseHeader(view, viewAt, encoding, bytes);
    if (!inside) this.#order(header, at);
    const skip = this.#nesting.take(header, at);
    const end = at + bytes + skip;
    if (end > this.#total) {
      const missing = (end - this.#total).toString();
      const reason = `the instance ends ${missing} bytes before this element does`;
      throw new DicomError('TRUNCATED', reason, at, header.tag);
    }
    this.#next = end;
    this.#carried = 0;
    if (inside) {
      this.#pixels.inside(header);
    } else {
      this.#pixels.element(header, at);
      if (this.#pixels.wants(header)) this.#wanted = header;
    }
  }

  #order(header: Header, at: number): void {
    if (header.tag <= this.#last) {
      throw new DicomError('MALFORMED', 'the element is out of order or there twice', at, header.tag);
    }
    if (header.tag === Tag.dataSetTrailingPadding && header.length === UNDEFINED) {
      throw new DicomError('MALFORMED', 'the trailing padding has no length', at, header.tag);
    }
    this.#last = header.tag;
  }

  #expectZeros(chunk: Uint8Array, from: number, start: number): void {
    const other = chunk.subarray(from).findIndex((byte) => byte !== 0);
    if (other >= 0) this.#misplaced(start + from + other);
  }

  #misplaced(offset: number): void {
    const reason = 'something other than padding follows the last element';
    this.#fault = { complete: false, code: 'MALFORMED', tag: '', offset, reason };
  }

  #truncated(reason: string, offset: number): Completeness {
    return { complete: false, code: 'TRUNCATED', tag: tagText(this.#last), offset, reason };
  }
}
