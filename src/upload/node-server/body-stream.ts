import { PeerGone } from '../../http/errors.ts';
import type { BodySink, RequestBody } from '../../http/exchange.ts';

/**
 * A request's body as a web stream, as @tus/server reads it. The peer is read no faster than the stream: a
 * piece counts as written when the next one is asked for.
 *
 * A peer that is gone ends the stream as a body's end does. Everything that had arrived then reaches the
 * store, the request settles, and its lock goes; an error would throw away what lies in the streams between.
 */
export class BodyStream implements BodySink {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #body: RequestBody;
  readonly #stop = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #draining = false;
  #ended = false;
  #untaken: (() => void)[] = [];

  constructor(body: RequestBody) {
    this.#body = body;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#wanted(),
        cancel: () => void this.#over(),
      },
      // Nothing is read before somebody asks: a request that is refused leaves its body alone.
      { highWaterMark: 0 },
    );
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.writeSync(bytes);
    if (this.#ended || this.#controller?.desiredSize === 0) return;
    await new Promise<void>((resolve) => this.#untaken.push(resolve));
  }

  writeSync(bytes: Uint8Array): void {
    // A copy: the streams of @tus/server do not say when they are done with it, and its slab is used again.
    if (!this.#ended) this.#controller?.enqueue(Buffer.from(bytes));
  }

  /** Nobody reads on: what still comes is thrown away. */
  end(): void {
    if (this.#over()) this.#controller?.close();
  }

  #wanted(): void {
    this.#taken();
    if (this.#draining) return;
    this.#draining = true;
    this.#body.drainTo(this, this.#stop.signal).then(
      () => this.end(),
      (error: unknown) => {
        if (error instanceof PeerGone) this.end();
        else if (this.#over()) this.#controller?.error(error);
      },
    );
  }

  /** True the first time. A stream that its reader has cancelled is closed already. */
  #over(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#stop.abort();
    this.#taken();
    return true;
  }

  #taken(): void {
    for (const taken of this.#untaken.splice(0)) taken();
  }
}
