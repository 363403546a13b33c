/**
 * The resumable protocol as a pure machine: what each request may do to an upload, and nothing else.
 * No I/O, no clock, no header: tus.ts speaks for it, uploads.ts carries it out.
 */
import type { UploadRecord } from '../state/records.ts';
import { BodyBeyondLength, OffsetConflict, UploadTakenOver, UploadTooLarge } from './errors.ts';

/** The part of an upload's record that the protocol is about. */
export type Progress = Pick<UploadRecord, 'length' | 'offset' | 'epoch' | 'state'>;

/** A PATCH that may begin. */
export interface Appending {
  /** Where its first byte goes. */
  readonly from: number;
  /** Where the upload ends at the latest. */
  readonly end: number;
}

/** A new upload. `length` null: deferred. One of no bytes is received at once. Throws UploadTooLarge. */
export function createProgress(length: number | null, bytesMax: number): Progress {
  if (length !== null && length > bytesMax) {
    throw new UploadTooLarge(length, bytesMax);
  }
  return { length, offset: 0, epoch: 0, state: length === 0 ? 'received' : 'receiving' };
}

/**
 * Whether a body may be appended at `claimed`; `bodyBytes` undefined when it is chunked.
 *
 * Throws OffsetConflict (tus 1.0.0, Core, PATCH: 409 and no change) and BodyBeyondLength. A body of no
 * bytes at the end of a received upload is allowed: it is how a client asks again after a lost answer.
 */
export function startAppend(
  upload: Progress,
  claimed: number,
  bodyBytes: number | undefined,
  bytesMax: number,
): Appending {
  if (claimed !== upload.offset) {
    throw new OffsetConflict(upload.offset, claimed);
  }
  const end = upload.length ?? bytesMax;
  checkEnd(claimed + (bodyBytes ?? 0), end);
  return { from: claimed, end };
}

/** Throws BodyBeyondLength when a body reaches beyond the end of its upload. */
export function checkEnd(reaches: number, end: number): void {
  if (reaches > end) {
    throw new BodyBeyondLength(reaches, end);
  }
}

/**
 * The upload after the writer of `epoch` made everything before `offset` durable.
 *
 * Throws UploadTakenOver for a writer that was replaced. An offset that goes back or beyond the length
 * is a fault of ours, never of a request: RangeError.
 */
export function advance<P extends Progress>(upload: P, epoch: number, offset: number): P {
  checkEpoch(upload, epoch);
  if (offset < upload.offset || offset > (upload.length ?? Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`offset ${offset} is outside ${upload.offset} to ${upload.length ?? 'open'}`);
  }
  const state = offset === upload.length ? 'received' : upload.state;
  return { ...upload, offset, epoch, state };
}

/** True for the one step that brings the last byte. */
export function isLastStep(before: Progress, after: Progress): boolean {
  return before.state === 'receiving' && after.state === 'received';
}

/** Whether the writer of `epoch` may still change the upload. Throws UploadTakenOver. */
export function checkEpoch(upload: Progress, epoch: number): void {
  if (epoch < upload.epoch) {
    throw new UploadTakenOver();
  }
}
