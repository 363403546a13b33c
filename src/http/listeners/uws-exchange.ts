import { answerHeaders, headOnly, statusLine } from '../answer-head.ts';
import { PeerGone } from '../errors.ts';
import { exactly } from '../exact-source.ts';
import type { Answer, StreamHead } from '../exchange.ts';
import { HeadGuard } from '../guard.ts';
import { answerLimits, listenerLimits } from '../limits.ts';
import type { SlabPool } from '../slabs.ts';
import type { LiveExchanges } from './live.ts';
import { LiveExchange, type ParsedHead } from './live-exchange.ts';
import type { UwsRequest, UwsResponse } from './uws-binary.ts';

/**
 * An exchange on uWebSockets.js. Everything of the request is copied in the constructor, and onAborted
 * and onData are attached there, because uWS allows both only inside the route handler: data attached
 * later never comes, and a handler that returns without onAborted ends the process.
 */
export class UwsExchange extends LiveExchange {
  /** Not to be touched once the exchange is over: uWS throws. */
  readonly #response: UwsResponse;
  #headWritten = false;
  #writable: ((offset: number) => boolean) | undefined;
  #armedAt = performance.now();

  constructor(response: UwsResponse, request: UwsRequest, live: LiveExchanges, slabs: SlabPool) {
    super(parsed(response, request), live, slabs);
    this.#response = response;
    response.onAborted(() => this.vanished());
    if (this.body.whole) return;
    response.onData((chunk, last) => {
      if (chunk.byteLength > 0) this.body.push(new Uint8Array(chunk));
      if (last) this.body.finish();
    });
  }

  answer(answer: Answer): void {
    this.begin();
    if (this.over) return;
    const body = answer.body ?? '';
    if (body.length > answerLimits.bytesAtOnce && !headOnly(this.method, answer.status)) {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      // Only a peer that goes away can end this early, and then there is nobody to tell.
      this.#send({ ...answer, bytes: bytes.length }, [bytes]).catch(() => {});
    } else if (this.mustClose) {
      // Not while uWS parses: it would go on to serve a request that came behind this one in the same
      // packet, and forget that the connection was to be closed. Pending, it cuts the connection then.
      setImmediate(() => {
        if (!this.over) this.#answerAtOnce(answer, body);
      });
    } else {
      this.#answerAtOnce(answer, body);
    }
  }

  async stream(head: StreamHead, source: AsyncIterable<Uint8Array>): Promise<void> {
    this.begin();
    if (this.over) throw new PeerGone(0);
    if (headOnly(this.method, head.status)) this.#answerAtOnce(head, head.bytes);
    else await this.#send(head, head.bytes === undefined ? source : exactly(source, head.bytes));
  }

  override sweep(now: number): void {
    super.sweep(now);
    // uWS cuts a body slower than 16 KiB/s and an answer that stalls for 10 s; this sets its timer anew.
    if (!this.over && !this.body.paused && now - this.#armedAt >= listenerLimits.rearmMs) {
      this.#armedAt = now;
      this.#response.pause();
      this.#response.resume();
    }
  }

  /**
   * The receive buffer of a connection that was fast has grown to mebibytes. A next body would come out of it in
   * one burst with its head, before it can be made to wait for its turn; a new connection begins small.
   */
  protected override get mustClose(): boolean {
    return super.mustClose || this.body.crowded;
  }

  protected pause(): void {
    if (!this.over) this.#response.pause();
  }

  protected resume(): void {
    if (!this.over) this.#response.resume();
  }

  protected look(): boolean {
    return false;
  }

  protected cut(): void {
    if (!this.over) this.#response.close();
  }

  /** `body` is a number of bytes when only the length of it is to be told. */
  #answerAtOnce(head: StreamHead, body: string | Uint8Array | number | undefined): void {
    const response = this.#response;
    const early = this.early;
    const close = this.mustClose && !early;
    response.cork(() => {
      this.#writeHead(head);
      if (early) {
        // Told to close, uWS would do so now. Paused and not told, it reads no further and closes when its
        // timer of 10 s runs out.
        response.writeHeader('Connection', 'close');
        response.pause();
      }
      if (!headOnly(this.method, head.status)) {
        response.end(typeof body === 'object' || typeof body === 'string' ? body : '', close);
      } else if (this.method === 'HEAD' && close) {
        response.end('', true);
      } else {
        // endWithoutBody cannot close: told to, it writes a Content-Length of 2^63. The peer is asked to.
        if (close) response.writeHeader('Connection', 'close');
        const bytes = typeof body === 'number' ? body : body === undefined ? 0 : Buffer.byteLength(body);
        // The one place where a length by hand is right: endWithoutBody writes none of its own.
        if (this.method === 'HEAD' && bytes > 0) response.writeHeader('Content-Length', bytes.toString());
        response.endWithoutBody();
      }
    });
    this.answerOut();
  }

  async #send(head: StreamHead, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of chunks) {
        if (this.over) throw new PeerGone(this.bytesTaken);
        if (chunk.length === 0) continue;
        if (head.bytes === undefined) await this.#writeChunked(head, chunk);
        else await this.#writeOf(head.bytes, head, chunk);
      }
      // With a length, the last byte has ended the response.
      if (this.over) {
        if (this.peerGone) throw new PeerGone(this.bytesTaken);
        return;
      }
      this.#response.cork(() => {
        const begun = this.#headWritten;
        if (!begun) this.#writeHead(head);
        this.#response.end('', this.mustClose);
      });
      this.answerOut();
    } catch (thrown) {
      this.cut();
      throw thrown;
    }
  }

  /** Nothing is buffered: what the kernel does not take is offered again when it can take more. */
  async #writeOf(total: number, head: StreamHead, chunk: Uint8Array): Promise<void> {
    const start = this.bytesTaken;
    const offer = (from: number) => {
      const [taken, ended] = this.#response.tryEnd(chunk.subarray(from - start), total);
      if (ended) this.answerOut();
      return taken || ended;
    };
    let taken = false;
    this.#response.cork(() => {
      if (!this.#headWritten) {
        this.#writeHead(head);
        if (this.mustClose) this.#askToClose();
      }
      taken = offer(start);
    });
    if (!taken) await this.#taken(offer);
    this.bytesTaken = start + chunk.length;
  }

  async #writeChunked(head: StreamHead, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += answerLimits.pieceBytes) {
      const piece = chunk.subarray(at, at + answerLimits.pieceBytes);
      let taken = false;
      this.#response.cork(() => {
        if (!this.#headWritten) this.#writeHead(head);
        taken = this.#response.write(piece);
      });
      // What was not taken is in uWS's buffer, and goes before the next piece once there is room.
      if (!taken) await this.#taken(() => true);
      this.bytesTaken += piece.length;
    }
  }

  /** Resolves once `offer`, called whenever the kernel can take more, has said true. */
  #taken(offer: (offset: number) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { since: performance.now(), gone: () => reject(new PeerGone(this.bytesTaken)) };
      this.waiting = waiting;
      this.#writable = (offset) => {
        const done = offer(offset);
        waiting.since = performance.now();
        if (!done) return false;
        this.#writable = undefined;
        this.waiting = undefined;
        resolve();
        return true;
      };
      // Through the field: attached while its predecessor runs, uWS puts the predecessor back afterwards.
      this.#response.onWritable((offset) => this.#writable?.(offset) ?? true);
    });
  }

  #writeHead(head: StreamHead): void {
    this.#headWritten = true;
    this.#response.writeStatus(statusLine(head.status));
    for (const [name, value] of answerHeaders(head.headers)) this.#response.writeHeader(name, value);
  }

  /** For answers that uWS cannot end by closing. A paused rest of the body would hang the connection. */
  #askToClose(): void {
    this.#response.writeHeader('Connection', 'close');
    this.#response.resume();
  }
}

/** Copies all that is asked of them: `request` is valid only while the route handler runs. */
function parsed(response: UwsResponse, request: UwsRequest): ParsedHead {
  // uWS takes what stands behind a chunk's size for the chunk itself, and does not look for its end.
  const guard = new HeadGuard({ chunkedBodies: false });
  request.forEach((name, value) => {
    guard.add(name, value);
  });
  return {
    method: request.getCaseSensitiveMethod(),
    path: request.getUrl(),
    query: request.getQuery() ?? '',
    remoteAddress: Buffer.from(response.getRemoteAddressAsText()).toString('latin1'),
    guard,
  };
}
