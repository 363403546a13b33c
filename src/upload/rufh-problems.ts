import type { Answer } from '../http/exchange.ts';
import { problem } from '../http/problem.ts';
import { SluisError } from '../ops/error.ts';
import type { RepresentationDigest } from '../state/records.ts';
import { type DigestField, DigestInvalid, DigestUnsupported } from './digest-fields.ts';
import {
  BodyBeyondLength,
  ChecksumMismatch,
  DigestMismatch,
  LengthInconsistent,
  OffsetConflict,
  UploadComplete,
} from './errors.ts';
import { acceptPatch } from './rufh-headers.ts';
import { byteSequenceOf } from './structured-fields.ts';

/** 415: a PATCH brings application/partial-upload. */
export class PartialUploadExpected extends SluisError {
  override readonly name = 'PartialUploadExpected';
  readonly code = 'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED';
  readonly remedy = 'fix-request';
  readonly headers = { 'Accept-Patch': acceptPatch };

  constructor() {
    super('Content-Type: bytes of an upload come as application/partial-upload');
  }
}

/** An upload that RUFH began is complete when a request says so, which no request of tus can. */
export class DialectMismatch extends SluisError {
  override readonly name = 'DialectMismatch';
  readonly code = 'SLUIS_UPLOAD_DIALECT';
  readonly remedy = 'fix-request';

  constructor() {
    super('this upload was begun with Upload-Complete: go on with application/partial-upload, not with tus');
  }
}

/** What a request told of its bytes; a mismatch names it. */
export interface Provided {
  readonly content: RepresentationDigest | null;
  readonly whole: RepresentationDigest | null;
}

/** What the registered problem type of an error adds to our own document. */
interface Typed {
  readonly type: string;
  readonly title: string;
  /** The draft's own, where ours differs. */
  readonly status?: number;
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * The answer to what was thrown, as the problem types of the draft, and of
 * draft-ietf-httpapi-digest-fields-problem-types, have it. `code`, `remedy` and `detail` stay ours.
 */
export function rufhProblem(thrown: unknown, provided: Provided): Answer {
  const own = problem(thrown);
  const typed = typedOf(thrown, provided);
  if (typed === undefined || typeof own.body !== 'string') {
    return own;
  }
  const { type, title, status = own.status, members } = typed;
  const document = JSON.parse(own.body) as object;
  return {
    ...own,
    status,
    body: JSON.stringify({
      ...document,
      type: `https://iana.org/assignments/http-problem-types#${type}`,
      title,
      status,
      ...members,
    }),
  };
}

function typedOf(thrown: unknown, { content, whole }: Provided): Typed | undefined {
  if (thrown instanceof OffsetConflict) {
    const { stored, claimed } = thrown.facts;
    return {
      type: 'mismatching-upload-offset',
      title: 'Mismatching Upload Offset',
      members: { 'expected-offset': stored, 'provided-offset': claimed },
    };
  }
  if (thrown instanceof UploadComplete) {
    return { type: 'completed-upload', title: 'Upload Is Completed' };
  }
  if (thrown instanceof LengthInconsistent || thrown instanceof BodyBeyondLength) {
    return {
      type: 'inconsistent-upload-length',
      title: 'Inconsistent Upload Length Values',
      status: 400,
    };
  }
  if (thrown instanceof ChecksumMismatch) {
    return mismatched('Content-Digest', content);
  }
  if (thrown instanceof DigestMismatch) {
    return mismatched('Repr-Digest', whole);
  }
  if (thrown instanceof DigestInvalid) {
    const { algorithm, field, reason } = thrown;
    return {
      type: 'digest-invalid-values',
      title: 'Invalid Digest Values',
      members: { 'invalid-digests': [{ algorithm, header: field, reason }] },
    };
  }
  if (thrown instanceof DigestUnsupported) {
    const { algorithms, field } = thrown;
    return {
      type: 'digest-unsupported-algorithms',
      title: 'Unsupported Hashing Algorithms',
      members: {
        'unsupported-algorithms': algorithms.map((algorithm) => ({ algorithm, header: field })),
      },
    };
  }
  return undefined;
}

/** What was computed here is not told: nobody shall ask us for digests of guesses. */
function mismatched(header: DigestField, told: RepresentationDigest | null): Typed {
  const digests =
    told === null
      ? []
      : [{ algorithm: told.algorithm, 'provided-digest': byteSequenceOf(told.value), header }];
  return {
    type: 'digest-mismatched-values',
    title: 'Mismatched Digest Values',
    status: 400,
    members: { 'mismatched-digests': digests },
  };
}
