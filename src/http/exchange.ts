/** Header names in lower case. Headers that may come only once never come twice (see guard.ts). */
export type RequestHeaders = ReadonlyMap<string, string>;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** The head of a streamed answer; with `bytes` it has a Content-Length, else it is chunked. */
export interface StreamHead {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytes?: number;
}

/**
 * Where a request's body goes. At most two writes are in flight; positions count from the body's first byte,
 * and each call begins where the one before it ended.
 */
export interface BodySink {
  /** `bytes` may be used until the promise settles, then its slab goes back to the pool. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Called instead of `write` when the body's queue is over its hard limit: pause() is no hard stop. */
  writeSync(bytes: Uint8Array, position: number): void;
  /**
   * Whether `write` would begin to write so many bytes now, not wait for anything first. When it says so a fast
   * body may call `writeSync` for what has just arrived, which costs less; a sink without it is never asked to.
   */
  writesAtOnce?(bytes: number, position: number): boolean;
}

export interface RequestBody {
  /** The declared Content-Length; undefined when the body is chunked (node-http only). 0 when there is none. */
  readonly length: number | undefined;
  /**
   * Sends the whole body to the sink, with backpressure: the peer is read no faster than the sink
   * takes, and at most 8 MiB wait. Resolves with the number of bytes after the last write settled.
   *
   * Rejects `PeerGone` when the peer vanished and `BodyStopped` when `stop` aborted, both only after
   * everything that had arrived was written, with the number of bytes; and with the sink's own error.
   */
  drainTo(sink: BodySink, stop?: AbortSignal): Promise<number>;
  /** The whole body, in memory: for who has room for it. Rejects `BodyTooLarge` above `max` bytes. */
  bytes(max: number): Promise<Uint8Array>;
}

/**
 * One request and its answer, with real backpressure both ways. The only thing the rest of the program
 * knows of HTTP/1.1; two listeners make it, one contract test holds them both (test/http/exchange.contract.ts).
 */
export interface Exchange {
  readonly method: string;
  /** As it came, without the query, percent-encoding untouched. */
  readonly path: string;
  /** Without the '?'; '' when there is none. */
  readonly query: string;
  readonly headers: RequestHeaders;
  readonly remoteAddress: string;
  readonly body: RequestBody;
  /** Aborts when the peer vanishes before the answer has gone out whole. */
  readonly gone: AbortSignal;
  /** True once `answer` or `stream` was called. */
  readonly answered: boolean;
  /**
   * Answers once. A body that was not read to its end closes the connection after the answer, so that
   * no rest of it can be taken for a next request. On a peer that is gone it does nothing.
   */
  answer(answer: Answer): void;
  /**
   * Streams `source` as the answer, asking for a chunk only when the peer has taken the one before.
   * Resolves when the last byte is handed to the kernel. Rejects `PeerGone`; if the source throws or
   * yields another number of bytes than `head.bytes`, the connection is cut so that nobody can take
   * the answer for whole.
   */
  stream(head: StreamHead, source: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Handlers may be async and may throw: an unanswered throw becomes a problem+json answer. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

export interface Listener {
  readonly kind: 'uws' | 'node-http';
  readonly port: number;
  /** Refuses new connections, lets running exchanges finish until `deadline`, then cuts them. */
  stop(deadline: AbortSignal): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly handler: Handler;
}
