import { type Remedy, SluisError } from '../ops/error.ts';
import { phraseOf } from './answer-head.ts';
import { MethodNotAllowed, NotFound } from './errors.ts';
import type { Answer } from './exchange.ts';

/** What an error may say about its own answer, checked by shape so that no folder has to import this one. */
export interface AnswersWith {
  /** Headers of the answer: Upload-Offset, Retry-After, Tus-Version, Allow. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A registered problem type (RUFH has some); without it `about:blank`, and `code` tells. */
  readonly problemType?: string;
}

/** The status of an error whose code is not in the table below. */
const statusByRemedy: Readonly<Record<Remedy, number>> = {
  'fix-request': 400,
  resume: 409,
  retry: 503,
  'give-up': 500,
};

/** The one table from an error's code to its HTTP status. What is not here follows its remedy. */
const statusByCode: Readonly<Record<string, number>> = {
  SLUIS_HTTP_BODY_TOO_LARGE: 413,
  SLUIS_HTTP_LENGTH_REQUIRED: 411,
  SLUIS_HTTP_EXPECTATION_UNKNOWN: 417,
  SLUIS_HTTP_TOO_MANY_HEADERS: 431,
  SLUIS_HTTP_NOT_FOUND: 404,
  SLUIS_HTTP_METHOD_NOT_ALLOWED: 405,
  // Nobody is there to read it; 499 is what access logs of nginx call it.
  SLUIS_HTTP_PEER_GONE: 499,
  SLUIS_HTTP_BODY_STOPPED: 503,
  SLUIS_UPLOADS_STOPPING: 503,
  SLUIS_UPLOAD_NOT_FOUND: 404,
  SLUIS_UPLOAD_TOO_LARGE: 413,
  SLUIS_UPLOAD_BODY_BEYOND_LENGTH: 413,
  SLUIS_UPLOAD_CLAIMED: 403,
  // tus 1.0.0, Checksum.
  SLUIS_UPLOAD_CHECKSUM_MISMATCH: 460,
  SLUIS_UPLOAD_LENGTH_INCONSISTENT: 400,
  SLUIS_UPLOAD_DIGEST_MISMATCH: 400,
  SLUIS_UPLOAD_COMPLETE: 400,
  SLUIS_UPLOAD_FINAL: 403,
  SLUIS_UPLOAD_QUOTA_EXCEEDED: 429,
  SLUIS_UPLOAD_PRIORITY_REFUSED: 503,
  SLUIS_UPLOAD_TOO_MANY_WRITERS: 503,
  SLUIS_ORIGIN_REFUSED: 403,
  SLUIS_STORAGE_BEHIND: 503,
  SLUIS_STORAGE_UNREACHABLE: 503,
  // tus 1.0.0, Core, Requests: 412 to another version of the protocol.
  SLUIS_TUS_VERSION_UNSUPPORTED: 412,
  SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED: 415,
  SLUIS_STORAGE_FULL: 507,
  SLUIS_ACCESS_UNAUTHORIZED: 401,
  SLUIS_ACCESS_FORBIDDEN: 403,
  SLUIS_RANGE_NOT_SATISFIABLE: 416,
  SLUIS_NOT_ACCEPTABLE: 406,
  SLUIS_MAILBOX_UNKNOWN: 404,
  SLUIS_TRANSFER_UNKNOWN: 404,
  SLUIS_TRANSFER_FROM_FORBIDDEN: 403,
  SLUIS_TRANSFER_CLOSED: 409,
  SLUIS_TRANSFER_MANIFEST_SEALED: 409,
  SLUIS_TRANSFER_BSN_DIFFERS: 409,
  SLUIS_IDEMPOTENCY_KEY_REUSED: 422,
  SLUIS_DELIVERY_UNKNOWN: 404,
  SLUIS_DELIVERY_NOT_OFFERED: 409,
  SLUIS_DELIVERY_ACKNOWLEDGEMENT_INVALID: 422,
};

/** The HTTP status of an error made on purpose. */
function statusOf(error: SluisError): number {
  return statusByCode[error.code] ?? statusByRemedy[error.remedy];
}

/**
 * The answer to whatever was thrown, as problem+json (RFC 9457) with a `code` for scripts and a `remedy`.
 * An error that we did not make on purpose becomes a 500 that says nothing of it: its message could name
 * a file, or a patient.
 */
export function problem(thrown: unknown): Answer {
  if (!(thrown instanceof SluisError)) {
    return answer(500, {
      type: 'about:blank',
      title: phraseOf(500),
      status: 500,
      detail: 'something went wrong here, not in the request; the log of this server says what',
      code: 'SLUIS_INTERNAL',
      remedy: 'retry',
    });
  }
  const status = statusOf(thrown);
  const { headers, problemType } = answersWith(thrown);
  const facts = Object.keys(thrown.facts).length > 0 ? { facts: thrown.facts } : {};
  return answer(
    status,
    {
      type: problemType ?? 'about:blank',
      // RFC 9457, 4.2.1: the title of about:blank is the status's own phrase.
      title: problemType === undefined ? phraseOf(status) : titleOf(thrown.name),
      status,
      detail: thrown.message,
      code: thrown.code,
      remedy: thrown.remedy,
      ...facts,
    },
    headers,
  );
}

export function notFound(): Answer {
  return problem(new NotFound());
}

/** With the Allow header that RFC 9110, 15.5.6 asks for. */
export function methodNotAllowed(allowed: readonly string[]): Answer {
  return problem(new MethodNotAllowed(allowed));
}

function answer(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'Cache-Control': 'no-store', ...headers, 'Content-Type': 'application/problem+json' },
    body: JSON.stringify(body),
  };
}

function answersWith(error: object): AnswersWith {
  const headers = 'headers' in error && isRecordOfStrings(error.headers) ? { headers: error.headers } : {};
  const type =
    'problemType' in error && typeof error.problemType === 'string' ? { problemType: error.problemType } : {};
  return { ...headers, ...type };
}

function isRecordOfStrings(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => typeof one === 'string')
  );
}

/** `OffsetConflict` → `Offset conflict`: a title is the same for every error of its kind. */
function titleOf(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
