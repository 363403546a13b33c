import { Digester } from './digester.ts';
import type { Inspection } from './jobs.ts';
import { Reading } from './reading.ts';

/** Looks at one instance in one pass over its bytes: the digests of all of them, and what reading finds. */
export class Inspector {
  readonly #digester = new Digester();
  readonly #reading: Reading;

  /** @param bytes of the whole instance */
  constructor(bytes: number) {
    this.#reading = new Reading(bytes);
  }

  /** Bytes that are kept until the head can be read. */
  get headBytes(): number {
    return this.#reading.headBytes;
  }

  /** The next bytes; they are copied if they are needed longer. */
  feed(chunk: Uint8Array): void {
    this.#digester.feed(chunk);
    this.#reading.feed(chunk);
  }

  /** The result. Throws RangeError when other than the announced number of bytes were fed. */
  finish(): Inspection {
    const found = this.#reading.finish();
    const { sha256, crc32 } = this.#digester.finish();
    return { ...found, sha256, crc32 };
  }
}
