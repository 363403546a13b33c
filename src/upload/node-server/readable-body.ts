import type { Readable } from 'node:stream';
import { BodyStopped, BodyTooLarge, PeerGone } from '../../http/errors.ts';
import type { BodySink, RequestBody } from '../../http/exchange.ts';
import { bodyLimits } from '../../http/limits.ts';

const moves = ['readable', 'end', 'error', 'close'] as const;

/**
 * A Node stream as the body of a request, for the engine. One that ends before its length does is one whose
 * peer is gone, or whose request has lost its lock: either way nothing more comes.
 */
export class ReadableBody implements RequestBody {
  readonly length: number | undefined;
  readonly #stream: Readable;
  readonly #bytesMax: number | undefined;

  /** `bytesMax`: @tus/server fails the stream where the body goes beyond so many. */
  constructor(stream: Readable, length: number | undefined, bytesMax?: number) {
    this.#stream = stream;
    this.length = length;
    this.#bytesMax = bytesMax;
  }

  async drainTo(sink: BodySink, stop?: AbortSignal): Promise<number> {
    const stream = this.#stream;
    const writes = new Set<Promise<void>>();
    const failures: unknown[] = [];
    let position = 0;
    let wake: () => void = () => undefined;
    const moved = () => wake();
    const over = () =>
      failures.length > 0 || stream.readableEnded || stream.destroyed || stop?.aborted === true;
    const write = (chunk: Uint8Array) => {
      const written = sink
        .write(chunk, position)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          writes.delete(written);
          moved();
        });
      writes.add(written);
      position += chunk.byteLength;
    };
    for (const move of moves) stream.on(move, moved);
    stop?.addEventListener('abort', moved);
    try {
      while (failures.length === 0) {
        const chunk = writes.size < bodyLimits.writesInFlight ? (stream.read() as Uint8Array | null) : null;
        if (chunk !== null) {
          write(chunk);
        } else if (over() && writes.size === 0) {
          // What had arrived is written by now, however it ended.
          break;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      await Promise.all(writes);
    } finally {
      for (const move of moves) stream.off(move, moved);
      stop?.removeEventListener('abort', moved);
    }
    if (failures.length > 0) throw failures[0];
    if (stream.readableEnded && position >= (this.length ?? 0)) return position;
    if (stop?.aborted === true) throw new BodyStopped(position, stop.reason);
    if (stream.errored !== null && 'status_code' in stream.errored && position === this.#bytesMax) {
      // The byte too many was kept from us. The sink has to see that there is one, or what it got would pass
      // for a whole body and complete the upload; it refuses it.
      await sink.write(Buffer.alloc(1), position);
    }
    throw stream.errored ?? new PeerGone(position);
  }

  async bytes(max: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let total = 0;
    const writeSync = (bytes: Uint8Array) => {
      total += bytes.byteLength;
      if (total > max) throw new BodyTooLarge(max);
      parts.push(bytes);
    };
    await this.drainTo({ writeSync, write: async (bytes) => writeSync(bytes) });
    return Buffer.concat(parts, total);
  }
}
