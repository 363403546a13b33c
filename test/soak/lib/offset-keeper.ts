import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GeneratedInstance } from '../../support/study/study.ts';
import type { Random } from './random.ts';

interface Answer {
  readonly status: number;
  readonly offset: number | undefined;
  readonly location: string | undefined;
  readonly json: unknown;
}

interface TransferAnswer {
  readonly id: string;
  readonly state: string;
  readonly uploads?: readonly { readonly location: string; readonly offset: number }[];
}

export interface KeeperOptions {
  /** Through the bad line. */
  readonly server: string;
  readonly token: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly random: Random;
}

const answerMsMax = 5_000;

/**
 * Sends a study by tus in many small PATCHes, some given up in the middle, some doubled, and holds the
 * exchange to every offset it was told: by a 204, by HEAD, by a 409.
 */
export class OffsetKeeper {
  readonly #options: KeeperOptions;
  readonly #body: Buffer;
  readonly #boundary = `soak-${'0'.repeat(20)}`;
  readonly #manifest: string;
  #told = 0;
  readonly faults: string[] = [];
  /** Offsets it was told. */
  answers = 0;

  constructor(options: KeeperOptions, instances: readonly GeneratedInstance[]) {
    this.#options = options;
    const parts = instances.flatMap(({ bytes }) => [
      Buffer.from(
        `--${this.#boundary}\r\nContent-Type: application/dicom\r\nContent-Length: ${bytes.byteLength.toString()}\r\n\r\n`,
      ),
      bytes,
      Buffer.from('\r\n'),
    ]);
    this.#body = Buffer.concat([...parts, Buffer.from(`--${this.#boundary}--\r\n`)]);
    this.#manifest = JSON.stringify({
      instances: instances.map(({ sopInstanceUid, bytes }) => ({
        sopInstanceUid,
        bytes: bytes.byteLength,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      })),
      reports: [],
    });
  }

  /** Resolves when the exchange has every byte, or when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#options;
    let path: string | undefined;
    while (!signal.aborted) {
      try {
        path ??= await this.#open();
        const offset = await this.#head(path);
        if (offset === this.#body.byteLength) return;
        const bytes = Math.min(random.between(1_000, 200_000), this.#body.byteLength - offset);
        const patch = this.#patch(
          path,
          offset,
          bytes,
          random.chance(0.15) ? random.between(1, 60) : answerMsMax,
        );
        // A client that lost its line comes back while the exchange still reads the old one.
        const doubled = random.chance(0.15) ? this.#patch(path, offset, bytes, answerMsMax) : undefined;
        await Promise.allSettled([patch, doubled]);
      } catch {
        await sleep(random.between(50, 300), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #open(): Promise<string> {
    const { from, to } = this.#options;
    const order = JSON.stringify({ from, to, priority: 'urgent' });
    const key = createHash('sha256').update(this.#manifest).digest('hex');
    const json = { 'content-type': 'application/json' };
    const { id } = (await this.#ask('POST', '/v1/transfers', { ...json, 'idempotency-key': key }, order))
      .json as TransferAnswer;
    await this.#ask('PUT', `/v1/transfers/${id}/manifest`, json, this.#manifest);
    const { uploads = [] } = (await this.#ask('GET', `/v1/transfers/${id}`, {})).json as TransferAnswer;
    const furthest = [...uploads].sort((a, b) => b.offset - a.offset)[0];
    if (furthest !== undefined) return furthest.location;
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const filetype = `multipart/related; type="application/dicom"; boundary=${this.#boundary}`;
    const { location } = await this.#ask('POST', '/v1/uploads', {
      'upload-length': this.#body.byteLength.toString(),
      'upload-metadata': `transfer ${base64(id)},filetype ${base64(filetype)}`,
    });
    if (location === undefined) throw new Error('no location');
    return new URL(location, this.#options.server).pathname;
  }

  async #head(path: string): Promise<number> {
    const { offset } = await this.#ask('HEAD', path, {});
    if (offset === undefined) throw new Error('no offset');
    return offset;
  }

  async #patch(path: string, offset: number, bytes: number, ms: number): Promise<void> {
    const headers = { 'content-type': 'application/offset+octet-stream', 'upload-offset': offset.toString() };
    await this.#ask('PATCH', path, headers, this.#body.subarray(offset, offset + bytes), ms);
  }

  async #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string | Buffer,
    ms = answerMsMax,
  ): Promise<Answer> {
    const before = this.#told;
    const response = await fetch(this.#options.server + path, {
      method,
      headers: { ...headers, 'tus-resumable': '1.0.0', authorization: `Bearer ${this.#options.token}` },
      body: typeof body === 'object' ? new Uint8Array(body) : (body ?? null),
      signal: AbortSignal.timeout(ms),
    });
    const text = await response.text();
    const { status } = response;
    const stated = response.headers.get('upload-offset');
    const offset = stated === null ? undefined : Number(stated);
    // What was told before this was asked; answers of requests side by side may come in any order.
    if (offset !== undefined && offset < before) {
      this.faults.push(`${method} told offset ${offset.toString()}, after ${before.toString()} was told`);
    }
    if (offset !== undefined) {
      this.answers += 1;
      this.#told = Math.max(this.#told, offset);
    }
    if (status >= 400 && ![409, 503].includes(status)) {
      this.faults.push(`${method} ${path} was answered ${status.toString()}: ${text.slice(0, 300)}`);
    }
    if (status >= 400) throw new Error(`answered ${status.toString()}`);
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    return {
      status,
      offset,
      location: response.headers.get('location') ?? undefined,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }
}
