import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { Listener } from '../../src/http/exchange.ts';
import { uploadsHandler } from '../../src/upload/protocol.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { type Reply, type SentHeaders, send, TusServer } from './tus-client.ts';

export const partialUpload = 'application/partial-upload';
/** No upload has it. */
export const unknownPath = `${uploadsPath}/01890a5d-ac96-774b-bcce-b302099a8057`;

/** A digest field (RFC 9530). */
export function digest(bytes: Uint8Array, algorithm: 'sha-256' | 'sha-512' = 'sha-256'): string {
  const hash = createHash(algorithm.replace('-', '')).update(bytes);
  return `${algorithm}=:${hash.digest('base64')}:`;
}

/** The problem document of an answer, with its status. */
export function problemOf({ status, headers, body }: Reply): Record<string, unknown> {
  expect(headers['content-type']).toBe('application/problem+json');
  const document = JSON.parse(body.toString()) as Record<string, unknown>;
  expect(document.status).toBe(status);
  return document;
}

/** The end of a registered problem type; the whole where it is no such one. */
export function typeOf(reply: Reply): unknown {
  const { type } = problemOf(reply);
  return String(type).replace('https://iana.org/assignments/http-problem-types#', '');
}

/** What an answer says of its upload: status, Upload-Offset, Upload-Complete. */
export function stateOf({ status, headers }: Reply): [number, unknown, unknown] {
  return [status, headers['upload-offset'], headers['upload-complete']];
}

export interface Append {
  readonly complete?: string;
  readonly headers?: SentHeaders;
  readonly token?: string;
  readonly isChunked?: boolean;
}

/** Both dialects on a real listener over a real engine, and a client that says what it is told. */
export class RufhServer {
  readonly tus: TusServer;

  private constructor(tus: TusServer) {
    this.tus = tus;
  }

  static async open(kind: Listener['kind'], options: EngineOptions = {}): Promise<RufhServer> {
    return new RufhServer(await TusServer.open(kind, options, (handler) => handler, uploadsHandler));
  }

  get engine(): Engine {
    return this.tus.engine;
  }

  get port(): number {
    return this.tus.port;
  }

  call(
    method: string,
    path: string,
    headers: SentHeaders = {},
    body?: Uint8Array,
    { token = 'a', isChunked = false }: Append = {},
  ): Promise<Reply> {
    return send(this.port, {
      method,
      path,
      headers: { Authorization: `Bearer ${token}`, ...headers },
      ...(body === undefined ? {} : { body }),
      isChunked,
    });
  }

  post(complete: string, headers: SentHeaders = {}, body?: Uint8Array, more?: Append): Promise<Reply> {
    return this.call('POST', uploadsPath, { 'Upload-Complete': complete, ...headers }, body, more);
  }

  /** Creates an upload, without bytes, and returns its path. */
  async create(length?: number, headers: SentHeaders = {}): Promise<string> {
    const told = length === undefined ? {} : { 'Upload-Length': String(length) };
    const reply = await this.post('?0', { ...told, ...headers });
    expect(reply.status).toBe(201);
    return String(reply.headers.location);
  }

  patch(path: string, offset: number | string, body: Uint8Array, append: Append = {}): Promise<Reply> {
    const { complete = '?0', headers = {} } = append;
    const usual = {
      'Content-Type': partialUpload,
      'Upload-Offset': String(offset),
      'Upload-Complete': complete,
    };
    return this.call('PATCH', path, { ...usual, ...headers }, body, append);
  }

  head(path: string): Promise<Reply> {
    return this.call('HEAD', path);
  }

  /** A request whose body is not sent yet, on a socket of its own. */
  begin(method: string, path: string, headers: Record<string, string>): Socket {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const lines = Object.entries({ Host: 'x', Authorization: 'Bearer a', ...headers });
    socket.write(
      `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    );
    return socket;
  }

  close(): Promise<void> {
    return this.tus.close();
  }
}
