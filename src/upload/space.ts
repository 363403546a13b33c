import { StorageFull } from '../storage/errors.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The promise that an upload which was let in also fits: what open uploads have still to send is
 * set aside when they are created.
 */
export class SpaceBudget {
  readonly #storage: Pick<Storage, 'space'>;
  readonly #reserveBytes: number;
  #comingBytes = 0;

  constructor(storage: Pick<Storage, 'space'>, reserveBytes: number) {
    this.#storage = storage;
    this.#reserveBytes = reserveBytes;
  }

  /** What open uploads have still to send: the gauge of this budget. */
  get comingBytes(): number {
    return this.#comingBytes;
  }

  /** Rejects StorageFull when something else has filled the disk into the reserve. */
  async check(): Promise<void> {
    const { freeBytes } = await this.#storage.space();
    if (freeBytes < this.#reserveBytes) {
      throw new StorageFull('the disk is full: free space, then resume', {
        free: freeBytes,
        reserve: this.#reserveBytes,
      });
    }
  }

  /** Sets `bytes` aside for a new upload. Rejects StorageFull when they do not fit beside the reserve. */
  async reserve(bytes: number): Promise<void> {
    const { freeBytes } = await this.#storage.space();
    const room = Math.max(0, freeBytes - this.#reserveBytes - this.#comingBytes);
    if (bytes > room) {
      throw new StorageFull(`the upload needs ${bytes} bytes, there is room for ${room}: try again later`, {
        bytes,
        room,
      });
    }
    this.add(bytes);
  }

  /** Counts an upload that was let in before the program started. */
  add(bytes: number): void {
    this.#comingBytes += bytes;
  }

  /** Bytes that have arrived, or will never come. */
  release(bytes: number): void {
    this.#comingBytes -= bytes;
  }
}
