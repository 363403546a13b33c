/** What a server sent that is no HTTP/1.1 answer. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

export type HeaderList = readonly (readonly [name: string, value: string])[];

/** One final answer, as it came: header fields in their order, repeated ones included. */
export class Answer {
  /** Statuses of the interim answers before it: 100, 104. */
  readonly interim: readonly number[];
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** What was asked, for sentences about it: `PATCH`. */
  readonly asked: string;

  constructor(asked: string, interim: readonly number[], status: number, headers: HeaderList, body: Buffer) {
    this.asked = asked;
    this.interim = interim;
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** All values of a field joined as RFC 9110 5.3 has it; undefined when it is not there. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const values = this.headers.filter(([given]) => given.toLowerCase() === wanted).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(', ');
  }
}

const HEAD_BYTES_MAX = 65_536;
const BODY_BYTES_MAX = 256 * 1024 * 1024;

type State = 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'until-end' | 'done';

/** Reads the answer to one request from the pieces in which it arrives. Strict: what a server frames wrongly is said. */
export class AnswerParser {
  readonly #asked: string;
  readonly #isBodyless: boolean;
  #state: State = 'head';
  #rest: Buffer = Buffer.alloc(0);
  #interim: number[] = [];
  #status = 0;
  #headers: [string, string][] = [];
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #left = 0;

  constructor(method: string, asked = method) {
    this.#asked = asked;
    this.#isBodyless = method === 'HEAD';
  }

  /** The interim answers so far. */
  get interim(): readonly number[] {
    return this.#interim;
  }

  /** The whole answer; undefined as long as it is not whole. */
  get answer(): Answer | undefined {
    if (this.#state !== 'done') return undefined;
    return new Answer(this.#asked, this.#interim, this.#status, this.#headers, Buffer.concat(this.#body));
  }

  push(chunk: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    while (this.#step()) {}
  }

  /** The server has ended the connection. */
  end(): void {
    if (this.#state === 'until-end') this.#state = 'done';
    if (this.#state !== 'done')
      throw new BadAnswer(
        this.#state === 'head' && this.#rest.length === 0
          ? 'closed the connection without an answer'
          : 'closed the connection in the middle of its answer',
      );
  }

  /** Whether there may be more to do with what is here. */
  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#head();
      case 'length':
      case 'chunk':
        return this.#bytes();
      case 'until-end':
        this.#take(this.#rest.length);
        return false;
      case 'done':
        // What follows would be the answer to a request that was not made.
        return false;
      default: {
        const line = this.#line();
        if (line === undefined) return false;
        this.#chunkLine(line);
        return true;
      }
    }
  }

  #line(): string | undefined {
    const end = this.#rest.indexOf('\r\n');
    if (end === -1) {
      if (this.#rest.length > HEAD_BYTES_MAX) throw new BadAnswer('a line without an end');
      return undefined;
    }
    const line = this.#rest.toString('latin1', 0, end);
    this.#rest = this.#rest.subarray(end + 2);
    return line;
  }

  #head(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.#rest.length > HEAD_BYTES_MAX) throw new BadAnswer('a head above 64 KiB');
      return false;
    }
    const [first = '', ...lines] = this.#rest.toString('latin1', 0, end).split('\r\n');
    this.#rest = this.#rest.subarray(end + 4);
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
    if (status === undefined)
      throw new BadAnswer(`no HTTP/1.1 answer: ${JSON.stringify(first.slice(0, 60))}`);
    this.#status = Number(status);
    this.#headers = lines.map(fieldOf);
    if (this.#status < 200 && this.#status !== 101) {
      this.#interim.push(this.#status);
      return true;
    }
    this.#state = this.#framing();
    return true;
  }

  #framing(): State {
    if (this.#isBodyless || this.#status === 204 || this.#status === 304) return 'done';
    const of = (name: string) => this.#headers.filter(([given]) => given.toLowerCase() === name);
    if (of('transfer-encoding').length > 0) {
      if (of('transfer-encoding').some(([, value]) => value.toLowerCase() !== 'chunked'))
        throw new BadAnswer('a transfer encoding other than chunked');
      return 'chunk-size';
    }
    const lengths = new Set(of('content-length').map(([, value]) => value));
    const [length] = lengths;
    if (length === undefined) return 'until-end';
    if (lengths.size > 1 || !/^\d{1,15}$/.test(length))
      throw new BadAnswer(`Content-Length: ${[...lengths].join()}`);
    this.#left = Number(length);
    return this.#left === 0 ? 'done' : 'length';
  }

  #bytes(): boolean {
    const bytes = Math.min(this.#left, this.#rest.length);
    this.#take(bytes);
    this.#left -= bytes;
    if (this.#left > 0) return false;
    this.#state = this.#state === 'chunk' ? 'chunk-end' : 'done';
    return true;
  }

  #take(bytes: number): void {
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > BODY_BYTES_MAX) throw new BadAnswer('a body above 256 MiB');
    if (bytes > 0) this.#body.push(this.#rest.subarray(0, bytes));
    this.#rest = this.#rest.subarray(bytes);
  }

  #chunkLine(line: string): void {
    if (this.#state === 'chunk-end') {
      if (line !== '') throw new BadAnswer('a chunk longer than it says');
      this.#state = 'chunk-size';
    } else if (this.#state === 'trailer') {
      if (line === '') this.#state = 'done';
    } else {
      const size = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw new BadAnswer(`a chunk size ${JSON.stringify(line.slice(0, 20))}`);
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    }
  }
}

function fieldOf(line: string): [string, string] {
  const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
  if (field === null) throw new BadAnswer(`no header field: ${JSON.stringify(line.slice(0, 60))}`);
  return [field[1] ?? '', field[2] ?? ''];
}
