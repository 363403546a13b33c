import type { UploadRecord } from '../state/records.ts';
import { lentBytesMax } from '../storage/limits.ts';
import type { Storage } from '../storage/storage.ts';
import type { OpenPart, Part } from '../study/package.ts';
import { extentsBetween } from '../upload/extents.ts';
import type { InspectChain } from '../work/chain.ts';
import { WorkFailed } from '../work/errors.ts';
import { HEADS_TOO_LARGE, type Inspection } from '../work/jobs.ts';
import type { WorkPool } from '../work/pool.ts';
import { aheadBytesMin, aheadUploadsMax } from './limits.ts';

interface Begun {
  readonly start: number;
  /** Undefined: it was more than its worker could keep, and is left until it is whole. */
  chain: InspectChain | undefined;
  /** Offset in the upload behind the last byte that was handed over. */
  fed: number;
}

/**
 * Large instances are read ahead of their end: each published stretch goes to the worker that holds the
 * hash, so that little is left to do when the last byte is in. A worker that dies takes its hash with it;
 * then the instance is begun again.
 */
export class ReadAhead {
  readonly #pool: WorkPool;
  readonly #storage: Storage;
  /** By upload: one part of an upload is open at a time. */
  readonly #begun = new Map<string, Begun>();

  constructor(pool: WorkPool, storage: Storage) {
    this.#pool = pool;
    this.#storage = storage;
  }

  /** Hands over what is published of the open part. Rejects as the pool does; the next call begins again. */
  async feed(upload: UploadRecord, open: OpenPart | null): Promise<void> {
    if (open?.bytes == null || open.kind !== 'instance') {
      return;
    }
    if (open.bytes < aheadBytesMin || upload.offset <= open.start) {
      return;
    }
    let begun = this.#begun.get(upload.id);
    if (begun?.start !== open.start) {
      this.drop(upload.id);
      if (this.#begun.size >= aheadUploadsMax) {
        return;
      }
      begun = { start: open.start, chain: this.#pool.inspectChain(open.bytes), fed: open.start };
      this.#begun.set(upload.id, begun);
    }
    await this.#feedTo(upload, begun, Math.min(upload.offset, open.start + open.bytes));
  }

  /** True while something of this upload is read ahead. */
  has(upload: string): boolean {
    return this.#begun.has(upload);
  }

  /** Ends an instance that was begun and is whole now; undefined when it was not begun, or was left. */
  async take(upload: UploadRecord, { start, bytes }: Part): Promise<Inspection | undefined> {
    const begun = this.#begun.get(upload.id);
    if (begun?.start !== start) {
      return undefined;
    }
    await this.#feedTo(upload, begun, start + bytes);
    this.#begun.delete(upload.id);
    return begun.chain?.finish();
  }

  /** Nothing of this upload is waited for any more. */
  drop(upload: string): void {
    this.#begun.get(upload)?.chain?.drop();
    this.#begun.delete(upload);
  }

  async #feedTo(upload: UploadRecord, begun: Begun, end: number): Promise<void> {
    const { chain } = begun;
    if (chain === undefined || end <= begun.fed) {
      return;
    }
    try {
      while (begun.fed < end) {
        const bytes = Math.min(end - begun.fed, lentBytesMax);
        const extents = extentsBetween(upload, begun.fed, bytes);
        await this.#storage.lend(extents, 0, bytes, (ranges) => chain.feed(ranges));
        begun.fed += bytes;
      }
    } catch (error) {
      if (error instanceof WorkFailed && error.facts.cause === HEADS_TOO_LARGE) {
        begun.chain = undefined;
        return;
      }
      this.drop(upload.id);
      throw error;
    }
  }
}
