import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { TokenBucket } from './token-bucket.ts';

export type CutHow = 'reset' | 'fin';

/** Chunks on their way in a line with latency; one holds at most 64 KiB, so this is at most 4 MiB. */
const CHUNKS_UNDER_WAY_MAX = 64;

interface LineOptions {
  readonly bytesPerSecond: number | undefined;
  readonly latencyMs: number;
  /** Called when the bytes that `cutAfter` allowed have passed. */
  readonly cut: (how: CutHow) => void;
}

/**
 * One direction of the faulty line, shared by all connections. It reads no faster than the other end
 * takes and holds nothing but what latency keeps under way.
 */
export class FaultLine {
  /** Bytes that the kernel took for the other end, over all connections. */
  passed = 0;
  /** The same with the writes that are not through yet. */
  #begun = 0;
  readonly #options: LineOptions;
  readonly #bucket: TokenBucket | undefined;
  #cutAt = Number.POSITIVE_INFINITY;
  #flipAt = Number.POSITIVE_INFINITY;
  #cutHow: CutHow = 'reset';
  #stalled: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#bucket = options.bytesPerSecond === undefined ? undefined : new TokenBucket(options.bytesPerSecond);
  }

  cutAfter(bytes: number, how: CutHow): void {
    this.#cutAt = this.#begun + bytes;
    this.#cutHow = how;
  }

  flipAfter(bytes: number): void {
    this.#flipAt = this.#begun + bytes;
  }

  stall(): void {
    if (this.#stalled !== undefined) return;
    let end = (): void => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#stalled = { over, end };
  }

  unstall(): void {
    this.#stalled?.end();
    this.#stalled = undefined;
  }

  /** Carries everything from one socket to the other, then its end. Rejects when either breaks. */
  async carry(from: Socket, to: Socket): Promise<void> {
    for await (const chunk of this.#delayed(this.#paced(from))) {
      while (this.#stalled !== undefined) await this.#stalled.over;
      const slice = chunk.subarray(0, Math.max(0, this.#cutAt - this.#begun));
      const flip = this.#flipAt - this.#begun;
      if (flip < slice.byteLength) {
        this.#flipAt = Number.POSITIVE_INFINITY;
        slice[flip] = (slice[flip] ?? 0) ^ 1;
      }
      this.#begun += slice.byteLength;
      if (slice.byteLength > 0) await written(to, slice);
      this.passed += slice.byteLength;
      if (this.#begun >= this.#cutAt) {
        this.#cutAt = Number.POSITIVE_INFINITY;
        this.#options.cut(this.#cutHow);
        return;
      }
    }
    to.end();
  }

  async *#paced(from: Socket): AsyncGenerator<Buffer> {
    const chunks: AsyncIterable<Buffer> = from.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      let rest = chunk;
      while (this.#bucket !== undefined && rest.byteLength > 0) {
        const bytes = await this.#bucket.take(rest.byteLength);
        yield rest.subarray(0, bytes);
        rest = rest.subarray(bytes);
      }
      if (rest.byteLength > 0) yield rest;
    }
  }

  async *#delayed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const { latencyMs } = this.#options;
    if (latencyMs === 0) {
      yield* chunks;
      return;
    }
    // The stream reads ahead while the first chunk waits: that is what a long line does.
    const underWay: AsyncIterable<Stamped> = Readable.from(stamped(chunks, latencyMs), {
      highWaterMark: CHUNKS_UNDER_WAY_MAX,
    });
    for await (const { chunk, due } of underWay) {
      // Again until it is due: a timer may fire up to a millisecond early.
      for (let left = due - performance.now(); left > 0; left = due - performance.now()) await sleep(left);
      yield chunk;
    }
  }
}

interface Stamped {
  readonly chunk: Buffer;
  readonly due: number;
}

async function* stamped(chunks: AsyncIterable<Buffer>, latencyMs: number): AsyncGenerator<Stamped> {
  for await (const chunk of chunks) yield { chunk, due: performance.now() + latencyMs };
}

/** Resolves when the kernel has the bytes: the backpressure of the far end. */
function written(to: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    to.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
