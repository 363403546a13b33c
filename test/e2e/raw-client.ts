import { readFileSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { ExchangeProcess } from './exchange-process.ts';

const HOST = '127.0.0.1';
const WAIT_MS = 10_000;

export interface Got {
  /** 0 when the connection ended without an answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body where it is JSON, else an empty object. */
  readonly json: Record<string, unknown>;
}

export interface Asked {
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** One organization at an exchange, without the manners of a client: each request has a connection of its own. */
export class RawClient {
  readonly port: number;
  readonly token: string;
  readonly #agent = new Agent({ keepAlive: false });

  constructor(exchange: ExchangeProcess, organization: string) {
    this.port = exchange.port;
    this.token = readFileSync(exchange.tokenFile(organization), 'utf8').trim();
  }

  /** A connection to which anything may be written; errors of the line are nothing new to its user. */
  open(): Socket {
    const socket = connect(this.port, HOST);
    socket.on('error', () => undefined);
    return socket;
  }

  ask(method: string, path: string, { headers = {}, body }: Asked = {}): Promise<Got> {
    const nothing: Got = { status: 0, headers: {}, body: Buffer.alloc(0), json: {} };
    return new Promise((resolve) => {
      const sent = request({
        ...{ host: HOST, port: this.port, agent: this.#agent, method, path, timeout: WAIT_MS },
        headers: {
          authorization: `Bearer ${this.token}`,
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      });
      sent.on('response', (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', () => resolve(nothing));
        answer.on('end', () => {
          const whole = Buffer.concat(chunks);
          const { statusCode = 0, headers: answered } = answer;
          resolve({ status: statusCode, headers: answered, body: whole, json: jsonOf(whole) });
        });
      });
      sent.on('timeout', () => sent.destroy());
      sent.on('error', () => resolve(nothing));
      sent.end(body);
    });
  }

  /** A tus request. */
  tus(method: string, path: string, { headers = {}, body }: Asked = {}): Promise<Got> {
    const type = body === undefined ? {} : { 'content-type': 'application/offset+octet-stream' };
    return this.ask(method, path, {
      headers: { 'tus-resumable': '1.0.0', ...type, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Creates an upload with all of its bytes, or the first of them; answers with its Location. */
  async upload(
    bytes: Uint8Array,
    { metadata = {}, length = bytes.byteLength }: { metadata?: Record<string, string>; length?: number } = {},
  ): Promise<Got & { readonly location: string }> {
    const pairs = Object.entries(metadata).map(
      ([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`,
    );
    const headers = { 'upload-length': length.toString(), 'upload-metadata': pairs.join(',') };
    const got = await this.tus('POST', '/v1/uploads', { headers, body: bytes });
    return { ...got, location: got.headers.location ?? '' };
  }

  patch(location: string, offset: number, body: Uint8Array): Promise<Got> {
    return this.tus('PATCH', location, { headers: { 'upload-offset': offset.toString() }, body });
  }

  async offsetOf(location: string): Promise<number> {
    return Number((await this.tus('HEAD', location)).headers['upload-offset']);
  }
}

function jsonOf(bytes: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(bytes.toString());
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}
