/**
 * The resumable protocol as a pure machine: what each request may do to an upload, and nothing else.
 * No I/O, no clock, no header: tus.ts and rufh.ts speak for it, uploads.ts carries it out.
 */
import type { UploadRecord } from '../state/records.ts';
import {
  BodyBeyondLength,
  FinalUploadImmutable,
  LengthInconsistent,
  OffsetConflict,
  UploadComplete,
  UploadTakenOver,
  UploadTooLarge,
} from './errors.ts';
import type { AppendRequest } from './requests.ts';

/** The part of an upload's record that the protocol is about. */
export type Progress = Pick<UploadRecord, 'length' | 'offset' | 'epoch' | 'state' | 'ends' | 'digest'>;

/** A body that may be appended. */
export interface Appending {
  /** Where its first byte goes. */
  readonly from: number;
  /** Where the upload ends at the latest. */
  readonly end: number;
  /** Upload-Length as it is known with this request. */
  readonly length: number | null;
}

type Beginning = Pick<UploadRecord, 'length' | 'ends' | 'digest'>;

/** A new upload. `length` null: deferred. One of no bytes that ends with its last is received at once. Throws UploadTooLarge. */
export function createProgress({ length, ends, digest }: Beginning, bytesMax: number): Progress {
  checkSize(length, bytesMax);
  const isWhole = length === 0 && ends === 'at-length' && digest === null;
  return { length, ends, digest, offset: 0, epoch: 0, state: isWhole ? 'received' : 'receiving' };
}

/** Throws UploadTooLarge. */
function checkSize(length: number | null, bytesMax: number): void {
  if (length !== null && length > bytesMax) {
    throw new UploadTooLarge(length, bytesMax);
  }
}

/**
 * Whether a body may be appended; `bodyBytes` undefined when it is chunked.
 *
 * Throws FinalUploadImmutable, OffsetConflict (tus 1.0.0, Core, PATCH: 409 and no change),
 * LengthInconsistent, UploadTooLarge, BodyBeyondLength and UploadComplete. A body of no bytes at the end of a
 * complete upload is allowed: it is how a client asks again after a lost answer.
 */
export function startAppend(
  upload: Progress & Pick<UploadRecord, 'content'>,
  request: AppendRequest,
  bodyBytes: number | undefined,
  bytesMax: number,
): Appending {
  if (upload.content.of === 'parts') {
    throw new FinalUploadImmutable();
  }
  if (request.offset !== upload.offset) {
    throw new OffsetConflict(upload.offset, request.offset);
  }
  if (upload.ends === 'when-told' && upload.state !== 'receiving' && (bodyBytes ?? 0) > 0) {
    throw new UploadComplete();
  }
  const length = lengthWith(upload, request, bodyBytes);
  checkSize(length, bytesMax);
  const end = length ?? bytesMax;
  checkEnd(request.offset + (bodyBytes ?? 0), end);
  return { from: request.offset, end, length };
}

/** Throws LengthInconsistent: once it is known it stays (tus 1.0.0, Creation Defer Length). */
function lengthWith(upload: Progress, request: AppendRequest, bodyBytes: number | undefined): number | null {
  const told = [
    request.length,
    request.isLast === true && bodyBytes !== undefined ? request.offset + bodyBytes : undefined,
  ];
  let { length } = upload;
  for (const one of told) {
    if (one === undefined) {
      continue;
    }
    if ((length !== null && one !== length) || one < upload.offset) {
      throw new LengthInconsistent(length ?? upload.offset, one);
    }
    length = one;
  }
  return length;
}

/** Throws BodyBeyondLength when a body reaches beyond the end of its upload. */
export function checkEnd(reaches: number, end: number): void {
  if (reaches > end) {
    throw new BodyBeyondLength(reaches, end);
  }
}

/** How far the writer of an epoch has come. */
export interface Advance {
  readonly epoch: number;
  /** Everything before it is durable. */
  readonly offset: number;
  /** Upload-Length as the request's Appending has it. */
  readonly length: number | null;
  /** The body that is the upload's last has ended. Means something to an upload that ends `when-told`. */
  readonly isLast: boolean;
}

/**
 * The upload after a writer has made bytes durable.
 *
 * Throws UploadTakenOver for a writer that was replaced. An offset that goes back or beyond the length
 * is a fault of ours, never of a request: RangeError.
 */
export function advance<P extends Progress>(upload: P, { epoch, offset, length, isLast }: Advance): P {
  checkEpoch(upload, epoch);
  const end = length ?? Number.MAX_SAFE_INTEGER;
  if (offset < upload.offset || offset > end || (upload.length !== null && length !== upload.length)) {
    throw new RangeError(`offset ${offset} is outside ${upload.offset} to ${length ?? 'open'}`);
  }
  const isWhole = upload.ends === 'at-length' ? offset === length : isLast && (length ?? offset) === offset;
  const whole = upload.digest === null ? 'received' : 'verifying';
  return {
    ...upload,
    offset,
    epoch,
    length: isWhole ? offset : length,
    state: upload.state === 'receiving' && isWhole ? whole : upload.state,
  };
}

/** The upload after its digest was found to be right. */
export function verified<P extends Progress>(upload: P): P {
  return { ...upload, state: 'received' };
}

/** True for the one step that makes it received. */
export function isLastStep(before: Pick<Progress, 'state'>, after: Pick<Progress, 'state'>): boolean {
  return before.state !== 'received' && after.state === 'received';
}

/** Whether the writer of `epoch` may still change the upload. Throws UploadTakenOver. */
export function checkEpoch(upload: Pick<Progress, 'epoch'>, epoch: number): void {
  if (epoch < upload.epoch) {
    throw new UploadTakenOver();
  }
}
