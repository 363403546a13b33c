import type { Readable as NodeReadable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageDamaged } from './errors.ts';
import { getPatienceMs, getRetriesMax, getRetryMs } from './limits.ts';
import { brokenReads } from './metrics.ts';
import type { Readable } from './reader.ts';
import { unreachable } from './s3-errors.ts';
import type { SegmentStore } from './segment-store.ts';
import type { SegmentName } from './segments.ts';

/**
 * A segment in S3, as a file to read: one GET goes on for as long as each read begins where the last one ended,
 * and no faster than that. One that breaks goes on from there.
 */
export class RemoteSegment implements Readable {
  readonly #store: Pick<SegmentStore, 'get' | 'isEnded'>;
  readonly #name: SegmentName;
  readonly #endOf: (position: number) => number;
  #body: NodeReadable | undefined;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  /** Came already, and is not read yet. */
  #left: Uint8Array = new Uint8Array();
  /** Where the next byte of the GET lies. */
  #at = 0;

  /** @param endOf up to where it will be read on from a position */
  constructor(
    store: Pick<SegmentStore, 'get' | 'isEnded'>,
    name: SegmentName,
    endOf: (position: number) => number,
  ) {
    this.#store = store;
    this.#name = name;
    this.#endOf = endOf;
  }

  async read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }> {
    const begun = performance.now();
    for (let failures = 0; ; failures++) {
      try {
        return { bytesRead: await this.#read(buffer.subarray(offset, offset + length), position) };
      } catch (error) {
        await this.close();
        const isOver = this.#store.isEnded || performance.now() - begun > getPatienceMs;
        if (error instanceof StorageDamaged || failures === getRetriesMax || isOver) {
          throw unreachable(error);
        }
        brokenReads.add(1);
        await sleep(getRetryMs * 2 ** failures);
      }
    }
  }

  close(): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    this.#chunks = undefined;
    this.#left = new Uint8Array();
    // Of what is left nobody reads a byte: the connection goes with it.
    body?.on('error', () => undefined).destroy();
    return Promise.resolve();
  }

  async #read(target: Uint8Array, position: number): Promise<number> {
    if (this.#body === undefined || this.#at !== position) {
      await this.close();
      const body = await this.#store.get(this.#name, position, this.#endOf(position));
      // Also while nobody waits for it.
      body.on('error', () => undefined);
      this.#body = body;
      this.#chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      this.#at = position;
    }
    while (this.#left.byteLength === 0) {
      const next = await this.#chunks?.next();
      if (next === undefined || next.done === true) {
        throw new Error('S3 ended its answer before its last byte');
      }
      this.#left = next.value;
    }
    const bytes = Math.min(target.byteLength, this.#left.byteLength);
    target.set(this.#left.subarray(0, bytes));
    this.#left = this.#left.subarray(bytes);
    this.#at += bytes;
    return bytes;
  }
}
