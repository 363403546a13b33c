import { randomBytes } from 'node:crypto';
import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import type { State, Transaction } from '../state/state.ts';
import { StorageFull } from '../storage/errors.ts';
import type { ObjectId, Storage } from '../storage/storage.ts';

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

  /** Removes what was being made when the program ended; it is made again with what needs it. */
  async start(): Promise<void> {
    // The few of all that are listed.
    const left: (readonly [string, string])[] = [];
    for (const { key, value } of this.#state.list(keys.derivedObjects)) {
      if (value === 'making') {
        left.push(key);
      }
    }
    for (const [transfer, object] of left) {
      await this.drop(transfer, [object as ObjectId]);
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
        const [range] = this.#storage.locate([{ object, start: 0, bytes: 1 }], 0, 1);
        if (range === undefined) {
          throw new RangeError('a new object has no place');
        }
        return { object, result: await fill({ object, path: range.path }) };
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
    if (unused.length === 0) {
      return;
    }
    try {
      for (const object of unused) {
        await this.#storage.remove(object);
      }
      await this.#state.commit((tx) => {
        for (const object of unused) {
          tx.remove(keys.derivedObjects, [transfer, object]);
        }
      });
    } catch (error) {
      this.#log.warn('derived.objects-left', { transfer, count: unused.length, error });
    }
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
