import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Answer, AnswerParser, BadAnswer, type HeaderList } from './answer.ts';

/** No connection, or none that lived until the answer. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export interface Ask {
  readonly method: string;
  readonly url: URL;
  /** Sent exactly so, after Host; nothing is added but what frames the body. */
  readonly headers: HeaderList;
  readonly body?: Uint8Array | undefined;
  /** `length`: Content-Length, also without a body. `none`: whoever asks frames the body with its own headers. */
  readonly framing?: 'length' | 'chunked' | 'none' | undefined;
  /** Behind a chunked body. */
  readonly trailers?: HeaderList | undefined;
  /** Of the sentences about it; the method when left out. */
  readonly asked?: string | undefined;
}

export interface ClientOptions {
  /** How long one answer may take, from the connection on. */
  readonly waitMs: number;
  /** Takes a certificate that nobody has signed. */
  readonly insecure?: boolean | undefined;
}

/** Of one chunk when a body is sent in chunks. */
const CHUNK_BYTES = 8192;

/**
 * HTTP/1.1 on bare sockets, a connection for each request: Node's own clients refuse or repair just those
 * requests that a conformance check has to send.
 */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get waitMs(): number {
    return this.#options.waitMs;
  }

  /** Sends a whole request and waits for its answer. */
  async send(ask: Ask): Promise<Answer> {
    const request = await this.open(ask);
    request.write(framed(ask));
    return request.answer();
  }

  /** Sends the head only; the body, framed as the head says, is up to the caller. */
  async open(ask: Ask): Promise<OpenRequest> {
    const request = new OpenRequest(await this.#connect(ask.url), ask, this.#options.waitMs);
    request.write(headOf(ask));
    return request;
  }

  async #connect(url: URL): Promise<Connection> {
    const isTls = url.protocol === 'https:';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const tcp = connectTcp({ host, port: Number(url.port || (isTls ? 443 : 80)) });
    await this.#opened(tcp, 'connect', url);
    tcp.setNoDelay(true);
    if (!isTls) return { socket: tcp, tcp };
    // Of a connection under TLS only the socket below it can be reset.
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connectTls({
      socket: tcp,
      host,
      ...servername,
      rejectUnauthorized: this.#options.insecure !== true,
    });
    await this.#opened(socket, 'secureConnect', url);
    return { socket, tcp };
  }

  #opened(socket: Socket, event: 'connect' | 'secureConnect', url: URL): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        socket.destroy();
        reject(new NoAnswer(`${url.host} is not reachable: ${why}`));
      };
      const timer = setTimeout(() => fail(within(this.#options.waitMs)), this.#options.waitMs);
      const failed = (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        fail(error.code ?? error.message);
      };
      socket.once('error', failed);
      socket.once(event, () => {
        clearTimeout(timer);
        socket.off('error', failed);
        resolve();
      });
    });
  }
}

interface Connection {
  readonly socket: Socket;
  /** Below TLS; without it the same. */
  readonly tcp: Socket;
}

/** A request under way. */
export class OpenRequest {
  readonly #socket: Socket;
  readonly #tcp: Socket;
  readonly #parser: AnswerParser;
  readonly #asked: string;
  readonly #waitMs: number;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor({ socket, tcp }: Connection, ask: Ask, waitMs: number) {
    this.#socket = socket;
    this.#tcp = tcp;
    this.#asked = ask.asked ?? ask.method;
    this.#parser = new AnswerParser(ask.method, this.#asked);
    this.#waitMs = waitMs;
    const parse = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        this.#failure ??= new NoAnswer(`${this.#asked}: the server ${sentence(error)}`);
      }
      this.#wake();
    };
    socket.on('data', (chunk: Buffer) => parse(() => this.#parser.push(chunk)));
    socket.on('end', () => parse(() => this.#parser.end()));
    socket.on('close', () => parse(() => this.#parser.end()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // EPIPE: the server reads no more, yet its answer may be here already or still come.
      if (error.code === 'EPIPE') return;
      this.#failure ??= new NoAnswer(`${this.#asked}: the connection broke (${error.code ?? error.message})`);
      this.#wake();
    });
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > 0 && this.#socket.writable) this.#socket.write(bytes);
  }

  /** Ends our direction only: the server gets every byte, then a FIN. */
  finish(): void {
    this.#socket.end();
  }

  /** Resets the connection: the server gets ECONNRESET, and perhaps not the last bytes. */
  reset(): void {
    this.#tcp.resetAndDestroy();
    this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Whether an interim answer of that status, or the final answer, came within the limit. */
  async interim(status: number): Promise<'interim' | 'final' | 'nothing'> {
    await this.#until(() => this.#parser.interim.includes(status) || this.#parser.answer !== undefined);
    if (this.#parser.interim.includes(status)) return 'interim';
    return this.#parser.answer === undefined ? 'nothing' : 'final';
  }

  /** The final answer; the connection is closed then. */
  async answer(): Promise<Answer> {
    await this.#until(() => this.#parser.answer !== undefined || this.#failure !== undefined);
    this.#socket.destroy();
    const { answer } = this.#parser;
    if (answer !== undefined) return answer;
    throw this.#failure ?? new NoAnswer(`${this.#asked}: no answer ${within(this.#waitMs)}`);
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, this.#waitMs);
      this.#wake = () => {
        if (holds() || this.#failure !== undefined) done();
      };
      this.#wake();
    });
  }
}

const within = (ms: number): string => `within ${(ms / 1000).toString()} s`;
const sentence = (error: unknown): string =>
  error instanceof BadAnswer
    ? /^closed/.test(error.message)
      ? error.message
      : `sent ${error.message}`
    : `sent what cannot be read (${String(error)})`;

function headOf({ method, url, headers, body, framing = 'length', trailers }: Ask): Buffer {
  const framingFields: [string, string][] =
    framing === 'chunked'
      ? [
          ['Transfer-Encoding', 'chunked'],
          ...(trailers ?? []).map(([name]): [string, string] => ['Trailer', name]),
        ]
      : framing === 'length'
        ? [['Content-Length', String(body?.length ?? 0)]]
        : [];
  // GET and HEAD without a body are the one case in which Content-Length is odd.
  const isPlain = body === undefined && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
  const fields = [['Host', url.host], ...headers, ...(isPlain ? [] : framingFields)];
  const lines = fields.map(([name = '', value = '']) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
}

function framed({ body = new Uint8Array(), framing, trailers = [] }: Ask): Buffer {
  if (framing !== 'chunked') return Buffer.from(body);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += CHUNK_BYTES) {
    const chunk = body.subarray(at, at + CHUNK_BYTES);
    pieces.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  const fields = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${fields}\r\n`, 'latin1')]);
}
