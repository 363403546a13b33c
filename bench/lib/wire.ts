import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Reply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

type Headers = Readonly<Record<string, string>>;

interface Waiting {
  readonly method: string;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

const open = (port: number): Socket => connect({ port, host: '127.0.0.1', noDelay: true });

/**
 * One HTTP/1.1 connection, without anything between the bytes and the socket: what a client costs must not
 * hide what a server costs. One request at a time; answers' bodies are thrown away.
 */
export class Wire {
  #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;
  #broken: Error | undefined;
  /** Bytes of an answer's body that are still to come; Infinity while a chunked one has not ended. */
  #skip = 0;
  #pending: Reply | undefined;
  #drained: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = this.#listenTo(socket);
  }

  static async open(port: number): Promise<Wire> {
    const socket = open(port);
    await once(socket, 'connect');
    return new Wire(socket);
  }

  #listenTo(socket: Socket): Socket {
    const broken = (error: Error): void => {
      if (socket === this.#socket) this.#break(error);
    };
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('drain', () => this.#drained?.());
    socket.on('error', broken);
    socket.on('close', () => broken(new Error('the server closed the connection')));
    return socket;
  }

  /** False once the server has closed it, as servers do with connections that nothing comes over for some seconds. */
  get isOpen(): boolean {
    return this.#broken === undefined;
  }

  /** Bytes that this process holds because the kernel has not taken them. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends a whole request and resolves with its answer. */
  request(method: string, path: string, headers: Headers, body?: Uint8Array): Promise<Reply> {
    const answered = this.begin(method, path, { ...headers, 'Content-Length': `${body?.length ?? 0}` });
    if (body !== undefined) this.#socket.write(body);
    return answered;
  }

  /** Sends a request's head; its body follows by `write`. Resolves with the answer. */
  begin(method: string, path: string, headers: Headers): Promise<Reply> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) {
        reject(this.#broken);
        return;
      }
      this.#waiting = { method, resolve, reject };
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}\r\n`, 'latin1');
    });
  }

  /** True when more may follow at once; else `drained` says when. */
  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  /** Resolves at once when the connection is gone: its answer says so. */
  drained(): Promise<void> {
    if (this.#broken !== undefined || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  close(): void {
    this.#broken ??= new Error('closed');
    this.#socket.destroy();
  }

  /** Asked to close: what comes next goes over a new connection. */
  #renew(): void {
    const socket = this.#socket;
    this.#socket = this.#listenTo(open(socket.remotePort ?? 0));
    socket.destroy();
  }

  #break(error: Error): void {
    this.#broken ??= error;
    this.#drained?.();
    this.#waiting?.reject(this.#broken);
    this.#waiting = undefined;
  }

  #take(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    if (this.#pending === undefined && !this.#takeHead()) return;
    if (this.#skip === Number.POSITIVE_INFINITY) {
      if (!this.#received.toString('latin1').endsWith('0\r\n\r\n')) return;
    } else if (this.#received.length < this.#skip) {
      return;
    }
    const [waiting, reply] = [this.#waiting, this.#pending];
    this.#received = Buffer.alloc(0);
    this.#waiting = undefined;
    this.#pending = undefined;
    if (reply?.headers.get('connection') === 'close') this.#renew();
    if (reply !== undefined) waiting?.resolve(reply);
  }

  /** False while the head is not there whole. Answers of 1xx are passed over. */
  #takeHead(): boolean {
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end < 0) return false;
      const [first = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n');
      this.#received = this.#received.subarray(end + 4);
      const status = Number(first.split(' ')[1]);
      if (status < 200) continue;
      const headers = new Map(
        lines.map((line): [string, string] => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
      );
      const bodiless = this.#waiting?.method === 'HEAD' || status === 204 || status === 304;
      const chunked = headers.get('transfer-encoding') === 'chunked';
      this.#skip = bodiless
        ? 0
        : chunked
          ? Number.POSITIVE_INFINITY
          : Number(headers.get('content-length') ?? 0);
      this.#pending = { status, headers };
      return true;
    }
  }
}
