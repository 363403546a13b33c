import type { Priority, UploadRecord } from '../state/records.ts';
import type { Transaction } from '../state/state.ts';
import type { CreateRequest } from './requests.ts';

/** Where the rest of the program takes part in an upload. All are synchronous; `tx` is the upload's own commit. */
export interface UploadHooks {
  /** Of a new upload: what it says itself, or its transfer's. */
  priorityOf(request: CreateRequest): Priority;
  /** Inside the commit that creates an upload; what it throws refuses the creation and leaves nothing. Not for partial ones. */
  claims(tx: Transaction, upload: UploadRecord): void;
  /** Inside the commit that makes it received: exactly once for each upload. Must not throw. */
  received(tx: Transaction, upload: UploadRecord): void;
  /**
   * Bytes before `offset` are durable and may be read. Offsets rise; a last one may be told after a restart
   * only by HEAD. Of an upload with a digest nothing is told before that was verified.
   */
  published(uploadId: string, offset: number): void;
  /** Throws UploadClaimed when a transfer holds the upload. */
  terminable(upload: UploadRecord): void;
  /** Whether an upload of a transfer may go, since its time is over. */
  expirable(upload: UploadRecord): boolean;
  /** Inside the commit that removes an upload of a transfer: it has expired, was not what its digest says, or never came. */
  expired(tx: Transaction, upload: UploadRecord): void;
}
