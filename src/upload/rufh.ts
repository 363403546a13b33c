import type { Principal } from '../access/principal.ts';
import { PeerGone } from '../http/errors.ts';
import type { Exchange, Handler, RequestHeaders } from '../http/exchange.ts';
import { SluisError } from '../ops/error.ts';
import type { UploadRecord } from '../state/records.ts';
import { addressOf } from './address.ts';
import { Dialect, type DialectOptions, type Headers } from './dialect.ts';
import { checksumOf, readDigest } from './digest-fields.ts';
import {
  BodyBeyondLength,
  ChecksumMismatch,
  DigestMismatch,
  HeaderInvalid,
  LengthInconsistent,
  UploadComplete,
  UploadNotFound,
  UploadTooLarge,
} from './errors.ts';
import { checkEnd } from './machine.ts';
import type { AppendRequest } from './requests.ts';
import {
  checkCoding,
  checkDialect,
  countHeader,
  interopVersion,
  isPartialUpload,
  lengthTold,
  metadataOf,
  newUploadLimit,
  stateOf,
  uploadComplete,
  uploadLimit,
} from './rufh-headers.ts';
import { PartialUploadExpected, type Provided, rufhProblem } from './rufh-problems.ts';

/**
 * Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload-12, interop version 8) over the engine.
 * OPTIONS is answered in protocol.ts, for both dialects. Mount it where tus is.
 */
export function rufhHandler(options: DialectOptions): Handler {
  const dialect = new Rufh(options);
  return (exchange) => dialect.handle(exchange);
}

class Rufh extends Dialect {
  protected override readonly always = {
    'Upload-Draft-Interop-Version': interopVersion,
    'Cache-Control': 'no-store',
  };

  /** Upload Creation. There is no 104 before the body, so who sends it whole learns of Location only afterwards. */
  protected override async post(exchange: Exchange, principal: Principal): Promise<void> {
    const { headers, body } = exchange;
    let created: UploadRecord | undefined;
    let length: number | null = null;
    let isLast = true;
    let isForTransfer = false;
    let provided = noDigests;
    try {
      isLast = toldComplete(headers);
      checkDialect(headers);
      checkCoding(headers);
      provided = {
        content: readDigest(headers, 'Content-Digest'),
        whole: readDigest(headers, 'Repr-Digest'),
      };
      const { content, whole } = provided;
      length = lengthTold(headers, 0, isLast, body.length) ?? null;
      if (length !== null) {
        checkEnd(body.length ?? 0, length);
      }
      const told = metadataOf(headers);
      isForTransfer = told.transfer !== null;
      created = await this.uploads.create(principal, {
        ...told,
        metadata: this.sealedMetadata(headers),
        length,
        ends: 'when-told',
        digest: whole,
        concat: null,
      });
      const isEmpty = body.length === 0 && !isLast && content === null;
      const request: AppendRequest = {
        offset: 0,
        isLast,
        ...(content === null ? {} : { checksum: checksumOf(content) }),
      };
      const { id } = created;
      const upload = isEmpty ? created : await this.uploads.append(id, principal, request, body);
      this.answer(exchange, { status: 201, headers: { Location: addressOf(id), ...this.#about(upload) } });
    } catch (error) {
      const begun =
        created && (await this.#keepOrRemove(created.id, principal, error, { isLast, isForTransfer }));
      const about = begun ? { Location: addressOf(begun.id), ...this.#about(begun) } : this.#nothing(error);
      if (begun !== undefined && !isLast) {
        this.log.warn('upload.begun-only', { upload: begun.id, error });
        this.answer(exchange, { status: 201, headers: about });
        return;
      }
      const named = this.#named(error, length);
      this.fail(exchange, named, about, rufhProblem(named, provided));
    }
  }

  /**
   * What is left of a creation whose body could not be taken whole. Where the client can go on (a full disk, a
   * stop), the upload, and the answer has its Location. One that was to be complete at once gets that with the
   * error, and may not look for it there: it is kept for its bytes only. Else nothing: nobody who is gone knows
   * where it is, since no 104 told it. One that was sent to a transfer stands in its list, and stays.
   */
  async #keepOrRemove(
    id: string,
    principal: Principal,
    error: unknown,
    { isLast, isForTransfer }: { readonly isLast: boolean; readonly isForTransfer: boolean },
  ): Promise<UploadRecord | undefined> {
    try {
      const begun = this.uploads.head(id, principal);
      if (isResumable(error) && (begun.offset > 0 || !isLast)) {
        return begun;
      }
      if (!isForTransfer) {
        await this.uploads.abandon(id, principal);
      }
    } catch (failure) {
      if (!(failure instanceof UploadNotFound)) {
        this.log.warn('upload.not-removed', { upload: id, error: failure });
      }
    }
    return undefined;
  }

  /** Offset Retrieval. */
  protected override head(exchange: Exchange, principal: Principal, id: string): void {
    for (const name of ['Upload-Offset', 'Upload-Complete']) {
      if (exchange.headers.has(name.toLowerCase())) {
        throw new HeaderInvalid(name, 'is what this request asks for: leave it out');
      }
    }
    this.answer(exchange, { status: 204, headers: this.#about(this.uploads.head(id, principal)) });
  }

  /** Upload Append. */
  protected override async patch(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    const { headers, body } = exchange;
    const before = this.uploads.head(id, principal);
    let { length }: { length: number | null } = before;
    let content: Provided['content'] = null;
    try {
      if (!isPartialUpload(headers)) {
        throw new PartialUploadExpected();
      }
      checkDialect(headers);
      checkCoding(headers);
      if (headers.has('repr-digest')) {
        throw new HeaderInvalid(
          'Repr-Digest',
          'of the whole, it comes with the creation; of a body, send Content-Digest',
        );
      }
      const offset = countHeader(headers, 'upload-offset');
      if (offset === undefined) {
        throw new HeaderInvalid('Upload-Offset', 'a number of bytes: where this body begins');
      }
      const isLast = toldComplete(headers);
      content = readDigest(headers, 'Content-Digest');
      const told = lengthTold(headers, offset, isLast, body.length);
      length ??= told ?? null;
      checkOpen(before, offset, body.length);
      const request: AppendRequest = {
        offset,
        isLast,
        ...(told === undefined ? {} : { length: told }),
        ...(content === null ? {} : { checksum: checksumOf(content) }),
      };
      const upload = await this.uploads.append(id, principal, request, body);
      // "SHOULD generate the response that ... the initial request" would have got.
      const isComplete = upload.state === 'received';
      const location = isComplete ? { Location: addressOf(id) } : {};
      this.answer(exchange, {
        status: isComplete ? 201 : 204,
        headers: { ...location, ...this.#about(upload) },
      });
    } catch (error) {
      const provided = { content, whole: before.digest };
      const named = this.#named(error, length);
      if (named instanceof BodyBeyondLength && before.ends === 'when-told') {
        // "marking the upload resource invalid and rejecting any further interaction with it"
        await this.#invalidate(id, principal);
      }
      this.fail(exchange, named, this.#stateAfter(id, principal, named), rufhProblem(named, provided));
    }
  }

  /** Of an upload without a length, a body that is too long goes beyond what any may have. */
  #named(error: unknown, length: number | null): unknown {
    const { bytesMax } = this.uploads.settings;
    const isLimit = length === null && error instanceof BodyBeyondLength && error.facts.length === bytesMax;
    return isLimit ? new UploadTooLarge(Number(error.facts.end), bytesMax) : error;
  }

  /** What became complete meanwhile stays as it is. */
  async #invalidate(id: string, principal: Principal): Promise<void> {
    try {
      if (this.uploads.head(id, principal).state !== 'received') {
        await this.uploads.terminate(id, principal);
      }
    } catch (error) {
      this.log.warn('upload.not-removed', { upload: id, error });
    }
  }

  /** The true state spares the client a HEAD. Throws UploadNotFound for an upload that somebody else removed. */
  #stateAfter(id: string, principal: Principal, error: unknown): Headers {
    try {
      return this.#about(this.uploads.head(id, principal));
    } catch (failure) {
      if (error instanceof DigestMismatch || error instanceof BodyBeyondLength) {
        return this.#nothing(error);
      }
      throw failure;
    }
  }

  protected override async get(exchange: Exchange, principal: Principal, id: string): Promise<void> {
    await super.get(exchange, principal, id, this.#about(this.uploads.head(id, principal)));
  }

  #about(upload: UploadRecord): Headers {
    const expiresAt = this.uploads.expiresAt(upload);
    const msLeft = expiresAt === null ? null : expiresAt - Date.now();
    return { ...stateOf(upload), 'Upload-Limit': uploadLimit(this.uploads.settings, msLeft) };
  }

  /** In place of the state of an upload that is not there. Its bytes were all sent when it is their digest that is wrong. */
  #nothing(error: unknown): Headers {
    return {
      'Upload-Complete': error instanceof DigestMismatch ? '?1' : '?0',
      'Upload-Limit': newUploadLimit(this.uploads.settings),
    };
  }

  protected override fail(
    exchange: Exchange,
    error: unknown,
    headers: Headers = {},
    told = rufhProblem(error, noDigests),
  ): void {
    super.fail(exchange, error, headers, told);
  }
}

const noDigests: Provided = { content: null, whole: null };

/** What ends a body and leaves an upload that its client can go on with. */
function isResumable(error: unknown): boolean {
  const isOver = error instanceof PeerGone || error instanceof ChecksumMismatch;
  return error instanceof SluisError && (error.remedy === 'retry' || error.remedy === 'resume') && !isOver;
}

/** Throws HeaderInvalid: a field that is ignored is one that is missing, and nothing is uploaded here without it. */
function toldComplete(headers: RequestHeaders): boolean {
  const isComplete = uploadComplete(headers);
  if (isComplete === undefined) {
    throw new HeaderInvalid('Upload-Complete', '?1 when this body is the last of the upload, else ?0');
  }
  return isComplete;
}

/**
 * A complete upload takes nothing more: no bytes, which would make it longer, and no second completion, whose
 * answer the client may have lost. HEAD tells that it is complete.
 */
function checkOpen({ state, offset }: UploadRecord, claimed: number, bodyBytes: number | undefined): void {
  if (state !== 'received' || claimed !== offset) {
    return;
  }
  if (bodyBytes === 0) {
    throw new UploadComplete();
  }
  throw new LengthInconsistent(offset, offset + (bodyBytes ?? 1));
}
