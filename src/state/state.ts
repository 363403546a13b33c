import { mkdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Database, type Key as LmdbKey, open, type RootDatabase } from 'lmdb';
import { Packr } from 'msgpackr';
import { asError, Fatal } from '../ops/error.ts';
import { diskFull, storageError } from '../storage/errors.ts';
import { syncFolder } from '../storage/sync-folder.ts';
import { type Key, type KeyPart, keys, type Table } from './keys.ts';
import { migrations, schemaVersion, type Write } from './migrations/index.ts';

/** Sorts behind every key part: ids and numbers are below it. */
const behindAll = '\uffff';

/** Records that a migration writes in one transaction: 2 KiB each as a rule. */
const writesPerCommit = 1_000;

/**
 * Commits that share one sync: LMDB runs all of them in one turn of the event loop, and a thousand would hold up
 * everybody else for half a second.
 */
const commitsAtOnce = 64;

/** LMDB says EIO (5) of a write that a full disk cut short; with less room than this it is taken for that. */
const fullBelowBytes = 1024 * 1024;
const shortWrite = 5;

/**
 * Plain maps, no record extension: a record must be readable without what was written before it.
 * Bytes are copied out, because LMDB lends its read buffer only until the next read.
 */
const packr = new Packr({ useRecords: false, copyBuffers: true });

export interface Range {
  /** First key of the listing, or all that begin with these parts. */
  readonly prefix?: readonly KeyPart[];
  /** Begin behind this key (in reverse: before it). */
  readonly after?: Key;
  /** Last key first. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** Reading; the same inside and outside a transaction. */
export interface Reader {
  get<K extends Key, V>(table: Table<K, V>, key: K): V | undefined;
}

/** One transaction: reads see its own writes; nothing is written if the function throws. */
export interface Transaction extends Reader {
  put<K extends Key, V>(table: Table<K, V>, key: K, value: V): void;
  remove<K extends Key, V>(table: Table<K, V>, key: K): void;
}

/**
 * The exchange's records: LMDB, written by the main thread only.
 *
 * A commit is one LMDB transaction, and its promise resolves when that survives a power cut
 * (overlappingSync off: LMDB syncs before it says committed). Commits that come in one turn of the
 * event loop, or while another is being synced, share one sync, 64 of them at most.
 */
export class State implements Reader {
  readonly #folder: string;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #tables = new Map<string, Database<Buffer, LmdbKey>>();
  /** In their order. */
  readonly #waiting: (() => void)[] = [];
  #committing = 0;

  private constructor(folder: string, root: RootDatabase<Buffer, string>) {
    this.#folder = folder;
    this.#root = root;
    for (const { name } of Object.values(keys)) {
      this.#tables.set(name, root.openDB<Buffer, LmdbKey>({ name, encoding: 'binary' }));
    }
  }

  /** Commits that wait for others to be synced: the gauge of this queue. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Opens (or makes) the state in `folder`, brings it to today's schema; throws Fatal when it is newer. */
  static async open(folder: string): Promise<State> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const root = open<Buffer, string>({
      path: folder,
      maxDbs: 64,
      encoding: 'binary',
      overlappingSync: false,
      // Else lmdb opens a batch of its own for each turn, and when a disk is full that batch's promise, which
      // nobody holds, ends the program. Commits that wait for one sync share the next one all the same.
      eventTurnBatching: false,
      // No deltas in memory beside LMDB's own page cache.
      cache: false,
    });
    const state = new State(folder, root);
    await state.#migrate();
    // What a commit syncs is the file; that the file has its name is the folders' business.
    for (const path of [folder, dirname(folder)]) {
      await syncFolder(path);
    }
    return state;
  }

  get<K extends Key, V>(table: Table<K, V>, key: K): V | undefined {
    const packed = this.#table(table).getBinaryFast(lmdbKey(key));
    return packed === undefined ? undefined : decode<V>(packed);
  }

  /** Keys and values in key order. The listing is a snapshot of when it began. */
  *list<K extends Key, V>(table: Table<K, V>, range: Range = {}): Generator<{ key: K; value: V }> {
    const { prefix, after, reverse = false, limit } = range;
    const first = prefix !== undefined && reverse ? [...prefix, behindAll] : prefix;
    const start = after ?? first;
    const options = {
      reverse,
      ...(start === undefined ? {} : { start: lmdbKey(start) }),
      ...(after === undefined ? {} : { exclusiveStart: true }),
    };
    let given = 0;
    for (const { key, value } of this.#table(table).getRange(options)) {
      if (prefix !== undefined && !beginsWith(key as Key, prefix)) {
        return;
      }
      if (limit !== undefined && given++ >= limit) {
        return;
      }
      yield { key: key as Key as K, value: decode<V>(value) };
    }
  }

  /**
   * Runs `change` in one transaction. Resolves with its result when durable. What `change` throws
   * rejects the promise and writes nothing: puts are kept back until it has returned. Rejects StorageFull
   * when the disk is; nothing is written then either.
   */
  async commit<R>(change: (tx: Transaction) => R): Promise<R> {
    if (this.#committing >= commitsAtOnce) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#committing += 1;
    }
    try {
      return await this.#commitNow(change);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) {
        this.#committing -= 1;
      } else {
        next();
      }
    }
  }

  async close(): Promise<void> {
    if (this.#waiting.length > 0) {
      // Behind all that wait for their turn: what was asked for before is not lost.
      await this.commit(() => undefined);
    }
    await this.#root.close();
  }

  async #commitNow<R>(change: (tx: Transaction) => R): Promise<R> {
    let outcome: { result: R } | { error: unknown } | undefined;
    const committed = this.#root.transaction(() => {
      const tx = new Buffered(this);
      try {
        outcome = { result: change(tx) };
      } catch (error) {
        outcome = { error };
        return;
      }
      for (const write of tx.writes.values()) {
        const database = this.#table(write.table);
        if (write.value === undefined) {
          void database.remove(lmdbKey(write.key));
        } else {
          void database.put(lmdbKey(write.key), write.value);
        }
      }
    });
    await committed.catch(async (thrown: unknown) => {
      throw await this.#failureOf(thrown);
    });
    if (outcome === undefined) {
      throw new Error('LMDB ended a transaction without running it');
    }
    if ('error' in outcome) {
      throw outcome.error;
    }
    return outcome.result;
  }

  /** Why a commit failed: lmdb hides it in a promise of its own, which must not be left to itself. */
  async #failureOf(thrown: unknown): Promise<unknown> {
    const error = asError(thrown);
    const cause: unknown = 'commitError' in error ? await causeOf(error.commitError) : error;
    const named = storageError(cause);
    if (named !== cause || !(cause instanceof Error && 'code' in cause && cause.code === shortWrite)) {
      return named;
    }
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize < fullBelowBytes ? diskFull(cause) : named;
  }

  #table<K extends Key, V>(table: Table<K, V>): Database<Buffer, LmdbKey> {
    const database = this.#tables.get(table.name);
    if (database === undefined) {
      throw new Error(`no table ${table.name}`);
    }
    return database;
  }

  async #migrate(): Promise<void> {
    const found = this.get(keys.meta, 'schema') ?? 0;
    if (typeof found !== 'number' || found > schemaVersion) {
      throw new Fatal(
        `the data folder has schema ${found}, this program knows up to ${schemaVersion}: start the newer program`,
        4,
      );
    }
    for (const migration of migrations.slice(found)) {
      let piece: Write[] = [];
      for (const write of migration.run(this)) {
        piece.push(write);
        if (piece.length >= writesPerCommit) {
          await this.#write(piece);
          piece = [];
        }
      }
      await this.#write([...piece, { table: keys.meta, key: 'schema', value: migration.to }]);
    }
  }

  #write(writes: readonly Write[]): Promise<void> {
    return this.commit((tx) => {
      for (const { table, key, value } of writes) {
        tx.put(table, key, value);
      }
    });
  }
}

/** What a promise rejects with. */
async function causeOf(rejected: unknown): Promise<unknown> {
  try {
    await rejected;
    return new Error('LMDB failed to commit and did not say why');
  } catch (cause) {
    return cause;
  }
}

/** Holds a transaction's writes back until its function has returned. */
class Buffered implements Transaction {
  readonly writes = new Map<string, { table: Table<Key, unknown>; key: Key; value: Buffer | undefined }>();
  readonly #below: Reader;

  constructor(below: Reader) {
    this.#below = below;
  }

  get<K extends Key, V>(table: Table<K, V>, key: K): V | undefined {
    const write = this.writes.get(nameOf(table, key));
    if (write === undefined) {
      return this.#below.get(table, key);
    }
    return write.value === undefined ? undefined : decode<V>(write.value);
  }

  put<K extends Key, V>(table: Table<K, V>, key: K, value: V): void {
    this.writes.set(nameOf(table, key), { table, key, value: encode(value) });
  }

  remove<K extends Key, V>(table: Table<K, V>, key: K): void {
    this.writes.set(nameOf(table, key), { table, key, value: undefined });
  }
}

function nameOf<K extends Key, V>(table: Table<K, V>, key: K): string {
  return JSON.stringify([table.name, key]);
}

function encode(value: unknown): Buffer {
  return packr.pack([schemaVersion, value]);
}

/** Records of an older schema were rewritten by their migration, so the version is only a guard. */
function decode<V>(packed: Buffer): V {
  const [version, value] = packr.unpack(packed) as [number, V];
  if (version > schemaVersion) {
    throw new Fatal(`a record has schema ${version}, this program knows up to ${schemaVersion}`, 4);
  }
  return value;
}

/** lmdb's type wants mutable arrays; it does not change them. */
function lmdbKey(key: Key): LmdbKey {
  return key as LmdbKey;
}

function beginsWith(key: Key, prefix: readonly KeyPart[]): boolean {
  const parts = Array.isArray(key) ? (key as readonly KeyPart[]) : [key as KeyPart];
  return prefix.every((part, at) => parts[at] === part);
}
