import { closeSync, constants, fdatasync, ftruncateSync, openSync, write, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { asError } from '../ops/error.ts';
import { StorageDamaged, storageError } from './errors.ts';
import { objectMode, openSegmentsMax } from './limits.ts';
import type { Spool, SpoolFile } from './spool.ts';
import type { ObjectId, ObjectWriter } from './storage.ts';
import { syncFolder } from './sync-folder.ts';

const writeTo = promisify(write);
const datasync = promisify(fdatasync);

interface OpenSegment {
  readonly fd: number;
  readonly file: SpoolFile;
  /** Writes and syncs under way: a descriptor that is closed below them may be another file's by then. */
  users: number;
  /** Closed when the last of them has ended. */
  isLeft: boolean;
}

/** Cuts what is in the spool of an object back to `bytes`, and opens it for writing from there. */
export async function openSpoolWriter(spool: Spool, object: ObjectId, bytes: number): Promise<ObjectWriter> {
  const { segmentBytes } = spool;
  const last = Math.floor(bytes / segmentBytes);
  const rest = bytes - last * segmentBytes;
  const there = spool.get(object);
  const damaged = (size: number): StorageDamaged =>
    new StorageDamaged(`object ${object} has ${size} bytes, ${bytes} were recorded`, {
      object,
      size,
      recorded: bytes,
    });
  // What S3 has too is whole: nothing is written to it any more.
  const begun = there?.files.get(last)?.isStored === false;
  if (!begun && (rest > 0 || bytes === 0)) {
    throw new StorageDamaged(`object ${object} is not there`, { object });
  }
  // First all that may be wrong, then the cut.
  const files = [...(there?.files.values() ?? [])];
  for (const file of files.filter(({ number }) => number <= last)) {
    const { number } = file;
    const size = await sizeOf(file);
    if (size !== undefined && size < (number < last ? segmentBytes : rest)) {
      throw damaged(number * segmentBytes + size);
    }
  }
  const writer = new SpoolWriter(spool, object);
  try {
    for (const file of files.filter(({ number }) => number >= last)) {
      if (file.number === last) {
        writer.cut(file, rest);
      } else {
        await spool.drop(file);
      }
    }
    return writer;
  } catch (error) {
    await writer.close();
    throw storageError(error);
  }
}

/** Undefined for what S3 has, also when it came there just now: such a file may go at any time. */
async function sizeOf(file: SpoolFile): Promise<number | undefined> {
  if (file.isStored) {
    return undefined;
  }
  try {
    return (await stat(file.path)).size;
  } catch (error) {
    if (wasStored(file)) {
      return undefined;
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new StorageDamaged(`object ${file.object} is not all there`, { object: file.object }, error);
    }
    throw error;
  }
}

/** By now. */
function wasStored({ isStored }: SpoolFile): boolean {
  return isStored;
}

/** Writes an object as segments, each into a file that is made when its first byte comes. */
class SpoolWriter implements ObjectWriter {
  readonly #spool: Spool;
  readonly #object: ObjectId;
  readonly #open = new Map<number, OpenSegment>();
  /** Segments whose names are not synced yet. */
  readonly #unnamed = new Set<number>();
  /** Of segments that nobody synced before there were too many. */
  readonly #syncing = new Set<Promise<void>>();
  #failure: Error | undefined;

  constructor(spool: Spool, object: ObjectId) {
    this.#spool = spool;
    this.#object = object;
  }

  /** Before anything is written. */
  cut(file: SpoolFile, bytes: number): void {
    const { fd } = this.#segment(file.number);
    if (bytes === 0 && file.number > 0) {
      // Nothing of it was acknowledged yet: perhaps its name was not synced either.
      this.#unnamed.add(file.number);
    }
    ftruncateSync(fd, bytes);
    this.#spool.cut(file, bytes);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      this.#expectNoFailure();
      for (const { segment, from, to, at } of this.#cuts(bytes, position)) {
        await this.#use(segment, async () => {
          // A nearly full disk takes a part of a write and says ENOSPC only to the next one.
          for (let done = from; done < to; ) {
            const { bytesWritten } = await writeTo(segment.fd, bytes, done, to - done, at + done - from);
            done += bytesWritten;
          }
        });
        this.#spool.grown(segment.file, at + to - from);
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  writeSync(bytes: Uint8Array, position: number): void {
    try {
      for (const { segment, from, to, at } of this.#cuts(bytes, position)) {
        for (let done = from; done < to; ) {
          done += writeSync(segment.fd, bytes, done, to - done, at + done - from);
        }
        this.#spool.grown(segment.file, at + to - from);
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  async sync(): Promise<void> {
    const segments = [...this.#open.values()];
    const names = [...this.#unnamed];
    try {
      await Promise.all(segments.map((segment) => this.#use(segment, () => datasync(segment.fd))));
      await Promise.all(this.#syncing);
      this.#expectNoFailure();
      if (names.length > 0) {
        await syncFolder(this.#spool.buckets.of(this.#object));
      }
    } catch (error) {
      throw storageError(error);
    }
    // Only now: a sync that began meanwhile has to see to the same.
    for (const number of names) {
      this.#unnamed.delete(number);
    }
    const last = Math.max(0, ...this.#open.keys());
    for (const segment of segments.filter(({ file }) => file.number < last)) {
      this.#leave(segment);
    }
  }

  async close(): Promise<void> {
    const segments = [...this.#open.values()];
    for (const segment of segments) {
      this.#leave(segment);
    }
    await Promise.all(this.#syncing);
    while (segments.some(({ users }) => users > 0)) {
      await nextTurn();
    }
  }

  async #use(segment: OpenSegment, what: () => Promise<void>): Promise<void> {
    segment.users++;
    try {
      await what();
    } finally {
      segment.users--;
      if (segment.isLeft && segment.users === 0) {
        closeSync(segment.fd);
      }
    }
  }

  /** Writing goes on elsewhere. */
  #leave(segment: OpenSegment): void {
    if (segment.isLeft) {
      return;
    }
    segment.isLeft = true;
    this.#open.delete(segment.file.number);
    if (segment.users === 0) {
      closeSync(segment.fd);
    }
  }

  /** Without checkpoints (durability `process`) nobody else closes them. What fails is told by the next call. */
  #syncOldest(): void {
    for (const segment of [...this.#open.values()].slice(0, -openSegmentsMax)) {
      const syncing = this.#use(segment, () => datasync(segment.fd))
        .catch((error: unknown) => {
          this.#failure ??= asError(error);
        })
        .finally(() => this.#syncing.delete(syncing));
      this.#syncing.add(syncing);
      this.#leave(segment);
    }
  }

  #expectNoFailure(): void {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }

  /** Where a write goes: [from, to) of the bytes to `at` in a segment. */
  *#cuts(bytes: Uint8Array, position: number) {
    const { segmentBytes } = this.#spool;
    for (let from = 0; from < bytes.byteLength; ) {
      const number = Math.floor((position + from) / segmentBytes);
      const at = position + from - number * segmentBytes;
      const to = Math.min(bytes.byteLength, from + segmentBytes - at);
      yield { segment: this.#segment(number), from, to, at };
      from = to;
    }
  }

  #segment(number: number): OpenSegment {
    const known = this.#open.get(number);
    if (known !== undefined) {
      return known;
    }
    const place = { object: this.#object, number };
    // Once in 64 MiB, and what is written blocking cannot wait for it.
    const fd = openSync(this.#spool.path(place), constants.O_CREAT | constants.O_RDWR, objectMode);
    let file = this.#spool.get(this.#object)?.files.get(number);
    if (file === undefined) {
      this.#unnamed.add(number);
      file = this.#spool.add(place);
    }
    const segment = { fd, file, users: 0, isLeft: false };
    this.#open.set(number, segment);
    this.#syncOldest();
    return segment;
  }
}
