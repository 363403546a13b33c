import type { Principal } from '../access/principal.ts';
import type { Exchange, Handler } from '../http/exchange.ts';
import type { UploadRecord } from '../state/records.ts';
import { StorageBehind, StorageFull } from '../storage/errors.ts';
import { addressOf } from './address.ts';
import { checksumAlgorithms } from './checksum.ts';
import { Dialect, type DialectOptions, type Headers } from './dialect.ts';
import {
  ConcatenationInvalid,
  DigestMismatch,
  HeaderInvalid,
  TooManyWriters,
  UploadsStopping,
} from './errors.ts';
import { checkEnd } from './machine.ts';
import { parseMetadata } from './metadata.ts';
import type { AppendRequest, CreateRequest } from './requests.ts';
import { DialectMismatch } from './rufh-problems.ts';
import {
  bytesHeader,
  checkBodyType,
  checkExtensions,
  checksumHeader,
  checkTusVersion,
  concatHeader,
  isUploadBody,
  lengthOfNew,
  tusExtensions,
} from './tus-headers.ts';

export { uploadsPath } from './address.ts';

export interface TusOptions extends DialectOptions {
  readonly unseal: (sealed: Uint8Array) => Uint8Array;
  /** What OPTIONS tells beside tus's own: the other dialect's (protocol.ts). */
  readonly offeredToo?: Headers;
}

/**
 * tus 1.0.0 over the engine: Core and every extension but checksum-trailer, plus GET of one's own upload.
 * Mount it at /v1/uploads and everything below.
 */
export function tusHandler(options: TusOptions): Handler {
  const dialect = new Tus(options);
  return (exchange) => dialect.handle(exchange);
}

class Tus extends Dialect {
  /** tus 1.0.0, Core: Tus-Resumable in every answer, and no answer may come from a cache. */
  protected override readonly always = { 'Tus-Resumable': '1.0.0', 'Cache-Control': 'no-store' };
  readonly #unseal: TusOptions['unseal'];
  readonly #offeredToo: Headers;

  constructor({ unseal, offeredToo = {}, ...shared }: TusOptions) {
    super(shared);
    this.#unseal = unseal;
    this.#offeredToo = offeredToo;
  }

  /** tus 1.0.0, Core, X-HTTP-Method-Override: for clients that cannot send PATCH or DELETE. */
  protected override methodOf({ headers, method }: Exchange): string {
    return headers.get('x-http-method-override') ?? method;
  }

  protected override async serve(exchange: Exchange): Promise<void> {
    const method = this.methodOf(exchange);
    if (method === 'OPTIONS') {
      this.#options(exchange);
      return;
    }
    const principal = this.principalOf(exchange.headers);
    // GET is not part of tus: a browser that opens its own upload knows no Tus-Resumable.
    if (method !== 'GET') {
      checkTusVersion(exchange.headers);
    }
    await this.run(exchange, principal);
  }

  #options(exchange: Exchange): void {
    this.answer(exchange, {
      status: 204,
      headers: {
        'Tus-Version': '1.0.0',
        'Tus-Extension': tusExtensions.join(','),
        'Tus-Max-Size': String(this.uploads.settings.bytesMax),
        'Tus-Checksum-Algorithm': checksumAlgorithms.join(','),
        ...this.#offeredToo,
      },
    });
  }

  protected override async post(exchange: Exchange, principal: Principal): Promise<void> {
    const { headers, body } = exchange;
    const request = this.#creation(exchange);
    const checksum = checksumHeader(headers);
    const withUpload = isUploadBody(headers);
    // tus 1.0.0, Creation With Upload: without that content type a body is nothing we know.
    if (!withUpload && body.length !== 0) {
      checkBodyType(headers);
    }
    if (!withUpload && checksum !== undefined) {
      throw new HeaderInvalid('Upload-Checksum', 'is that of a body, and this request has none');
    }
    checkEnd(body.length ?? 0, request.length ?? this.uploads.settings.bytesMax);
    const upload = await this.uploads.create(principal, request);
    const location = { Location: addressOf(upload.id) };
    try {
      const first = { offset: 0, checksum };
      const isEmpty = body.length === 0 && checksum === undefined;
      const begun =
        withUpload && !isEmpty ? await this.#appendFirst(exchange, principal, upload.id, first) : upload;
      this.answer(exchange, { status: 201, headers: { ...location, ...this.#progress(begun) } });
    } catch (error) {
      // The upload is there all the same: the client goes on from its offset.
      const progress = this.#progress(this.uploads.head(upload.id, principal));
      this.fail(exchange, error, { ...location, ...progress });
    }
  }

  #creation({ headers, body, path }: Exchange): CreateRequest {
    checkExtensions(headers);
    const concat = concatHeader(headers, path);
    const isFinal = concat?.of === 'final';
    if (isFinal && (body.length !== 0 || headers.has('upload-checksum'))) {
      throw new ConcatenationInvalid('a final upload takes no body: its bytes are those of its parts');
    }
    return {
      ...parseMetadata(headers.get('upload-metadata') ?? ''),
      metadata: this.sealedMetadata(headers),
      length: isFinal ? null : lengthOfNew(headers),
      ends: 'at-length',
      digest: null,
      concat,
    };
  }

  /** A disk that is full or busy, or a program that stops, is no reason to lose the upload: the client goes on from the offset. */
  async #appendFirst(
    exchange: Exchange,
    principal: Principal,
    id: string,
    request: AppendRequest,
  ): Promise<UploadRecord> {
    try {
      return await this.uploads.append(id, principal, request, exchange.body);
    } catch (error) {
      if (!resumable.some((kind) => error instanceof kind)) {
        throw error;
      }
      this.log.warn('upload.begun-only', { upload: id, error });
      return this.uploads.head(id, principal);
    }
  }

  protected override head(exchange: Exchange, principal: Principal, id: string): void {
    const upload = this.uploads.head(id, principal);
    const { metadata, creator } = upload;
    // Of RUFH's uploads the last byte does not make one complete: no tus client shall take it for that.
    const length = isOpenEnded(upload) ? null : upload.length;
    this.answer(exchange, {
      status: 200,
      headers: {
        ...this.#progress(upload),
        ...(length === null ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }),
        ...concatOf(upload),
        // A client's file name can hold a patient's: only who sent it sees it again.
        ...(metadata === null || creator !== principal.key
          ? {}
          : { 'Upload-Metadata': Buffer.from(this.#unseal(metadata)).toString('latin1') }),
      },
    });
  }

  protected override async patch(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    const { headers, body } = exchange;
    try {
      checkBodyType(headers);
      checkExtensions(headers);
      if (isOpenEnded(this.uploads.head(id, principal))) {
        throw new DialectMismatch();
      }
      const request: AppendRequest = {
        offset: bytesHeader(headers, 'Upload-Offset'),
        length: headers.has('upload-length') ? bytesHeader(headers, 'Upload-Length') : undefined,
        checksum: checksumHeader(headers),
      };
      const upload = await this.uploads.append(id, principal, request, body);
      this.answer(exchange, { status: 204, headers: this.#progress(upload) });
    } catch (error) {
      // The upload went with it, so there is no offset to tell.
      if (error instanceof DigestMismatch) {
        throw error;
      }
      // The true offset spares the client a HEAD; an upload that is not its own stays hidden.
      this.fail(exchange, error, this.#progress(this.uploads.head(id, principal)));
    }
  }

  /** Where the client goes on, and until when it can. */
  #progress(upload: UploadRecord): Headers {
    const isReceived = upload.state === 'received';
    const expiresAt = isReceived ? null : this.uploads.expiresAt(upload);
    return {
      // tus 1.0.0, Concatenation: of a final upload not before it has all of its parts.
      ...(upload.content.of === 'parts' && !isReceived ? {} : { 'Upload-Offset': String(upload.offset) }),
      // tus 1.0.0, Expiration: a date of RFC 9110, 5.6.7, which is what toUTCString writes.
      ...(expiresAt === null ? {} : { 'Upload-Expires': new Date(expiresAt).toUTCString() }),
    };
  }
}

/** Begun with Upload-Complete (RUFH), and not completed yet: nothing of tus can complete it. */
function isOpenEnded({ ends, state }: UploadRecord): boolean {
  return ends === 'when-told' && state !== 'received';
}

/** What ends a body and leaves an upload that can go on. */
const resumable = [StorageFull, StorageBehind, TooManyWriters, UploadsStopping];

/** tus 1.0.0, Concatenation, HEAD: as it came with the creation. */
function concatOf({ isPartial, content }: UploadRecord): Headers {
  if (isPartial) {
    return { 'Upload-Concat': 'partial' };
  }
  if (content.of === 'object') {
    return {};
  }
  const paths = content.parts.map(({ upload }) => addressOf(upload));
  return { 'Upload-Concat': content.header ?? `final;${paths.join(' ')}` };
}
