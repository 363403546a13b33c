import { Unauthorized } from '../access/errors.ts';
import type { Authorize, Principal } from '../access/principal.ts';
import { MethodNotAllowed } from '../http/errors.ts';
import type { Answer, Exchange, RequestHeaders } from '../http/exchange.ts';
import { problem } from '../http/problem.ts';
import { SluisError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { StorageBehind, StorageDamaged, StorageFull } from '../storage/errors.ts';
import { idIn, isCollection } from './address.ts';
import { UploadNotFound } from './errors.ts';
import type { Uploads } from './uploads.ts';

export interface DialectOptions {
  readonly uploads: Uploads;
  readonly authorize: Authorize;
  /** Seals what may name a person (access/). */
  readonly seal: (bytes: Uint8Array) => Uint8Array;
  readonly log: Log;
}

export type Headers = Readonly<Record<string, string>>;
type Method = (exchange: Exchange, principal: Principal, id: string) => Promise<void> | void;

/** What tus and RUFH do alike: who asks, of which upload and how, what becomes of what is thrown, DELETE and GET. */
export abstract class Dialect {
  protected readonly uploads: Uploads;
  protected readonly log: Log;
  /** In each answer. */
  protected abstract readonly always: Headers;
  readonly #authorize: Authorize;
  readonly #seal: DialectOptions['seal'];
  readonly #collection: ReadonlyMap<string, Method>;
  readonly #upload: ReadonlyMap<string, Method>;

  constructor({ uploads, authorize, seal, log }: DialectOptions) {
    this.uploads = uploads;
    this.log = log;
    this.#authorize = authorize;
    this.#seal = seal;
    this.#collection = new Map([['POST', this.post.bind(this)]]);
    this.#upload = new Map<string, Method>([
      ['HEAD', this.head.bind(this)],
      ['PATCH', this.patch.bind(this)],
      ['DELETE', this.#delete.bind(this)],
      ['GET', this.get.bind(this)],
    ]);
  }

  async handle(exchange: Exchange): Promise<void> {
    try {
      await this.serve(exchange);
    } catch (error) {
      this.fail(exchange, error);
    }
  }

  protected abstract post(exchange: Exchange, principal: Principal): Promise<void>;
  protected abstract head(exchange: Exchange, principal: Principal, id: string): void;
  protected abstract patch(exchange: Exchange, principal: Principal, id: string): Promise<void>;

  async #delete(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    await this.uploads.terminate(id, principal);
    this.answer(exchange, { status: 204 });
  }

  /** In neither protocol: what is there so far. */
  protected async get(
    exchange: Exchange,
    principal: Principal,
    id: string,
    about: Headers = {},
  ): Promise<void> {
    const { upload, bytes } = this.uploads.read(id, principal);
    const headers = {
      ...this.always,
      ...about,
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment',
      'X-Content-Type-Options': 'nosniff',
    };
    await exchange.stream({ status: 200, headers, bytes: upload.offset }, bytes);
  }

  /** Throws Unauthorized, and what `run` does. */
  protected async serve(exchange: Exchange): Promise<void> {
    await this.run(exchange, this.principalOf(exchange.headers));
  }

  protected methodOf({ method }: Exchange): string {
    return method;
  }

  /** Throws Unauthorized. */
  protected principalOf(headers: RequestHeaders): Principal {
    const principal = this.#authorize(headers);
    if ('refused' in principal) {
      throw new Unauthorized(principal);
    }
    return principal;
  }

  /** Throws UploadNotFound, MethodNotAllowed, and what the method does. */
  protected async run(exchange: Exchange, principal: Principal): Promise<void> {
    const id = idIn(exchange.path);
    if (id === undefined && !isCollection(exchange.path)) {
      throw new UploadNotFound();
    }
    const methods = id === undefined ? this.#collection : this.#upload;
    const method = methods.get(this.methodOf(exchange));
    if (method === undefined) {
      throw new MethodNotAllowed([...methods.keys(), 'OPTIONS']);
    }
    await method(exchange, principal, id ?? '');
  }

  /** Upload-Metadata as it came, sealed. */
  protected sealedMetadata(headers: RequestHeaders): Uint8Array | null {
    const text = headers.get('upload-metadata');
    return text === undefined ? null : this.#seal(Buffer.from(text, 'latin1'));
  }

  protected answer(exchange: Exchange, { headers, ...rest }: Answer): void {
    exchange.answer({ ...rest, headers: { ...this.always, ...headers } });
  }

  /** Answers what was thrown, with `headers` before the problem's own of the same name. */
  protected fail(exchange: Exchange, error: unknown, headers: Headers = {}, told = problem(error)): void {
    if (exchange.gone.aborted) {
      this.log.info('upload.peer-gone', { error });
      return;
    }
    if (error instanceof StorageFull || error instanceof StorageBehind) {
      this.log.warn('upload.storage-full', { error });
    } else if (!(error instanceof SluisError) || error instanceof StorageDamaged) {
      this.log.error('upload.failed', { error });
    }
    if (exchange.answered) {
      return;
    }
    const { status, body, headers: own } = told;
    const all = { ...own, ...headers };
    const hasBody = body !== undefined && this.methodOf(exchange) !== 'HEAD';
    this.answer(exchange, hasBody ? { status, headers: all, body } : { status, headers: all });
  }
}
