import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { expect } from 'vitest';
import type { Authorize } from '../../src/access/principal.ts';
import type { Handler, Listener } from '../../src/http/exchange.ts';
import { listen } from '../../src/http/listen.ts';
import { type TusOptions, tusHandler, uploadsPath } from '../../src/upload/tus.ts';
import { RawClient } from '../http/raw-client.ts';
import { alice, alicesColleague, Engine, type EngineOptions, mallory, silent } from './engine.ts';

const principals = new Map([
  ['Bearer a', alice],
  ['Bearer a2', alicesColleague],
  ['Bearer m', mallory],
]);
const authorize: Authorize = (headers) => {
  const token = headers.get('authorization');
  return token === undefined
    ? { refused: 'no-token' }
    : (principals.get(token) ?? { refused: 'unknown-token' });
};
/** Stands for AES-GCM: what is stored is not what was sent. */
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff);

export const patchType = 'application/offset+octet-stream';
export const base64 = (text: string): string => Buffer.from(text).toString('base64');
export const idOf = (location: string): string => location.slice(uploadsPath.length + 1);

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A list is sent as a header that comes so many times. */
export type SentHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: SentHeaders;
  readonly body?: Uint8Array;
  /** The body goes out without a Content-Length. */
  readonly isChunked?: boolean;
}

/** One request on a connection of its own. */
export function send(port: number, { method, path, headers, body, isChunked = false }: Sent): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const framing = isChunked
      ? { 'Transfer-Encoding': 'chunked' }
      : { 'Content-Length': String(body?.byteLength ?? 0) };
    const sent = httpRequest(
      { host: '127.0.0.1', port, method, path, agent: false, headers: { ...framing, ...headers } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Alice's PATCH at the first byte, whose body the test sends; `framing` says how long it is. */
export async function openPatch(
  port: number,
  path: string,
  framing: Readonly<Record<string, string | number>>,
): Promise<RawClient> {
  const client = await RawClient.open(port);
  await client.head(`PATCH ${path}`, {
    Authorization: 'Bearer a',
    'Tus-Resumable': '1.0.0',
    'Content-Type': patchType,
    'Upload-Offset': 0,
    ...framing,
  });
  return client;
}

/** The code of a problem that the dialect answered. */
export function codeOf({ headers, body }: Reply): unknown {
  expect(headers['content-type']).toBe('application/problem+json');
  expect(headers['tus-resumable']).toBe('1.0.0');
  return (JSON.parse(body.toString()) as { code: unknown }).code;
}

/** The dialect on a real listener over a real engine, and a client that says what it is told. */
export class TusServer {
  readonly engine: Engine;
  readonly #listener: Listener;

  private constructor(engine: Engine, listener: Listener) {
    this.engine = engine;
    this.#listener = listener;
  }

  static async open(
    kind: Listener['kind'],
    options: EngineOptions = {},
    wrap: (handler: Handler) => Handler = (handler) => handler,
    dialect: (options: TusOptions) => Handler = tusHandler,
  ): Promise<TusServer> {
    const engine = await Engine.open(options);
    const { uploads } = engine;
    const handler = wrap(dialect({ uploads, authorize, seal: flip, unseal: flip, log: silent }));
    const where = { host: '127.0.0.1', port: 0, listener: kind };
    return new TusServer(engine, await listen({ ...where, handler, log: silent }));
  }

  get port(): number {
    return this.#listener.port;
  }

  /** With Tus-Resumable and a token, unless `headers` have others. */
  call(
    method: string,
    path: string,
    headers: SentHeaders = {},
    body?: Uint8Array,
    more: { readonly token?: string; readonly isChunked?: boolean } = {},
  ): Promise<Reply> {
    const { token = 'a', isChunked = false } = more;
    const usual = { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' };
    return send(this.port, {
      method,
      path,
      headers: { ...usual, ...headers },
      ...(body === undefined ? {} : { body }),
      isChunked,
    });
  }

  post(headers: SentHeaders, body?: Uint8Array): Promise<Reply> {
    return this.call('POST', uploadsPath, headers, body);
  }

  /** Creates an upload and returns its path. */
  async create(length: number | 'deferred', headers: SentHeaders = {}): Promise<string> {
    const told = length === 'deferred' ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) };
    return locationOf(await this.post({ ...told, ...headers }));
  }

  patch(
    path: string,
    offset: number | string,
    body: Uint8Array,
    headers: SentHeaders = {},
    isChunked = false,
  ): Promise<Reply> {
    const usual = { 'Content-Type': patchType, 'Upload-Offset': String(offset) };
    return this.call('PATCH', path, { ...usual, ...headers }, body, { isChunked });
  }

  head(path: string): Promise<Reply> {
    return this.call('HEAD', path);
  }

  async close(): Promise<void> {
    await this.#listener.stop(AbortSignal.timeout(200));
    await this.engine.remove();
  }
}

/** Of a 201. */
export function locationOf({ status, headers }: Reply): string {
  expect(status).toBe(201);
  const { location = '' } = headers;
  expect(location).toMatch(/^\/v1\/uploads\/[0-9a-f-]{36}$/);
  return location;
}
