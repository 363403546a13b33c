import { DicomError } from './error.ts';
import { WINDOW_BYTES_FIRST, WINDOW_BYTES_MAX, WINDOW_GROWTH } from './limits.ts';

/** Thrown when the window is too short and the instance is not; scan() turns it into `{ need }`. */
export class WindowEnds extends Error {
  override readonly name = 'WindowEnds';
  readonly need: number;

  constructor(need: number) {
    super('the window ends here, the instance does not');
    this.need = need;
  }
}

/**
 * The first bytes of an instance, of which more may exist. Whoever reads calls `require` before, so
 * a length from the file is held against what there is before anybody acts on it.
 */
export class Window {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes of the whole instance. */
  readonly total: number;

  constructor(bytes: Uint8Array, total: number) {
    this.bytes = bytes.byteLength > total ? bytes.subarray(0, total) : bytes;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    this.total = total;
  }

  /** Throws TRUNCATED when the instance has no byte before `end`; `tag` and `at` say who asks. */
  within(end: number, at: number, tag?: number): void {
    if (end <= this.total) return;
    const missing = (end - this.total).toString();
    throw new DicomError('TRUNCATED', `the instance ends ${missing} bytes before this element does`, at, tag);
  }

  /** Makes sure that the bytes before `end` are here. Throws TRUNCATED, HEAD_TOO_LARGE or WindowEnds. */
  require(end: number, at: number, tag?: number): void {
    if (end <= this.bytes.byteLength) return;
    this.within(end, at, tag);
    if (end > WINDOW_BYTES_MAX) {
      const limit = (WINDOW_BYTES_MAX / 1024 / 1024).toString();
      throw new DicomError('HEAD_TOO_LARGE', `the head goes on behind ${limit} MiB`, at, tag);
    }
    let need = WINDOW_BYTES_FIRST;
    while (need < end) need *= WINDOW_GROWTH;
    throw new WindowEnds(Math.min(need, WINDOW_BYTES_MAX, this.total));
  }

  /** True when nothing but zeros follows; bytes behind the window are not looked at. */
  zerosFrom(at: number): boolean {
    return this.bytes.subarray(at).every((byte) => byte === 0);
  }
}
