import { Unauthorized } from '../access/errors.ts';
import type { Authorize, Principal } from '../access/principal.ts';
import { MethodNotAllowed } from '../http/errors.ts';
import type { Answer, Exchange, Handler } from '../http/exchange.ts';
import { problem } from '../http/problem.ts';
import { SluisError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { isId } from '../state/ids.ts';
import { StorageDamaged, StorageFull } from '../storage/errors.ts';
import { UploadNotFound, UploadsStopping } from './errors.ts';
import { checkEnd } from './machine.ts';
import { parseMetadata } from './metadata.ts';
import { bytesHeader, checkBodyType, checkExtensions, checkTusVersion, isUploadBody } from './tus-headers.ts';
import type { CreateRequest, Uploads } from './uploads.ts';

/** Where the dialect is mounted. */
export const uploadsPath = '/v1/uploads';

export interface TusOptions {
  readonly uploads: Uploads;
  readonly authorize: Authorize;
  /** Seals what may name a person (access/). */
  readonly seal: (bytes: Uint8Array) => Uint8Array;
  readonly unseal: (sealed: Uint8Array) => Uint8Array;
  readonly log: Log;
}

/**
 * tus 1.0.0 over the engine: Core, creation, creation-with-upload and termination, plus GET of one's
 * own upload. Mount it at /v1/uploads and everything below.
 */
export function tusHandler(options: TusOptions): Handler {
  const dialect = new Tus(options);
  return (exchange) => dialect.handle(exchange);
}

type Method = (exchange: Exchange, principal: Principal, id: string) => Promise<void> | void;

class Tus {
  readonly #uploads: Uploads;
  readonly #authorize: Authorize;
  readonly #seal: TusOptions['seal'];
  readonly #unseal: TusOptions['unseal'];
  readonly #log: Log;
  readonly #collection: ReadonlyMap<string, Method>;
  readonly #upload: ReadonlyMap<string, Method>;

  constructor({ uploads, authorize, seal, unseal, log }: TusOptions) {
    this.#uploads = uploads;
    this.#authorize = authorize;
    this.#seal = seal;
    this.#unseal = unseal;
    this.#log = log;
    this.#collection = new Map([['POST', this.#post.bind(this)]]);
    this.#upload = new Map<string, Method>([
      ['HEAD', this.#head.bind(this)],
      ['PATCH', this.#patch.bind(this)],
      ['DELETE', this.#delete.bind(this)],
      ['GET', this.#get.bind(this)],
    ]);
  }

  async handle(exchange: Exchange): Promise<void> {
    // tus 1.0.0, Core, X-HTTP-Method-Override: for clients that cannot send PATCH or DELETE.
    const method = exchange.headers.get('x-http-method-override') ?? exchange.method;
    try {
      if (method === 'OPTIONS') {
        this.#options(exchange);
        return;
      }
      const principal = this.#authorize(exchange.headers);
      if ('refused' in principal) {
        throw new Unauthorized(principal);
      }
      const { methods, id } = this.#route(exchange.path);
      const run = methods.get(method);
      if (run === undefined) {
        throw new MethodNotAllowed([...methods.keys(), 'OPTIONS']);
      }
      // GET is not part of tus: a browser that opens its own upload knows no Tus-Resumable.
      if (method !== 'GET') {
        checkTusVersion(exchange.headers);
      }
      await run(exchange, principal, id);
    } catch (error) {
      this.#fail(exchange, error, method === 'HEAD');
    }
  }

  #route(path: string): { methods: ReadonlyMap<string, Method>; id: string } {
    const rest = path.slice(uploadsPath.length);
    if (path.startsWith(uploadsPath) && (rest === '' || rest === '/')) {
      return { methods: this.#collection, id: '' };
    }
    const id = rest.slice(1);
    if (!path.startsWith(`${uploadsPath}/`) || !isId(id)) {
      throw new UploadNotFound();
    }
    return { methods: this.#upload, id };
  }

  #options(exchange: Exchange): void {
    answer(exchange, {
      status: 204,
      headers: {
        'Tus-Version': '1.0.0',
        'Tus-Extension': 'creation,creation-with-upload,termination',
        'Tus-Max-Size': String(this.#uploads.settings.bytesMax),
      },
    });
  }

  async #post(exchange: Exchange, principal: Principal): Promise<void> {
    const { headers, body } = exchange;
    checkExtensions(headers);
    const length = bytesHeader(headers, 'Upload-Length');
    const text = headers.get('upload-metadata');
    const metadata = text === undefined ? null : this.#seal(Buffer.from(text, 'latin1'));
    const request: CreateRequest = { ...parseMetadata(text ?? ''), length, metadata };
    // tus 1.0.0, Creation With Upload: without that content type a body is nothing we know.
    const withUpload = isUploadBody(headers);
    if (!withUpload && body.length !== 0) {
      checkBodyType(headers);
    }
    checkEnd(body.length ?? 0, length);
    const upload = await this.#uploads.create(principal, request);
    let { offset } = upload;
    if (withUpload) {
      offset = await this.#appendFirst(exchange, principal, upload.id);
    }
    answer(exchange, {
      status: 201,
      headers: { Location: `${uploadsPath}/${upload.id}`, 'Upload-Offset': String(offset) },
    });
  }

  /** A disk that filled up, or a program that stops, is no reason to lose the upload: the client goes on from the offset. */
  async #appendFirst(exchange: Exchange, principal: Principal, id: string): Promise<number> {
    try {
      return (await this.#uploads.append(id, principal, 0, exchange.body)).offset;
    } catch (error) {
      if (!(error instanceof StorageFull || error instanceof UploadsStopping)) {
        throw error;
      }
      this.#log.warn('upload.begun-only', { upload: id, error });
      return this.#uploads.head(id, principal).offset;
    }
  }

  #head(exchange: Exchange, principal: Principal, id: string): void {
    const { offset, length, metadata, creator } = this.#uploads.head(id, principal);
    answer(exchange, {
      status: 200,
      headers: {
        'Upload-Offset': String(offset),
        ...(length === null ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }),
        // A client's file name can hold a patient's: only who sent it sees it again.
        ...(metadata === null || creator !== principal.key
          ? {}
          : { 'Upload-Metadata': Buffer.from(this.#unseal(metadata)).toString('latin1') }),
      },
    });
  }

  async #patch(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    const { headers, body } = exchange;
    try {
      checkBodyType(headers);
      checkExtensions(headers);
      const claimed = bytesHeader(headers, 'Upload-Offset');
      const { offset } = await this.#uploads.append(id, principal, claimed, body);
      answer(exchange, { status: 204, headers: { 'Upload-Offset': String(offset) } });
    } catch (error) {
      // The true offset spares the client a HEAD; an upload that is not its own stays hidden.
      const { offset } = this.#uploads.head(id, principal);
      this.#fail(exchange, error, false, { 'Upload-Offset': String(offset) });
    }
  }

  async #delete(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    await this.#uploads.terminate(id, principal);
    answer(exchange, { status: 204 });
  }

  async #get(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    const { upload, bytes } = this.#uploads.read(id, principal);
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    };
    await exchange.stream({ status: 200, headers, bytes: upload.offset }, bytes);
  }

  #fail(exchange: Exchange, error: unknown, isHead: boolean, headers: Answer['headers'] = {}): void {
    if (exchange.gone.aborted) {
      this.#log.info('upload.peer-gone', { error });
      return;
    }
    if (error instanceof StorageFull) {
      this.#log.warn('upload.storage-full', { error });
    } else if (!(error instanceof SluisError) || error instanceof StorageDamaged) {
      this.#log.error('upload.failed', { error });
    }
    if (exchange.answered) {
      return;
    }
    const { status, body, headers: own } = problem(error);
    const all = { ...own, ...headers };
    answer(
      exchange,
      isHead || body === undefined ? { status, headers: all } : { status, headers: all, body },
    );
  }
}

/** tus 1.0.0, Core: Tus-Resumable in every answer, and no answer may come from a cache. */
function answer(exchange: Exchange, { headers, ...rest }: Answer): void {
  exchange.answer({
    ...rest,
    headers: { 'Tus-Resumable': '1.0.0', 'Cache-Control': 'no-store', ...headers },
  });
}
