import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; as lists, because a header that comes twice is what some tests look for. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
  /** False when the connection closed before the body's announced end. */
  readonly whole: boolean;
}

/** A client without manners: it sends what it is told and reads only when asked. */
export class RawClient {
  readonly socket: Socket;
  /** Waited for before each read, of about 64 KiB: a slow reader. */
  pace: (() => Promise<unknown>) | undefined;
  readonly #closed: Promise<void>;
  #unread: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    const wake = () => this.#wake();
    socket.on('error', () => {});
    socket.on('readable', wake);
    socket.once('end', () => {
      this.#ended = true;
      this.#wake();
    });
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#ended = true;
        this.#wake();
        resolve();
      });
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Resolves when the kernel has it, or when the connection is gone. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    await Promise.race([
      new Promise<void>((resolve) => this.socket.write(bytes, () => resolve())),
      this.#closed,
    ]);
  }

  /** Sends a head; `Host` is added. */
  head(line: string, headers: Readonly<Record<string, string | number>> = {}): Promise<void> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.toString()}\r\n`);
    return this.send(`${line} HTTP/1.1\r\nHost: sluis.test\r\n${lines.join('')}\r\n`);
  }

  /** Throws away what still comes; resolves when the connection is closed, whoever did it. */
  async closed(): Promise<void> {
    while (await this.#more()) this.#unread = Buffer.alloc(0);
    await this.#closed;
  }

  /** Reads one answer. `headOnly` for HEAD. Undefined when the connection closed without one. */
  async answer(headOnly = false): Promise<RawAnswer | undefined> {
    let end = this.#unread.indexOf('\r\n\r\n');
    while (end < 0) {
      if (!(await this.#more())) return undefined;
      end = this.#unread.indexOf('\r\n\r\n');
    }
    const [first = '', ...lines] = this.#take(end + 4)
      .toString('latin1')
      .trimEnd()
      .split('\r\n');
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const [name = '', value = ''] = line.split(/: ?(.*)/s);
      headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
    }
    const status = Number(first.split(' ')[1]);
    if (status === 100) return this.answer(headOnly);
    const length = headers.get('content-length')?.[0];
    if (headOnly || status === 204 || status === 304) {
      return { status, headers, body: Buffer.alloc(0), whole: true };
    }
    if (headers.has('transfer-encoding')) return { status, headers, ...(await this.#chunked()) };
    const body = await this.#bytes(Number(length ?? 0));
    return { status, headers, body, whole: body.length === Number(length ?? 0) };
  }

  async #chunked(): Promise<{ body: Buffer; whole: boolean }> {
    const parts: Buffer[] = [];
    for (;;) {
      let end = this.#unread.indexOf('\r\n');
      while (end < 0) {
        if (!(await this.#more())) return { body: Buffer.concat(parts), whole: false };
        end = this.#unread.indexOf('\r\n');
      }
      const bytes = Number.parseInt(this.#take(end + 2).toString('latin1'), 16);
      const part = await this.#bytes(bytes + 2);
      parts.push(part.subarray(0, bytes));
      if (part.length < bytes + 2) return { body: Buffer.concat(parts), whole: false };
      if (bytes === 0) return { body: Buffer.concat(parts), whole: true };
    }
  }

  /** So many bytes, or fewer when the connection closes before. */
  async #bytes(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#unread.length === 0 && !(await this.#more())) break;
      const part = this.#take(Math.min(missing, this.#unread.length));
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  #take(bytes: number): Buffer {
    const taken = this.#unread.subarray(0, bytes);
    this.#unread = this.#unread.subarray(bytes);
    return taken;
  }

  /** False at the end of the connection. Reads nothing ahead: between calls the kernel's window fills. */
  async #more(): Promise<boolean> {
    await this.pace?.();
    for (;;) {
      const chunk: Buffer | null = this.socket.read();
      if (chunk) {
        this.#unread = Buffer.concat([this.#unread, chunk]);
        return true;
      }
      if (this.#ended) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
