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
  /** Every object here, for the janitor at start-up. */
  list(): AsyncIterable<ObjectId>;
}

export interface ByteReader {
  /**
   * The bytes [start, end) of the extents laid end to end, in chunks of at most 1 MiB.
   * A chunk is valid until the next one is asked for.
   */
  read(extents: readonly Extent[], start: number, end: number): AsyncIterable<Uint8Array>;
  /** The same as file ranges, for a worker. */
  locate(extents: readonly Extent[], start: number, end: number): FileRange[];
}

/** Bytes free and in all, of the disk below. */
export interface StorageSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface Storage extends ObjectStore, ByteReader {
  space(): Promise<StorageSpace>;
}
