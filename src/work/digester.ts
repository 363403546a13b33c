import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Digest } from './jobs.ts';

/** The digests of one instance as a receiver gets it, in one pass. */
export class Digester {
  /** It looks at no head; see Inspector. */
  readonly headBytes = 0;
  readonly #hash = createHash('sha256');
  #crc32 = 0;
  #bytes = 0;

  feed(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#crc32 = crc32(chunk, this.#crc32);
    this.#bytes += chunk.byteLength;
  }

  finish(): Digest {
    return { sha256: this.#hash.digest(), crc32: this.#crc32, bytes: this.#bytes };
  }
}
