import { setTimeout as sleep } from 'node:timers/promises';
import { reset } from '../support/reset.ts';
import type { RawClient } from './raw-client.ts';

/** Numbers from 0 to below 1; the same seed gives the same ones (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Throws what nobody should send at an exchange, one piece at a time on a connection of its own. */
export class Garbage {
  readonly #client: RawClient;
  readonly #random: () => number;
  /** An upload of the thrower's own organization. */
  readonly #location: string;

  constructor(client: RawClient, location: string, seed: number) {
    this.#client = client;
    this.#location = location;
    this.#random = randomOf(seed);
  }

  /** Sends one piece, in one or more writes, and leaves in one of several ways; never rejects. */
  async throwOne(): Promise<void> {
    const piece = this.#mutated(this.#piece());
    const socket = this.#client.open();
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.resume();
    const middle = this.#below(piece.byteLength + 1);
    socket.write(piece.subarray(0, middle));
    if (this.#random() < 0.3) await sleep(this.#below(20));
    socket.write(piece.subarray(middle));
    const end = this.#random();
    if (end < 0.4) await Promise.race([closed, sleep(this.#below(40))]);
    if (end < 0.3) reset(socket);
    else if (end < 0.6) socket.end();
    else socket.destroySoon();
    await Promise.race([closed, sleep(100)]);
    socket.destroy();
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.#below(most) }, () => this.#below(256)));
  }

  #text(most: number): string {
    return this.#bytes(most)
      .toString('latin1')
      .replace(/[\r\n\0]/g, '.');
  }

  #one<T>(...choices: readonly [T, ...T[]]): T {
    return choices[this.#below(choices.length)] ?? choices[0];
  }

  /** Now and then a byte is another one, a stretch is missing, or it comes twice. */
  #mutated(piece: Buffer): Buffer {
    const kind = this.#random();
    if (piece.byteLength === 0 || kind < 0.6) return piece;
    const at = this.#below(piece.byteLength);
    if (kind < 0.8) {
      const changed = Buffer.from(piece);
      changed[at] = this.#below(256);
      return changed;
    }
    const from = piece.subarray(at);
    return Buffer.concat(kind < 0.9 ? [piece.subarray(0, at), from.subarray(this.#below(9))] : [piece, from]);
  }

  #piece(): Buffer {
    const make = this.#one(
      () => this.#bytes(4_000),
      () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      () => Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1]), this.#bytes(600)]),
      () => this.#head('GET', '/v1/transfers', `X: ${'a'.repeat(this.#below(40_000))}`),
      () => this.#head('GET', '/', ...Array.from({ length: this.#below(300) }, (_, at) => `H${at}: ${at}`)),
      () => this.#head('GET', `/v1/${this.#one('transfers', 'deliveries', 'uploads')}/${this.#text(3_000)}`),
      () => this.#head('GET', '/v1/mailboxes/noise/inbox?wait=30', `Range: ${this.#text(40)}`),
      () => this.#head('GET', '/', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: eA=='),
      () => this.#body('POST', '/v1/transfers', this.#text(2_000)),
      () => this.#body('POST', '/v1/transfers', '['.repeat(this.#below(100_000))),
      () => this.#chunked('PUT', `/v1/transfers/${this.#text(40)}/manifest`),
      () => this.#create(),
      () => this.#append(),
      () => Buffer.concat([this.#append(), this.#create(), this.#bytes(200)]),
      () => this.#told('POST', '/v1/uploads'),
      () => this.#told(this.#one('HEAD', 'PATCH', 'POST', 'GET', 'OPTIONS', 'PUT'), this.#location),
      () => this.#chunked(this.#one('POST', 'PATCH'), this.#one('/v1/uploads', this.#location)),
      () => this.#head('POST', '/v1/uploads', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      () => this.#head('PATCH', this.#location, 'Content-Length: 5', `Content-Length: ${this.#below(9)}`),
    );
    return make();
  }

  #head(method: string, path: string, ...lines: readonly string[]): Buffer {
    const known = this.#random() < 0.9 ? [`Authorization: Bearer ${this.#client.token}`] : [];
    const all = [`${method} ${path} HTTP/1.1`, 'Host: x', 'Tus-Resumable: 1.0.0', ...known, ...lines];
    return Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1');
  }

  #body(method: string, path: string, text: string): Buffer {
    const length = text.length + this.#one(0, 0, 0, -1, 1, 1_000_000);
    return Buffer.concat([
      this.#head(method, path, `Content-Length: ${length}`),
      Buffer.from(text, 'latin1'),
    ]);
  }

  #chunked(method: string, path: string): Buffer {
    const chunk = this.#bytes(2_000);
    const size = this.#one(chunk.byteLength.toString(16), 'zz', '-1', 'ffffffffffffffffff', '0', '7fffffff');
    const head = this.#head(method, path, 'Transfer-Encoding: chunked', ...this.#fields());
    return Buffer.concat([head, Buffer.from(`${size}\r\n`), chunk, Buffer.from('\r\n0\r\n\r\n')]);
  }

  /** A body, and what uploads are told in headers. */
  #told(method: string, path: string): Buffer {
    const bytes = this.#bytes(this.#one(1, 500));
    const length = bytes.byteLength + this.#one(0, 0, 0, 1, 100_000);
    const isTus = this.#random() < 0.5;
    const lines = ['Host: x', ...(isTus ? ['Tus-Resumable: 1.0.0'] : [])];
    const known = this.#random() < 0.95 ? [`Authorization: Bearer ${this.#client.token}`] : [];
    const all = [`${method} ${path} HTTP/1.1`, ...lines, ...known, ...this.#fields()];
    return Buffer.concat([
      Buffer.from(`${all.join('\r\n')}\r\nContent-Length: ${length}\r\n\r\n`, 'latin1'),
      bytes,
    ]);
  }

  /** Some of what uploads are told in headers: right, nearly right, not at all, or twice. */
  #fields(): string[] {
    const digests = () =>
      `sha-256=:${this.#one('', 'AA==', 'A'.repeat(43), `${'A'.repeat(43)}=`, this.#text(40))}:`;
    const values: Record<string, () => string> = {
      'Content-Type': () => this.#one(tusMedia, rufhMedia, 'application/dicom', this.#text(40)),
      'Upload-Offset': () => this.#one('0', '0', '1', '-1', '9'.repeat(15), '9'.repeat(400), '0;a=1'),
      'Upload-Length': () => this.#one('0', '500', '1000000', '9'.repeat(15), '1e3', '?1'),
      'Upload-Defer-Length': () => this.#one('1', '0', 'true'),
      'Upload-Complete': () => this.#one('?0', '?1', '?1;a', '?2', '1', this.#text(9)),
      'Upload-Draft-Interop-Version': () => this.#one('8', '3', this.#text(9)),
      'Upload-Checksum': () =>
        this.#one('sha1 ', `crc32 AAAAAA==`, `sha1 ${'A'.repeat(27)}=`, this.#text(60)),
      'Upload-Concat': () =>
        this.#one(
          'partial',
          'final;',
          `final;${this.#location}`,
          `final;${'/a '.repeat(2_000)}`,
          this.#text(90),
        ),
      'Upload-Metadata': () => this.#one('', 'x', `x ${this.#text(9)}`, `x,${'\xe2\x80\x8a'}y eA==`),
      'Content-Digest': () =>
        this.#one(digests(), digests(), `md5=:AA==:, ${digests()}`, 'a=?1', this.#text(90)),
      'Repr-Digest': () => this.#one(digests(), digests(), `${'a'.repeat(4_000)}=:`, this.#text(90)),
      'Content-Encoding': () => this.#one('identity', 'gzip'),
      Origin: () => this.#one('https://viewer.example', 'null', this.#text(40)),
      'Access-Control-Request-Method': () => this.#one('PATCH', this.#text(9)),
      'X-HTTP-Method-Override': () => this.#one('PATCH', 'HEAD', 'GET', 'OPTIONS', 'delete', this.#text(9)),
      Expect: () => this.#one('100-continue', '100-continue', 'x'),
    };
    return Object.entries(values)
      .filter(() => this.#random() < 0.35)
      .flatMap(([name, value]) => {
        const line = `${name}: ${value()}`;
        return this.#random() < 0.05 ? [line, `${name}: ${value()}`] : [line];
      });
  }

  #create(): Buffer {
    const address = `from ${base64('noise')},to ${base64('noise')}`;
    const metadata = this.#one(address, address, `${address},x ${this.#text(60)}`, this.#text(200));
    const length = this.#one(this.#below(4_000).toString(), '-1', '1e3', '999999999999999', '');
    const bytes = this.#bytes(4_000);
    const lines = [`Upload-Length: ${length}`, `Upload-Metadata: ${metadata}`, tusType];
    const sent = `Content-Length: ${bytes.byteLength + this.#one(0, 0, 100_000)}`;
    return Buffer.concat([this.#head('POST', '/v1/uploads', ...lines, sent), bytes]);
  }

  #append(): Buffer {
    const bytes = this.#bytes(4_000);
    const offset = `Upload-Offset: ${this.#one('0', '1', '99999', this.#text(9))}`;
    const sent = `Content-Length: ${bytes.byteLength + this.#one(0, 0, 5_000)}`;
    return Buffer.concat([this.#head('PATCH', this.#location, offset, tusType, sent), bytes]);
  }
}

const tusMedia = 'application/offset+octet-stream';
const rufhMedia = 'application/partial-upload';
const tusType = `Content-Type: ${tusMedia}`;

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
