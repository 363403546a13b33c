import assert from 'node:assert';
import type { SluisError } from '../../ops/error.ts';
import { IncomingBody } from '../body.ts';
import type { Answer, Exchange, RequestHeaders, StreamHead } from '../exchange.ts';
import type { HeadGuard } from '../guard.ts';
import { httpCounts } from '../metrics.ts';
import type { SlabPool } from '../slabs.ts';
import type { LiveExchanges } from './live.ts';

/** A request's head as a listener has parsed it. */
export interface ParsedHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly remoteAddress: string;
  /** Has been given every header. */
  readonly guard: HeadGuard;
}

/** How an exchange comes to its end, the same on both listeners; how bytes go out is the listener's. */
export abstract class LiveExchange implements Exchange {
  // Set once at start.
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: RequestHeaders;
  readonly remoteAddress: string;
  readonly body: IncomingBody;
  /** Why it must be refused before any handler sees it. */
  readonly refusal: SluisError | undefined;
  readonly #live: LiveExchanges;
  // Moved by the answer.
  answered = false;
  protected bytesTaken = 0;
  /** Waiting for the kernel to take more. */
  protected waiting: { since: number; readonly gone: () => void } | undefined;
  // Moved by the connection.
  #over = false;
  #peerGone = false;
  #gone: AbortController | undefined;
  // Moved by the handler.
  #handlerEnded = false;

  constructor(head: ParsedHead, live: LiveExchanges, slabs: SlabPool) {
    this.#live = live;
    this.method = head.method;
    this.path = head.path;
    this.query = head.query;
    this.remoteAddress = head.remoteAddress;
    const { headers, bodyBytes, refusal } = head.guard.judge(head.path + head.query);
    this.headers = headers;
    this.refusal = refusal;
    const tap = {
      pause: () => this.pause(),
      resume: () => this.resume(),
      look: () => this.look(),
      cut: () => this.cut(),
    };
    this.body = new IncomingBody(bodyBytes, tap, slabs, live.bodyTimers);
  }

  abstract answer(answer: Answer): void;
  abstract stream(head: StreamHead, source: AsyncIterable<Uint8Array>): Promise<void>;
  // As in Tap: they do nothing once the connection is gone.
  protected abstract pause(): void;
  protected abstract resume(): void;
  protected abstract look(): boolean;
  protected abstract cut(): void;

  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#peerGone) this.#gone.abort();
    return this.#gone.signal;
  }

  /** Looks at its timers. */
  sweep(now: number): void {
    if (this.#over) return;
    this.body.sweep(now);
    if (this.waiting && now - this.waiting.since > this.#live.answerIdleMs) {
      httpCounts.idleCuts += 1;
      this.cut();
    }
  }

  /** The handler has ended: a body that it left unread is thrown away. */
  handlerEnded(): void {
    this.#handlerEnded = true;
    if (this.#peerGone) this.body.drop();
  }

  // ── for the listener ──

  /** True once the answer is out or the peer gone. */
  protected get over(): boolean {
    return this.#over;
  }

  protected get peerGone(): boolean {
    return this.#peerGone;
  }

  protected get mustClose(): boolean {
    return this.refusal !== undefined || !this.body.whole || this.#live.stopping;
  }

  /**
   * True when the peer may still be sending, and so has not looked for its answer yet: closing now would
   * reset the connection and could take the answer with it. Not for a head whose framing is in doubt.
   */
  protected get early(): boolean {
    return !this.body.whole && this.refusal === undefined;
  }

  protected begin(): void {
    assert(!this.answered, 'an exchange is answered once');
    this.answered = true;
    this.body.drop();
  }

  /** The answer is out. */
  protected answerOut(): void {
    this.#end();
  }

  /** The connection is gone, and if the answer is not out yet, so is the peer. */
  protected vanished(): void {
    if (this.#over) return;
    this.#peerGone = true;
    httpCounts.peersGone += 1;
    this.#end();
    if (this.#handlerEnded) this.body.drop();
    this.waiting?.gone();
    this.waiting = undefined;
    this.#gone?.abort();
  }

  #end(): void {
    this.#over = true;
    // A body that is not whole now never will be.
    this.body.vanish();
    this.#live.over(this);
  }
}
