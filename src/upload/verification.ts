import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import type { UploadRecord } from '../state/records.ts';
import type { DigestOf } from './digest.ts';
import { DigestMismatch, UploadNotFound, UploadsStopping } from './errors.ts';
import type { Journal } from './journal.ts';
import { verified } from './machine.ts';
import { checksumMismatches } from './metrics.ts';
import type { Removal } from './removal.ts';

export interface VerificationParts {
  readonly digest: DigestOf;
  readonly log: Log;
  readonly journal: Journal;
  readonly removal: Pick<Removal, 'reject'>;
}

/** Holds what a sender says of a whole upload against its bytes: it is received after that, or it goes. */
export class Verification {
  readonly #parts: VerificationParts;
  readonly #running = new Map<string, Promise<void>>();
  #isStopped = false;

  constructor(parts: VerificationParts) {
    this.#parts = parts;
  }

  /** Once, however many ask. Rejects DigestMismatch, and the upload is gone then; UploadNotFound, UploadsStopping. */
  verify(upload: UploadRecord): Promise<void> {
    const { id } = upload;
    const running = this.#running.get(id) ?? this.#verify(upload).finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  /** One after the other: each reads all of its bytes. The outcome is in the log. */
  async verifyAll(uploads: readonly UploadRecord[]): Promise<void> {
    for (const upload of uploads) {
      try {
        await this.verify(upload);
      } catch (error) {
        // Whoever asks for it again has it verified again.
        if (!(error instanceof DigestMismatch || error instanceof UploadsStopping)) {
          this.#parts.log.error('upload.verify-failed', { upload: upload.id, error: asError(error) });
        }
      }
    }
  }

  /** Nothing is decided any more; the next start verifies again what was under way. */
  stop(): void {
    this.#isStopped = true;
  }

  async #verify(upload: UploadRecord): Promise<void> {
    const { digest: digestOf, log, journal, removal } = this.#parts;
    const { id, digest } = upload;
    if (this.#isStopped) {
      throw new UploadsStopping();
    }
    const isRight =
      digest === null || Buffer.compare(await digestOf(upload, digest.algorithm), digest.value) === 0;
    // Reading takes long: the state may be closed by now.
    if (this.#isStopped) {
      throw new UploadsStopping();
    }
    if (!isRight) {
      checksumMismatches.add(1);
      log.warn('upload.digest-mismatch', { upload: id });
      await removal.reject(upload);
      throw new DigestMismatch(digest.algorithm);
    }
    const latest = journal.get(id);
    if (latest === undefined) {
      throw new UploadNotFound();
    }
    journal.hold(latest);
    try {
      await journal.commit(id, (_, before) => verified(before));
    } finally {
      journal.free(id);
    }
  }
}
