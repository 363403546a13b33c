import { findSopInstanceUid } from './sop-instance-uid.ts';

/** Looked at for the UID at the start of each part. */
const PART_HEAD_BYTES = 64 * 1024;
/** RFC 2046 section 5.1.1 sets no limit to a part's headers; real ones have a hundred bytes. */
const PART_HEADERS_BYTES_MAX = 16 * 1024;
const BLANK_LINE = Buffer.from('\r\n\r\n', 'latin1');

/**
 * Listens to a multipart/related body as it goes by and tells the SOP Instance UID of each part as soon as
 * its bytes have come, so that a body that is cut off has told what it held. Keeps 64 KiB at most.
 */
export class MultipartTap {
  readonly sopInstanceUids: string[] = [];
  /** Parts begun, also those in which no UID was found. */
  parts = 0;
  readonly #delimiter: Buffer;
  readonly #tell: (sopInstanceUid: string) => void;
  #state: 'between' | 'headers' | 'head' | 'rest' = 'between';
  /** What is not decided yet: part headers, a part's first bytes, or a delimiter's possible beginning. */
  #kept: Buffer;

  constructor(boundary: string, tell: (sopInstanceUid: string) => void) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
    this.#tell = tell;
    // The first delimiter has no line break before it when there is no preamble.
    this.#kept = Buffer.from('\r\n', 'latin1');
  }

  take(chunk: Uint8Array): void {
    let bytes: Buffer = Buffer.concat([this.#kept, chunk]);
    for (;;) {
      const rest = this.#step(bytes);
      if (rest === undefined) return;
      bytes = rest;
    }
  }

  /** The body is over, whole or cut off. */
  end(): void {
    if (this.#state === 'head') this.#found(findSopInstanceUid(this.#kept, true));
    this.#kept = Buffer.alloc(0);
    this.#state = 'between';
  }

  /** Takes what it can from the front; returns what is left, or undefined when it needs more. */
  #step(bytes: Buffer): Buffer | undefined {
    if (this.#state === 'headers') {
      const end = bytes.indexOf(BLANK_LINE);
      if (end < 0 && bytes.byteLength < PART_HEADERS_BYTES_MAX) return this.#keep(bytes);
      this.#state = 'head';
      this.parts += 1;
      // The line break of the blank line may be the delimiter's own, in a part without content.
      return end < 0 ? bytes : bytes.subarray(end + 2);
    }
    const delimiterAt = bytes.indexOf(this.#delimiter);
    if (this.#state === 'head') {
      const content = delimiterAt < 0 ? bytes : bytes.subarray(0, delimiterAt);
      const whole = delimiterAt >= 0 || content.byteLength >= PART_HEAD_BYTES;
      const uid = findSopInstanceUid(content.subarray(0, PART_HEAD_BYTES), whole);
      if (uid === undefined && !whole) return this.#keep(bytes);
      this.#found(uid);
      this.#state = 'rest';
    }
    if (delimiterAt < 0) {
      return this.#keep(bytes.subarray(Math.max(0, bytes.byteLength - this.#delimiter.byteLength + 1)));
    }
    const end = delimiterAt + this.#delimiter.byteLength;
    // The last delimiter has two hyphens behind it; nothing but an epilogue follows.
    if (bytes.byteLength < end + 2) {
      this.#state = 'rest';
      return this.#keep(bytes.subarray(delimiterAt));
    }
    this.#state = bytes.toString('latin1', end, end + 2) === '--' ? 'between' : 'headers';
    return bytes.subarray(end);
  }

  #keep(bytes: Buffer): undefined {
    // A copy: the chunk belongs to the socket.
    this.#kept = Buffer.from(bytes);
  }

  #found(uid: string | undefined): void {
    if (uid === undefined) return;
    this.sopInstanceUids.push(uid);
    this.#tell(uid);
  }
}

/** The boundary of a multipart Content-Type, quoted or not (RFC 2046 section 5.1.1); undefined when it has none. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  const match = /^multipart\/.*;\s*boundary=(?:"([^"]{1,70})"|([^\s";]{1,70}))/i.exec(contentType ?? '');
  return match?.[1] ?? match?.[2];
}
