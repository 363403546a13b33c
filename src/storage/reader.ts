import { StorageDamaged } from './errors.ts';
import { readChunkBytes } from './limits.ts';
import type { Run } from './storage.ts';

/**
 * The part [start, end) of extents (or of file ranges) laid end to end, as such. Empty ones are left out.
 *
 * Throws RangeError when the extents hold less than `end` bytes or the range is backwards.
 */
export function slice<R extends Run>(extents: readonly R[], start: number, end: number): R[] {
  if (!(start >= 0 && start <= end)) {
    throw new RangeError(`no range from ${start} to ${end}`);
  }
  const parts: R[] = [];
  let at = 0;
  for (const extent of extents) {
    const from = Math.max(start, at);
    const to = Math.min(end, at + extent.bytes);
    if (from < to) {
      parts.push({ ...extent, start: extent.start + from - at, bytes: to - from });
    }
    at += extent.bytes;
  }
  if (end > at) {
    throw new RangeError(`the extents hold ${at} bytes, ${end} were asked for`);
  }
  return parts;
}

/**
 * Yields the extents' bytes one chunk at a time, reading the next one while the consumer has the last:
 * two buffers take turns, so a chunk is valid until the next one is asked for.
 */
export async function* readExtents<N extends string>(
  openObject: OpenObject<N>,
  extents: readonly NamedRun<N>[],
): AsyncGenerator<Uint8Array> {
  const chunkBytes = Math.min(readChunkBytes, Math.max(0, ...extents.map(({ bytes }) => bytes)));
  const buffers = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)] as const;
  const source = new Source(openObject);
  const chunks = chunksOf(extents, chunkBytes);
  let turn: 0 | 1 = 0;

  const readNext = (): Promise<Uint8Array> | undefined => {
    const next = chunks.next();
    if (next.done === true) {
      return undefined;
    }
    turn = turn === 0 ? 1 : 0;
    const reading = source.read(next.value, buffers[turn]);
    // Awaited when the consumer asks; until then a failure must not count as unhandled.
    reading.catch(() => undefined);
    return reading;
  };

  let reading = readNext();
  try {
    while (reading !== undefined) {
      const chunk = await reading;
      reading = readNext();
      yield chunk;
    }
  } finally {
    // A consumer may leave early: nothing may read into a file that is closed.
    await reading?.catch(() => undefined);
    await source.close();
  }
}

/** A run of bytes of an object, or of a segment of one. */
export interface NamedRun<N extends string = string> extends Run {
  readonly object: N;
}

/** What readExtents wants of a FileHandle. */
export interface Readable {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

export type OpenObject<N extends string> = (object: N) => Promise<Readable>;

function* chunksOf<N extends string>(
  extents: readonly NamedRun<N>[],
  chunkBytes: number,
): Generator<NamedRun<N>> {
  for (const { object, start, bytes } of extents) {
    for (let at = 0; at < bytes; at += chunkBytes) {
      yield { object, start: start + at, bytes: Math.min(chunkBytes, bytes - at) };
    }
  }
}

/** The one file that is open for reading; neighbouring extents of one object share it. */
class Source<N extends string> {
  readonly #openObject: OpenObject<N>;
  #open: { readonly object: N; readonly file: Readable } | undefined;

  constructor(openObject: OpenObject<N>) {
    this.#openObject = openObject;
  }

  async read({ object, start, bytes }: NamedRun<N>, buffer: Uint8Array): Promise<Uint8Array> {
    if (this.#open?.object !== object) {
      await this.close();
      this.#open = { object, file: await this.#openObject(object) };
    }
    const { file } = this.#open;
    let done = 0;
    while (done < bytes) {
      const { bytesRead } = await file.read(buffer, done, bytes - done, start + done);
      if (bytesRead === 0) {
        const end = start + done;
        const message = `object ${object} ends at byte ${end}, ${start + bytes} were recorded`;
        throw new StorageDamaged(message, { object, end, recorded: start + bytes });
      }
      done += bytesRead;
    }
    return buffer.subarray(0, bytes);
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }
}
