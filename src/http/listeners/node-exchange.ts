import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerHeaders, headOnly, phraseOf } from '../answer-head.ts';
import { PeerGone } from '../errors.ts';
import { exactly } from '../exact-source.ts';
import type { Answer, StreamHead } from '../exchange.ts';
import { HeadGuard } from '../guard.ts';
import { answerLimits, listenerLimits } from '../limits.ts';
import type { SlabPool } from '../slabs.ts';
import type { LiveExchanges } from './live.ts';
import { LiveExchange, type ParsedHead } from './live-exchange.ts';

const nothing = Buffer.alloc(0);

/** An exchange on node:http. */
export class NodeExchange extends LiveExchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse, live: LiveExchanges, slabs: SlabPool) {
    super(parsed(request), live, slabs);
    this.#request = request;
    this.#response = response;
    // Errors of a connection end in 'close'; without a listener they would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    response.on('close', () => this.#closed());
    if (this.body.whole) return;
    request.on('data', (chunk: Buffer) => this.body.push(chunk));
    request.on('end', () => this.body.finish());
    request.on('close', () => {
      if (!request.complete) this.#closed();
    });
  }

  answer(answer: Answer): void {
    this.begin();
    if (this.over) return;
    const bare = headOnly(this.method, answer.status);
    const { body = '' } = answer;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.#writeHead(answer, bare && answer.body === undefined ? undefined : bytes.length);
    // Only a peer that goes away can end this early, and then there is nobody to tell.
    this.#send(bare ? bytes.subarray(0, 0) : bytes).catch(() => this.cut());
    if (!this.body.whole) this.body.vanish();
  }

  async stream(head: StreamHead, source: AsyncIterable<Uint8Array>): Promise<void> {
    this.begin();
    if (this.over) throw new PeerGone(0);
    if (headOnly(this.method, head.status)) {
      this.#writeHead(head, head.bytes);
      this.#response.end();
      return;
    }
    try {
      for await (const chunk of head.bytes === undefined ? source : exactly(source, head.bytes)) {
        if (this.over) throw new PeerGone(this.bytesTaken);
        if (!this.#response.headersSent) this.#writeHead(head, head.bytes);
        await this.#write(chunk);
      }
      if (this.over) throw new PeerGone(this.bytesTaken);
      if (!this.#response.headersSent) this.#writeHead(head, head.bytes);
      await this.#taken((taken) => void this.#response.end(taken));
    } catch (thrown) {
      this.cut();
      throw thrown;
    }
    if (!this.body.whole) this.body.vanish();
  }

  override sweep(now: number): void {
    // While an earlier request on its connection is being answered, its reader cannot take of this answer.
    if (this.waiting && this.#response.socket === null) this.waiting.since = now;
    super.sweep(now);
  }

  protected pause(): void {
    this.#request.pause();
  }

  protected resume(): void {
    this.#request.resume();
  }

  /** Writes nothing: that fails on a connection that was reset, however much of it is still unread. */
  protected look(): boolean {
    const { socket } = this.#request;
    if (!socket.destroyed && socket.writableLength === 0) socket.write(nothing);
    return true;
  }

  protected cut(): void {
    this.#request.socket.destroy();
  }

  async #send(body: Uint8Array): Promise<void> {
    const response = this.#response;
    if (this.early) {
      if (body.length === 0) response.flushHeaders();
      await this.#write(body);
      this.#linger();
    } else if (body.length <= answerLimits.bytesAtOnce) {
      await this.#taken((taken) => void response.end(body, taken));
    } else {
      await this.#write(body);
      await this.#taken((taken) => void response.end(taken));
    }
  }

  /** In pieces: a reader who takes one now and then is seen to move. */
  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += answerLimits.pieceBytes) {
      const piece = bytes.subarray(at, at + answerLimits.pieceBytes);
      await this.#taken((taken) => void this.#response.write(piece, taken));
      this.bytesTaken += piece.length;
    }
  }

  /** Node would close with the answer's end, so the end waits until the peer had time to find the answer. */
  #linger(): void {
    if (this.over) return;
    this.answerOut();
    this.pause();
    const end = setTimeout(() => this.#response.end(), listenerLimits.lingerMs).unref();
    this.#response.on('close', () => clearTimeout(end));
  }

  #writeHead(head: StreamHead, bytes: number | undefined): void {
    const response = this.#response;
    response.statusCode = head.status;
    response.statusMessage = phraseOf(head.status);
    for (const [name, value] of answerHeaders(head.headers)) response.setHeader(name, value);
    if (bytes !== undefined && head.status !== 204 && head.status !== 304) {
      response.setHeader('Content-Length', bytes);
    }
    if (this.mustClose) response.setHeader('Connection', 'close');
  }

  /** Resolves when node has handed the bytes to the kernel. */
  #taken(write: (taken: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new PeerGone(this.bytesTaken));
      this.waiting = { since: performance.now(), gone };
      write((error) => {
        this.waiting = undefined;
        if (error) gone();
        else resolve();
      });
    });
  }

  #closed(): void {
    if (this.over) return;
    if (this.#response.writableFinished) this.answerOut();
    else this.vanished();
  }
}

function parsed(request: IncomingMessage): ParsedHead {
  const target = request.url ?? '';
  const mark = target.indexOf('?');
  const guard = new HeadGuard({ chunkedBodies: true });
  const raw = request.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) guard.add(raw[at] ?? '', utf8(raw[at + 1] ?? ''));
  return {
    method: request.method ?? '',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    remoteAddress: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    guard,
  };
}

/** node reads the bytes of a head as Latin-1, uWS as UTF-8; we say UTF-8. */
function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
