/** The name of a stored object: random, says nothing about its content. `[0-9a-z-]{1,64}` */
export type ObjectId = string & { readonly __brand: 'ObjectId' };

/** A run of bytes somewhere: [start, start + bytes). */
export interface Run {
  readonly start: number;
  readonly bytes: number;
}

/** A run of bytes inside one stored object. */
export interface Extent extends Run {
  readonly object: ObjectId;
}

/** Where a run of bytes lies in the file system, for workers that read by file range. */
export interface FileRange extends Run {
  readonly path: string;
}

/** What needs lent file ranges, until its promise has settled. */
export type Borrower<R> = (ranges: FileRange[]) => Promise<R>;

/**
 * The writing end of one object. Positions are absolute; nothing is visible to `sync`'s promise until
 * it resolves. Bytes at or beyond the last recorded offset prove nothing after a crash.
 */
export interface ObjectWriter {
  /** Writes all of `bytes` at `position`. Rejects `StorageFull` when the disk is. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** The same, blocking. For the body's hard limit only (research: pause() is not a hard stop). */
  writeSync(bytes: Uint8Array, position: number): void;
  /** fdatasync: resolves when everything written before the call survives a power cut. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Where bytes live. Written once, never rewritten; small capabilities, composed by who needs them. */
export interface ObjectStore {
  /** Makes an empty object; resolves when its name survives a power cut (the folder is synced). */
  create(object: ObjectId): Promise<void>;
  /** Opens for writing after cutting the object back to `bytes`: its size proves nothing. */
  open(object: ObjectId, bytes: number): Promise<ObjectWriter>;
  /** Gone when it resolves. Removing what is not there is no error. */
  remove(object: ObjectId): Promise<void>;
  /** Every object here, for the janitor at start-up; one may come twice. */
  list(): AsyncIterable<ObjectId>;
  /**
   * Says that what is before `bytes` is recorded and never changes again, and with `whole` that nothing will
   * follow it: from now on it may be kept elsewhere. Of what a worker filled by its path, Infinity is all.
   * Say it again after a start. Never waits, never throws.
   */
  settle(object: ObjectId, bytes: number, whole: boolean): void;
  /**
   * Undefined, as a rule: there is room to write. Else resolves when there is; rejects with the reason of
   * `stop`, or StorageBehind when it takes too long.
   */
  room(stop: AbortSignal): Promise<void> | undefined;
  /** The file of an object that `create` has just made, for a worker that fills it. Not for uploads. */
  pathOf(object: ObjectId): string;
}

export interface ByteReader {
  /**
   * The bytes [start, end) of the extents laid end to end, in chunks of at most 1 MiB.
   * A chunk is valid until the next one is asked for.
   */
  read(extents: readonly Extent[], start: number, end: number): AsyncIterable<Uint8Array>;
  /**
   * The same as file ranges, for a worker: they are there until the promise of `use` has settled. Resolves
   * and rejects as that does. No range reaches beyond an extent. Do not lend within `use`.
   */
  lend<R>(extents: readonly Extent[], start: number, end: number, use: Borrower<R>): Promise<R>;
}

/** Bytes free and in all, of the disk below. */
export interface StorageSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What waits in front of S3. */
export interface StorageLoad {
  readonly spoolBytes: number;
  /** Segments that wait to be moved, those included that failed. */
  readonly waiting: number;
  readonly underWay: number;
  /** Objects that were removed, and that S3 did not let go yet. */
  readonly leftovers: number;
}

export interface Storage extends ObjectStore, ByteReader {
  space(): Promise<StorageSpace>;
  /** What an upload of `bytes` takes of that disk at a time, at most. */
  footprint(bytes: number): number;
}
