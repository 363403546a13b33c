import { type ErrorFacts, SluisError } from '../ops/error.ts';

/** The request does not start where the upload ends. HEAD tells where to go on. */
export class OffsetConflict extends SluisError {
  override readonly name = 'OffsetConflict';
  readonly code = 'SLUIS_UPLOAD_OFFSET_CONFLICT';
  readonly remedy = 'resume';
  override readonly facts: ErrorFacts;

  constructor(stored: number, claimed: number) {
    super(`the upload is at byte ${stored}, the request starts at ${claimed}: go on from ${stored}`);
    this.facts = { stored, claimed };
  }
}

/** A newer request writes this upload; what this one still sends is not taken. */
export class UploadTakenOver extends SluisError {
  override readonly name = 'UploadTakenOver';
  readonly code = 'SLUIS_UPLOAD_TAKEN_OVER';
  readonly remedy = 'resume';

  constructor() {
    super('a newer request took this upload over: ask for its offset before sending more');
  }
}

/** The program is stopping; what arrived is kept. */
export class UploadsStopping extends SluisError {
  override readonly name = 'UploadsStopping';
  readonly code = 'SLUIS_UPLOADS_STOPPING';
  readonly remedy = 'resume';

  constructor() {
    super('the exchange is stopping: what arrived is kept, resume in a minute');
  }
}

/** No such upload, or it is another organization's: the answer is the same on purpose. */
export class UploadNotFound extends SluisError {
  override readonly name = 'UploadNotFound';
  readonly code = 'SLUIS_UPLOAD_NOT_FOUND';
  readonly remedy = 'give-up';

  constructor() {
    super('there is no such upload');
  }
}

/** Upload-Length is above what an upload may have. */
export class UploadTooLarge extends SluisError {
  override readonly name = 'UploadTooLarge';
  readonly code = 'SLUIS_UPLOAD_TOO_LARGE';
  readonly remedy = 'give-up';
  override readonly facts: ErrorFacts;

  constructor(bytes: number, max: number) {
    super(`an upload has at most ${max} bytes, this one would have ${bytes}`);
    this.facts = { bytes, max };
  }
}

/** A body would go beyond the length that the upload was created with. */
export class BodyBeyondLength extends SluisError {
  override readonly name = 'BodyBeyondLength';
  readonly code = 'SLUIS_UPLOAD_BODY_BEYOND_LENGTH';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(end: number, length: number) {
    super(`the upload has ${length} bytes, the body reaches byte ${end}`);
    this.facts = { end, length };
  }
}

/** A transfer holds this upload: recall the transfer instead. Thrown by the `terminable` hook. */
export class UploadClaimed extends SluisError {
  override readonly name = 'UploadClaimed';
  readonly code = 'SLUIS_UPLOAD_CLAIMED';
  readonly remedy = 'give-up';

  constructor() {
    super('a transfer has claimed this upload: recall the transfer instead');
  }
}

/** A header or metadata value is missing, malformed or not allowed. The message names it, never its value. */
export class HeaderInvalid extends SluisError {
  override readonly name = 'HeaderInvalid';
  readonly code = 'SLUIS_UPLOAD_HEADER_INVALID';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(header: string, message: string) {
    super(`${header}: ${message}`);
    this.facts = { header };
  }
}

/** An extension of tus that this server does not offer (yet); OPTIONS lists those it does. */
export class ExtensionUnsupported extends SluisError {
  override readonly name = 'ExtensionUnsupported';
  readonly code = 'SLUIS_UPLOAD_EXTENSION_UNSUPPORTED';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(header: string, extension: string) {
    super(`${header}: the tus extension ${extension} is not offered here; OPTIONS lists those that are`);
    this.facts = { header, extension };
  }
}

/** tus 1.0.0, Core, Tus-Version: 412 and nothing is processed. */
export class TusVersionUnsupported extends SluisError {
  override readonly name = 'TusVersionUnsupported';
  readonly code = 'SLUIS_TUS_VERSION_UNSUPPORTED';
  readonly remedy = 'fix-request';
  readonly headers = { 'Tus-Version': '1.0.0' };

  constructor() {
    super('Tus-Resumable: this server speaks tus 1.0.0');
  }
}

/** tus 1.0.0, Core, PATCH: 415 unless application/offset+octet-stream. */
export class MediaTypeUnsupported extends SluisError {
  override readonly name = 'MediaTypeUnsupported';
  readonly code = 'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED';
  readonly remedy = 'fix-request';

  constructor() {
    super('Content-Type: bytes of an upload come as application/offset+octet-stream');
  }
}
