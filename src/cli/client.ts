import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { z } from 'zod';
import { asError, SluisError } from '../ops/error.ts';
import { AnswerUnexpected, Unreachable } from './errors.ts';
import {
  ANSWER_BYTES_MAX,
  ANSWER_BYTES_PER_SECOND,
  ANSWER_MS_MAX,
  CONNECT_MS_MAX,
  IDLE_MS_MAX,
  PROBLEM_BYTES_MAX,
} from './limits.ts';
import { Patience, type PatienceOptions } from './patience.ts';
import { ExchangeProblem } from './problem.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';

export interface Ask {
  readonly method: Method;
  /** Begins with '/', on top of the server's own path; already encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Readable;
  /** Bytes of a streamed body; the exchange gets as much longer to answer. */
  readonly bytes?: number;
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  header(name: string): string | undefined;
  /** Has to be read to its end or destroyed. */
  readonly body: Readable;
}

/** What stands in front of a failure that no waiting repairs: a certificate that is not trusted. */
const LASTING = /CERT|SIGNED|ERR_TLS|UNABLE_TO_VERIFY|ERR_SSL|ERR_INVALID/u;

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the line was cut',
  EPIPE: 'the line was cut',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up',
  UND_ERR_SOCKET: 'the line was cut',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'the line stands still',
};

/**
 * The exchange's API as a command sees it. Every answer is an error or what was asked for: a status of
 * 400 and above is thrown as ExchangeProblem, a broken line as Unreachable.
 */
export class ExchangeClient {
  readonly server: string;
  readonly #base: URL;
  readonly #token: string;
  readonly #patience: PatienceOptions;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_MS_MAX },
    bodyTimeout: IDLE_MS_MAX,
    // One request at a time: a pipeline would make a cut line's damage larger, not the line faster.
    pipelining: 1,
  });

  constructor(server: URL, token: string, patience: PatienceOptions) {
    this.#base = server;
    this.server = server.origin;
    this.#token = token;
    this.#patience = patience;
  }

  /** How long a wait without any change may take. */
  get giveUpMs(): number {
    return this.#patience.giveUpMs;
  }

  patience(): Patience {
    return new Patience(this.#patience);
  }

  /** One try. */
  async ask(ask: Ask): Promise<Reply> {
    const reply = await this.#request(ask);
    if (reply.status < 400) return reply;
    const answer = await bodyBytes(reply.body, PROBLEM_BYTES_MAX).catch(() => new Uint8Array());
    throw new ExchangeProblem(reply.status, answer, reply.header('retry-after'));
  }

  /** As often as `patience` allows. For what may be asked twice: reads, PUT, POST with an Idempotency-Key. */
  async insist(ask: Ask, patience: Patience = this.patience()): Promise<Reply> {
    for (;;) {
      try {
        return await this.ask(ask);
      } catch (thrown) {
        await patience.pause(asError(thrown), retryAfterOf(thrown));
      }
    }
  }

  /** JSON in, JSON out, checked against `schema`; `insist`s. */
  async json<T>(schema: z.ZodType<T>, ask: Ask & { readonly json?: unknown }): Promise<T> {
    const { json, ...rest } = ask;
    const sent =
      json === undefined
        ? rest
        : {
            ...rest,
            body: JSON.stringify(json),
            headers: { ...rest.headers, 'content-type': 'application/json' },
          };
    const patience = this.patience();
    for (;;) {
      const reply = await this.insist(sent, patience);
      try {
        return parse(schema, await bodyBytes(reply.body, ANSWER_BYTES_MAX), ask);
      } catch (thrown) {
        await patience.pause(this.#broken(thrown));
      }
    }
  }

  /** A location that the exchange named, as a path for `ask`. */
  pathOf(location: string): string {
    // A proxy in front may make the exchange believe in another host or scheme. Only the path is taken,
    // so that the token never goes to an address that was not given on the command line.
    const own = this.#base.pathname.replace(/\/$/u, '');
    const base = new URL(`${own}/`, this.#base).href;
    if (!URL.canParse(location, base))
      throw new AnswerUnexpected('the exchange named a location that is none');
    const url = new URL(location, base);
    const path = url.pathname + url.search;
    return own !== '' && path.startsWith(`${own}/`) ? path.slice(own.length) : path;
  }

  /** Closes its connections; what still runs fails. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #request(ask: Ask): Promise<Reply> {
    const path = this.#base.pathname.replace(/\/$/u, '') + ask.path;
    const bytes = ask.bytes ?? (typeof ask.body === 'string' ? ask.body.length : 0);
    try {
      // Not as a reference to be resolved: one that begins with two slashes names another host.
      const { statusCode, headers, body } = await request(this.#base.origin + path, {
        dispatcher: this.#agent,
        method: ask.method,
        headers: {
          accept: 'application/json, application/problem+json',
          ...ask.headers,
          authorization: `Bearer ${this.#token}`,
        },
        body: ask.body ?? null,
        headersTimeout: ANSWER_MS_MAX + (1000 * bytes) / ANSWER_BYTES_PER_SECOND,
        ...(ask.signal === undefined ? {} : { signal: ask.signal }),
      });
      return {
        status: statusCode,
        header: (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        body,
      };
    } catch (thrown) {
      throw this.#broken(thrown);
    }
  }

  /** An error of the line as Unreachable; our own errors pass, those of a streamed body too. */
  #broken(thrown: unknown): Error {
    return lineError(this.server, thrown);
  }
}

/** What a broken line threw, as Unreachable. Errors made on purpose and those of files pass unchanged. */
export function lineError(server: string, thrown: unknown): Error {
  const error: NodeJS.ErrnoException & { readonly path?: string } = asError(thrown);
  if (error instanceof SluisError || error.path !== undefined) return error;
  const code = error.code ?? (error.name === 'AbortError' ? 'UND_ERR_BODY_TIMEOUT' : '');
  return new Unreachable(server, words[code] ?? (error.message || code), LASTING.test(code), error);
}

/** How long the exchange wished to be left alone; 0 when it said nothing. */
export function retryAfterOf(thrown: unknown): number {
  return thrown instanceof ExchangeProblem ? thrown.retryAfterMs : 0;
}

async function bodyBytes(body: Readable, max: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    if (!(piece instanceof Uint8Array)) continue;
    bytes += piece.length;
    if (bytes > max) {
      body.destroy();
      throw new AnswerUnexpected(`the exchange answered with more than ${max.toString()} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function parse<T>(schema: z.ZodType<T>, answer: Uint8Array, ask: Ask): T {
  let value: unknown;
  try {
    value = answer.length === 0 ? {} : JSON.parse(Buffer.from(answer).toString('utf8'));
  } catch {
    throw new AnswerUnexpected(`${ask.method} ${ask.path} was not answered in JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new AnswerUnexpected(`the answer to ${ask.method} ${ask.path} has an unexpected '${where}'`);
}
