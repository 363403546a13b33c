import { type Header, UNDEFINED, VR } from './element.ts';
import { DicomError } from './error.ts';
import { SMALL_VALUE_BYTES_MAX } from './limits.ts';
import type { Scan } from './scan.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { plainText } from './text.ts';

/** Syntaxes whose pixel data is not compressed; the last is GE's, and only its byte order is its own. */
const NATIVE: ReadonlySet<string> = new Set([
  '1.2.840.10008.1.2',
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2.1.99',
  '1.2.840.10008.1.2.2',
  '1.2.840.113619.5.2',
]);

/**
 * Syntaxes with at least one fragment for each frame (PS3.5 section A.4): JPEG, JPEG-LS, JPEG 2000, JPEG XL,
 * HTJ2K, RLE, and what is not compressed at all. Not those of part 2 of JPEG 2000, which compress frames together, and no video.
 */
const FRAGMENT_PER_FRAME =
  /^1\.2\.840\.10008\.1\.2\.(?:1\.98|5|4\.(?:5\d|6\d|70|80|81|90|91|11[0-2]|20[1-3]))$/;

const NUMBERS: ReadonlySet<number> = new Set([Tag.samplesPerPixel, Tag.rows, Tag.columns, Tag.bitsAllocated]);
const TEXTS: ReadonlySet<number> = new Set([Tag.photometricInterpretation, Tag.numberOfFrames]);

/** Bits of a sample that needs no (0028,0100) to be known; 0 where it does. */
const PIXELS: ReadonlyMap<number, number> = new Map([
  [Tag.floatPixelData, 32],
  [Tag.doubleFloatPixelData, 64],
  [Tag.pixelData, 0],
]);

/** Samples for each pixel where two or four of them share their colours (PS3.3 section C.7.6.3.1.2). */
const SHARED_COLOURS: ReadonlyMap<string, number> = new Map([
  ['YBR_FULL_422', 2],
  ['YBR_PARTIAL_422', 2],
  ['YBR_PARTIAL_420', 1.5],
]);

/**
 * Holds an instance's pixel data against what its group 0028 promises: told of the top-level elements in
 * order, and of the headers inside encapsulated pixel data, it throws TRUNCATED when there is less. More
 * is no fault, and where group 0028 does not say enough nothing is.
 */
export class PixelData {
  readonly #syntax: string;
  readonly #encoding: Encoding;
  readonly #numbers = new Map<number, number>();
  readonly #texts = new Map<number, string>();
  /** Where encapsulated pixel data that is open began. */
  #openAt: number | undefined;
  /** Its items, the offset table among them; and those behind it that hold something. */
  #items = 0;
  #fragments = 0;

  constructor({ transferSyntaxUid, encoding }: Scan) {
    this.#syntax = transferSyntaxUid;
    this.#encoding = encoding;
  }

  /** True when value() is to be told what this top-level element holds. */
  wants({ tag, length }: Header): boolean {
    if (length === 0 || length > SMALL_VALUE_BYTES_MAX) return false;
    return TEXTS.has(tag) || (NUMBERS.has(tag) && length === 2);
  }

  /** The value that was wanted begins at `from`. */
  value({ tag, vr, length }: Header, bytes: Uint8Array, from: number): void {
    if (TEXTS.has(tag)) {
      this.#texts.set(tag, plainText(bytes, from, from + length));
      return;
    }
    const first = bytes[from] ?? 0;
    const second = bytes[from + 1] ?? 0;
    // A UN value is implicit little endian whatever the dataset is (PS3.5 section 6.2.2).
    const isBig = this.#encoding === 'explicit-be' && vr !== VR.UN;
    this.#numbers.set(tag, isBig ? first * 256 + second : second * 256 + first);
  }

  /** A top-level element begins at `at`. */
  element({ tag, length }: Header, at: number): void {
    const bits = PIXELS.get(tag);
    if (bits === undefined) return;
    if (length === UNDEFINED) {
      this.#openAt = at;
    } else if (NATIVE.has(this.#syntax)) {
      const promised = this.#nativeBytes(bits);
      if (length >= promised) return;
      const reason = `the pixel data has ${length.toString()} bytes, its frames take ${promised.toString()}`;
      throw new DicomError('TRUNCATED', reason, at, tag);
    }
  }

  /** A header inside a top-level element. */
  inside({ tag, length }: Header): void {
    if (this.#openAt === undefined) return;
    if (tag === Tag.item) {
      this.#items += 1;
      if (this.#items > 1 && length > 0) this.#fragments += 1;
    } else if (tag === Tag.sequenceEnd) {
      const at = this.#openAt;
      this.#openAt = undefined;
      const frames = this.#frames();
      if (this.#fragments >= frames || !FRAGMENT_PER_FRAME.test(this.#syntax)) return;
      const counts = `${this.#fragments.toString()} fragments for ${frames.toString()} frames`;
      throw new DicomError('TRUNCATED', `the pixel data has ${counts}`, at, Tag.pixelData);
    }
  }

  /** 0 when group 0028 does not tell. Frames of single bits follow each other within a byte. */
  #nativeBytes(bitsOfSample: number): number {
    const number = (tag: number): number => this.#numbers.get(tag) ?? 0;
    const bits = number(Tag.bitsAllocated) || bitsOfSample;
    const pixels = number(Tag.rows) * number(Tag.columns) * this.#frames();
    return Math.ceil((pixels * this.#samples() * bits) / 8);
  }

  #samples(): number {
    const samples = this.#numbers.get(Tag.samplesPerPixel) ?? 1;
    const shared = SHARED_COLOURS.get(this.#texts.get(Tag.photometricInterpretation) ?? '');
    return samples === 3 ? (shared ?? samples) : samples;
  }

  /** One where nothing, or nothing readable, is said. */
  #frames(): number {
    const text = this.#texts.get(Tag.numberOfFrames) ?? '';
    return /^\+?[0-9]+$/.test(text) ? Number(text) : 1;
  }
}
