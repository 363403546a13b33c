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
  /** A restart takes so long. */
  readonly headers = { 'Retry-After': '10' };

  constructor() {
    super('the exchange is stopping: what arrived is kept, resume in some seconds');
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

/** What arrived is not what the client says it sent. Nothing of that body counts; send it again. */
export class ChecksumMismatch extends SluisError {
  override readonly name = 'ChecksumMismatch';
  readonly code = 'SLUIS_UPLOAD_CHECKSUM_MISMATCH';
  readonly remedy = 'resume';
  override readonly facts: ErrorFacts;

  constructor(algorithm: string) {
    super(`the body does not have the ${algorithm} that its header tells: send it again`);
    this.facts = { algorithm };
  }
}

/** The whole is not what its Repr-Digest says; the upload is gone, because nobody can say which byte is wrong. */
export class DigestMismatch extends SluisError {
  override readonly name = 'DigestMismatch';
  readonly code = 'SLUIS_UPLOAD_DIGEST_MISMATCH';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(algorithm: string) {
    super(`the upload does not have the ${algorithm} that Repr-Digest tells: it is removed, send it anew`);
    this.facts = { algorithm };
  }
}

/** A length that differs from the one that is known already. */
export class LengthInconsistent extends SluisError {
  override readonly name = 'LengthInconsistent';
  readonly code = 'SLUIS_UPLOAD_LENGTH_INCONSISTENT';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(known: number, told: number) {
    super(`the upload has ${known} bytes, the request tells ${told}`);
    this.facts = { known, told };
  }
}

/** The upload has all its bytes; nothing can be appended. */
export class UploadComplete extends SluisError {
  override readonly name = 'UploadComplete';
  readonly code = 'SLUIS_UPLOAD_COMPLETE';
  readonly remedy = 'give-up';

  constructor() {
    super('the upload is complete: nothing can be appended');
  }
}

/** tus 1.0.0, Concatenation: a final upload takes no bytes of its own. */
export class FinalUploadImmutable extends SluisError {
  override readonly name = 'FinalUploadImmutable';
  readonly code = 'SLUIS_UPLOAD_FINAL';
  readonly remedy = 'fix-request';

  constructor() {
    super('a final upload is made of its parts: send the bytes to them');
  }
}

/** The parts of a final upload are not what they have to be. */
export class ConcatenationInvalid extends SluisError {
  override readonly name = 'ConcatenationInvalid';
  readonly code = 'SLUIS_UPLOAD_CONCATENATION_INVALID';
  readonly remedy = 'fix-request';

  constructor(why: string) {
    super(`Upload-Concat: ${why}`);
  }
}

/** An organization has as many open uploads, or as much under way, as it may. */
export class QuotaExceeded extends SluisError {
  override readonly name = 'QuotaExceeded';
  readonly code = 'SLUIS_UPLOAD_QUOTA_EXCEEDED';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': '60' };
  override readonly facts: ErrorFacts;

  constructor(message: string, facts: ErrorFacts) {
    super(message);
    this.facts = facts;
  }
}

/** The disk is fuller than uploads of this priority may begin at; those under way go on. */
export class PriorityRefused extends SluisError {
  override readonly name = 'PriorityRefused';
  readonly code = 'SLUIS_UPLOAD_PRIORITY_REFUSED';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': '300' };
  override readonly facts: ErrorFacts;

  constructor(priority: string, usedPercent: number, watermarkPercent: number) {
    super(
      `the disk is ${usedPercent} % full: ${priority} uploads begin again below ${watermarkPercent} %, try in five minutes`,
    );
    this.facts = { priority, usedPercent, watermarkPercent };
  }
}

/** As many requests write at once as may. */
export class TooManyWriters extends SluisError {
  override readonly name = 'TooManyWriters';
  readonly code = 'SLUIS_UPLOAD_TOO_MANY_WRITERS';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': '5' };
  override readonly facts: ErrorFacts;

  constructor(max: number) {
    super(`${max} uploads are being written at once: try again in some seconds`);
    this.facts = { max };
  }
}

/** Another origin's page asks, and it is not on the list. */
export class OriginRefused extends SluisError {
  override readonly name = 'OriginRefused';
  readonly code = 'SLUIS_ORIGIN_REFUSED';
  readonly remedy = 'fix-request';

  constructor() {
    super(
      'pages of this origin may not ask here: the administrator of this server can add it to http.corsOrigins',
    );
  }
}
