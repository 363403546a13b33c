import { randomBytes } from 'node:crypto';
import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import type { State, Transaction } from '../state/state.ts';
import { StorageFull } from '../storage/errors.ts';
import type { ObjectId, Storage } from '../storage/storage.ts';
import { derivedDropPage } from './limits.ts';

/** Not an upload's: those begin with u- and are the uploads' to clean up. */
const prefix = 'd-';

/** The empty object that somebody fills: its name, and where it is in the file system. */
export interface DerivedTarget {
  readonly object: ObjectId;
  readonly path: string;
}

/**
 * Objects made once, by a worker, from what was uploaded: the content of a deflated ZIP entry or of a
 * deflated dataset, a report as an instance. Immutable; they live as long as their transfer.
 *
 * Each is recorded as `making` before it exists and as `kept` in the commit that makes an item refer
 * to it, so that a kill at any point leaves nothing behind that nobody knows.
 */
export class DerivedObjects {
  readonly #state: State;
  readonly #storage: Storage;
  readonly #reserveBytes: number;
  readonly #log: Log;
  /** Set aside for objects that are being filled. */
  #comingBytes = 0;

  constructor(parts: { state: State; storage: Storage; reserveBytes: number; log: Log }) {
    this.#state = parts.state;
    this.#storage = parts.storage;
    this.#reserveBytes = parts.reserveBytes;
    this.#log = parts.log;
  }

  /** Bytes set aside for what is being made: a gauge. */
  get comingBytes(): number {
    return this.#comingBytes;
  }

  /**
   * Removes what was being made when the program ended, which is made again with what needs it, and what
   * transfers that expired have left; settles the others.
   */
  async start(): Promise<void> {
    // The few of all that are listed.
    const left: (readonly [string, string])[] = [];
    const expired = new Set<string>();
    for (const { key, value } of this.#state.list(keys.derivedObjects)) {
      if (value === 'making') {
        left.push(key);
      } else if (this.#isExpired(key[0])) {
        expired.add(key[0]);
      } else {
        this.#storage.settle(key[1] as ObjectId, Number.POSITIVE_INFINITY, true);
      }
    }
    // One that fails says enough of the storage: nobody waits for it again and again before the first request.
    for (const [transfer, object] of left) {
      if (!(await this.#remove(transfer, [object as ObjectId]))) {
        return;
      }
    }
    for (const transfer of expired) {
      if (!(await this.dropAll(transfer))) {
        return;
      }
    }
  }

  /**
   * Makes an object and has it filled with about `bytes` bytes. When `fill` fails the object is gone.
   * Keep it (`keep`, in the commit that refers to it) or drop it, also when that commit fails.
   *
   * Rejects StorageFull when the bytes do not fit beside the reserve, and what `fill` rejects.
   */
  async make<T>(
    transfer: string,
    bytes: number,
    fill: (target: DerivedTarget) => Promise<T>,
  ): Promise<{ readonly object: ObjectId; readonly result: T }> {
    await this.#reserve(bytes);
    try {
      const object = `${prefix}${randomBytes(16).toString('hex')}` as ObjectId;
      await this.#state.commit((tx) => tx.put(keys.derivedObjects, [transfer, object], 'making'));
      try {
        await this.#storage.create(object);
        const result = await fill({ object, path: this.#storage.pathOf(object) });
        // Also before an item refers to it: who drops it finds it wherever it is kept.
        this.#storage.settle(object, Number.POSITIVE_INFINITY, true);
        return { object, result };
      } catch (error) {
        await this.drop(transfer, [object]);
        throw error;
      }
    } finally {
      this.#comingBytes -= bytes;
    }
  }

  /** In the commit that makes an item refer to it. */
  keep(tx: Transaction, transfer: string, object: string): void {
    tx.put(keys.derivedObjects, [transfer, object], 'kept');
  }

  /**
   * Removes those of them that no item refers to. Never rejects, because whoever drops has a failure of his
   * own to tell as a rule: what is left is removed at the next start.
   */
  async drop(transfer: string, objects: readonly ObjectId[]): Promise<void> {
    const unused = objects.filter(
      (object) => this.#state.get(keys.derivedObjects, [transfer, object]) !== 'kept',
    );
    await this.#remove(transfer, unused);
  }

  /** Removes all of a transfer that has expired, also what its items refer to. Never rejects, as `drop`; false when some are left. */
  async dropAll(transfer: string): Promise<boolean> {
    for (;;) {
      const range = { prefix: [transfer], limit: derivedDropPage };
      const objects = [...this.#state.list(keys.derivedObjects, range)].map(({ key }) => key[1] as ObjectId);
      if (objects.length === 0 || !this.#isExpired(transfer)) {
        return true;
      }
      if (!(await this.#remove(transfer, objects))) {
        return false;
      }
    }
  }

  /** False when some are left. */
  async #remove(transfer: string, objects: readonly ObjectId[]): Promise<boolean> {
    if (objects.length === 0) {
      return true;
    }
    try {
      for (const object of objects) {
        await this.#storage.remove(object);
      }
      await this.#state.commit((tx) => {
        for (const object of objects) {
          tx.remove(keys.derivedObjects, [transfer, object]);
        }
      });
      return true;
    } catch (error) {
      this.#log.warn('derived.objects-left', { transfer, count: objects.length, error });
      return false;
    }
  }

  #isExpired(transfer: string): boolean {
    return this.#state.get(keys.transfers, transfer)?.state === 'expired';
  }

  async #reserve(bytes: number): Promise<void> {
    const { freeBytes } = await this.#storage.space();
    const room = Math.max(0, freeBytes - this.#reserveBytes - this.#comingBytes);
    if (bytes > room) {
      throw new StorageFull(`a derived object needs ${bytes} bytes, there is room for ${room}`, {
        bytes,
        room,
      });
    }
    this.#comingBytes += bytes;
  }
}
