import type { BodySink, RequestBody } from '../../src/http/exchange.ts';

/** A body whose peer is the test: what `send` was given has arrived; `end` and `vanish` end it. */
export class FakeBody implements RequestBody {
  readonly length: number | undefined;
  readonly #arrived: Uint8Array[] = [];
  #ended: 'end' | 'vanish' | undefined;
  #wake: () => void = () => undefined;

  constructor(length?: number) {
    this.length = length;
  }

  /** A body that is there whole. */
  static of(bytes: Uint8Array, chunkBytes = Math.max(1, bytes.byteLength)): FakeBody {
    const body = new FakeBody(bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
      body.send(bytes.subarray(at, at + chunkBytes));
    }
    body.end();
    return body;
  }

  send(bytes: Uint8Array): void {
    this.#arrived.push(bytes);
    this.#wake();
  }

  end(): void {
    this.#ended = 'end';
    this.#wake();
  }

  vanish(): void {
    this.#ended = 'vanish';
    this.#wake();
  }

  async drainTo(sink: BodySink, stop?: AbortSignal): Promise<number> {
    let position = 0;
    let failure: { error: unknown } | undefined;
    const writes = new Set<Promise<void>>();
    stop?.addEventListener('abort', () => this.#wake());
    for (;;) {
      const bytes = this.#arrived.shift();
      if (bytes !== undefined) {
        const write: Promise<void> = sink
          .write(bytes, position)
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => writes.delete(write));
        writes.add(write);
        position += bytes.byteLength;
        if (writes.size >= 2) {
          await Promise.race(writes);
        }
      }
      if (failure !== undefined) {
        await Promise.all(writes);
        throw failure.error;
      }
      if (bytes !== undefined) {
        continue;
      }
      if (this.#ended !== undefined || stop?.aborted === true) {
        await Promise.all(writes);
        if (failure !== undefined) {
          throw (failure as { error: unknown }).error;
        }
        if (this.#ended === 'end') {
          return position;
        }
        throw new Error(this.#ended === 'vanish' ? 'the peer is gone' : 'the body was stopped');
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  bytes(max: number): Promise<Uint8Array> {
    const whole = Buffer.concat(this.#arrived);
    return whole.byteLength > max ? Promise.reject(new Error('too large')) : Promise.resolve(whole);
  }
}
