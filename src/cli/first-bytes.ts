import type { FileHandle } from 'node:fs/promises';
import { constants, createInflate, createInflateRaw } from 'node:zlib';
import { isZlibWrapped } from '../dicom/deflated.ts';
import { IDENTITY_BYTES, WINDOW_GROWTH } from '../dicom/limits.ts';
import { readFully } from './file-bytes.ts';

/**
 * Gives the first so many bytes of something, each time from the very first; fewer only where it ends. A
 * buffer is lent until `Windows` has it back, or for good.
 */
export type FirstBytes = (bytes: number) => Promise<Uint8Array>;

/** Buffers that are used again and again: of a million files nothing but the head is wanted. */
export class Windows {
  readonly #spare: Buffer[] = [];

  /** Lends windows on a file, from byte `start` on, to `use`, and has them back when that has ended. */
  async lend<T>(file: FileHandle, start: number, use: (first: FirstBytes) => Promise<T>): Promise<T> {
    const lent: Buffer[] = [];
    try {
      return await use(async (bytes) => {
        const buffer =
          bytes > IDENTITY_BYTES
            ? Buffer.allocUnsafe(bytes)
            : (this.#spare.pop() ?? Buffer.allocUnsafeSlow(IDENTITY_BYTES));
        if (buffer.byteLength === IDENTITY_BYTES) lent.push(buffer);
        return buffer.subarray(0, await readFully(file, buffer, start, start + bytes));
      });
    } finally {
      this.#spare.push(...lent);
    }
  }
}

/**
 * What the deflate stream at byte `from` of something of `size` bytes inflates to. Reads no more of it than
 * it takes; of a stream that ends too early it gives what there is. Rejects with zlib's error.
 */
export function firstInflated(first: FirstBytes, size: number, from: number): FirstBytes {
  return async (bytes) => {
    for (let stored = IDENTITY_BYTES; ; stored *= WINDOW_GROWTH) {
      const deflated = (await first(Math.min(stored, size))).subarray(from);
      const inflated = await inflateUpTo(deflated, bytes);
      if (inflated.byteLength === bytes || stored >= size) return inflated;
    }
  };
}

async function inflateUpTo(deflated: Uint8Array, bytes: number): Promise<Uint8Array> {
  const options = { finishFlush: constants.Z_SYNC_FLUSH };
  const engine = isZlibWrapped(deflated) ? createInflate(options) : createInflateRaw(options);
  engine.end(deflated);
  const chunks: Buffer[] = [];
  let inflated = 0;
  for await (const chunk of engine as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    inflated += chunk.byteLength;
    // Leaving the loop ends the engine: a bomb gets no further than this.
    if (inflated >= bytes) break;
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}
