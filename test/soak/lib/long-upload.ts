import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import type { Random } from './random.ts';

const pieceBytes = 256 * 1024;
const answerMsMax = 30_000;
const aKey = Buffer.alloc(16);

/** Bytes that look like noise and can be made again from any multiple of 16: AES-CTR of zeros. */
function noise(seed: number, from: number, bytes: number): Buffer {
  const counter = Buffer.alloc(16);
  counter.writeUInt32BE(seed >>> 0, 0);
  counter.writeBigUInt64BE(BigInt(Math.floor(from / 16)), 8);
  const skip = from % 16;
  const stream = createCipheriv('aes-128-ctr', aKey, counter);
  return stream.update(Buffer.alloc(skip + bytes)).subarray(skip);
}

export interface LongUploadOptions {
  readonly port: number;
  readonly token: string;
  readonly bytes: number;
  readonly seed: number;
  readonly random: Random;
  /** Called with the bytes sent so far, before each piece goes out; true: stop sending, the server is gone. */
  readonly sent: (offset: number) => Promise<boolean>;
}

interface Told {
  readonly status: number;
  readonly offset: number | undefined;
  readonly location: string | undefined;
}

/** One upload of noise in PATCHes of some megabytes, that holds the exchange to every offset it was told. */
export class LongUpload {
  readonly #options: LongUploadOptions;
  #path = '';
  #told = 0;
  readonly faults: string[] = [];
  /** Offsets it was told. */
  answers = 0;

  constructor(options: LongUploadOptions) {
    this.#options = options;
  }

  async create(): Promise<void> {
    const { status, location } = await this.#ask('POST', '/v1/uploads', {
      'Upload-Length': this.#options.bytes.toString(),
    });
    if (status !== 201 || location === undefined) throw new Error(`POST was answered ${status.toString()}`);
    this.#path = location;
  }

  /** Sends until everything is there or the server is gone; true when everything is. */
  async goOn(): Promise<boolean> {
    const { bytes, random, seed, sent } = this.#options;
    let { offset } = await this.#ask('HEAD', this.#path, {});
    while (offset !== undefined && offset < bytes) {
      const end = Math.min(bytes, offset + random.between(1_000_000, 48_000_000));
      const patch = this.#open('PATCH', this.#path, {
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': offset.toString(),
        'Content-Length': (end - offset).toString(),
      });
      const answered = told(patch);
      for (let at = offset; at < end; at += pieceBytes) {
        if (await sent(at)) {
          patch.destroy();
          await answered.catch(() => undefined);
          return false;
        }
        const piece = noise(seed, at, Math.min(pieceBytes, end - at));
        if (!patch.write(piece)) await Promise.race([once(patch, 'drain'), answered.catch(() => undefined)]);
      }
      patch.end();
      offset = this.#check('PATCH', await answered).offset;
    }
    return offset === bytes;
  }

  /** SHA-256 of what the exchange holds, and of what was sent. */
  async digests(): Promise<{ readonly held: string; readonly sent: string }> {
    const { port, token, bytes, seed } = this.#options;
    const response = await fetch(`http://127.0.0.1:${port.toString()}${this.#path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const held = createHash('sha256');
    if (response.body !== null) {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) held.update(chunk);
    }
    const sent = createHash('sha256');
    for (let at = 0; at < bytes; at += 16 * pieceBytes) {
      sent.update(noise(seed, at, Math.min(16 * pieceBytes, bytes - at)));
    }
    return { held: held.digest('hex'), sent: sent.digest('hex') };
  }

  async #ask(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<Told> {
    const asked = this.#open(method, path, { ...headers, 'Content-Length': '0' });
    const answered = told(asked);
    asked.end();
    return this.#check(method, await answered);
  }

  #open(method: string, path: string, headers: Readonly<Record<string, string>>): ClientRequest {
    const { port, token } = this.#options;
    return request({
      ...{ host: '127.0.0.1', port, method, path, agent: false, timeout: answerMsMax },
      headers: { ...headers, 'Tus-Resumable': '1.0.0', Authorization: `Bearer ${token}` },
    });
  }

  #check(method: string, answer: Told): Told {
    const { status, offset } = answer;
    if (status >= 400 && ![409, 503].includes(status)) {
      this.faults.push(`${method} was answered ${status.toString()}`);
    }
    if (offset !== undefined) {
      this.answers += 1;
      if (offset < this.#told) {
        this.faults.push(
          `${method} told offset ${offset.toString()}, after ${this.#told.toString()} was told`,
        );
      }
      this.#told = Math.max(this.#told, offset);
    }
    return answer;
  }
}

/** What the answer tells; rejects when none comes. */
function told(asked: ClientRequest): Promise<Told> {
  const answered = new Promise<Told>((resolve, reject) => {
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${answerMsMax.toString()} ms`)));
    asked.on('response', (response) => {
      response.resume();
      const offset = response.headers['upload-offset'];
      resolve({
        status: response.statusCode ?? 0,
        offset: typeof offset === 'string' ? Number(offset) : undefined,
        location: response.headers.location,
      });
    });
  });
  answered.catch(() => undefined);
  return answered;
}
