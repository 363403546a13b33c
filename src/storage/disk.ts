import { close, closeSync, fdatasync, fstatSync, ftruncate, openSync, write, writeSync } from 'node:fs';
import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Buckets, isObjectId } from './buckets.ts';
import { StorageDamaged, storageError } from './errors.ts';
import { expectKind } from './kind.ts';
import { readExtents, slice } from './reader.ts';
import type { Borrower, Extent, ObjectId, ObjectWriter, Storage, StorageSpace } from './storage.ts';
import { syncFolder } from './sync-folder.ts';

const writeTo = promisify(write);
const datasync = promisify(fdatasync);
const truncate = promisify(ftruncate);
const closeFile = promisify(close);

/** Objects as files of a folder, one each. */
export async function openDiskStorage(folder: string): Promise<Storage> {
  await expectKind(folder, 'disk');
  return new DiskStorage(await Buckets.open(folder));
}

class DiskStorage implements Storage {
  readonly #buckets: Buckets;

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
  }

  async create(object: ObjectId): Promise<void> {
    try {
      await this.#buckets.create(object, object);
    } catch (error) {
      throw storageError(error);
    }
  }

  async open(object: ObjectId, bytes: number): Promise<ObjectWriter> {
    try {
      const fd = this.#openForWriting(object);
      try {
        const { size } = fstatSync(fd);
        if (size < bytes) {
          throw new StorageDamaged(`object ${object} has ${size} bytes, ${bytes} were recorded`, {
            object,
            size,
            recorded: bytes,
          });
        }
        if (size > bytes) {
          await truncate(fd, bytes);
        }
        return new DiskWriter(fd);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  async remove(object: ObjectId): Promise<void> {
    await rm(this.#path(object), { force: true });
    await syncFolder(this.#buckets.of(object));
  }

  async *list(): AsyncGenerator<ObjectId> {
    for await (const name of this.#buckets.names()) {
      if (isObjectId(name)) {
        yield name;
      }
    }
  }

  read(extents: readonly Extent[], start: number, end: number): AsyncIterable<Uint8Array> {
    return readExtents((object) => this.#openForReading(object), slice(extents, start, end));
  }

  async lend<R>(extents: readonly Extent[], start: number, end: number, use: Borrower<R>): Promise<R> {
    const ranges = slice(extents, start, end).map((part) => ({
      path: this.#path(part.object),
      start: part.start,
      bytes: part.bytes,
    }));
    return use(ranges);
  }

  /** It stays where it is. */
  settle(): void {}

  /** What was let in was set aside. */
  room(): undefined {
    return undefined;
  }

  pathOf(object: ObjectId): string {
    return this.#path(object);
  }

  footprint(bytes: number): number {
    return bytes;
  }

  async space(): Promise<StorageSpace> {
    const { bsize, bavail, blocks } = await statfs(this.#buckets.folder);
    return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
  }

  async #openForReading(object: ObjectId): Promise<FileHandle> {
    try {
      return await open(this.#path(object), 'r');
    } catch (error) {
      throw notThere(error, object);
    }
  }

  /** At once: under uWS a body's first bytes come in the same turn as its head, and wait for nobody. */
  #openForWriting(object: ObjectId): number {
    try {
      return openSync(this.#path(object), 'r+');
    } catch (error) {
      throw notThere(error, object);
    }
  }

  #path(object: ObjectId): string {
    return join(this.#buckets.of(object), object);
  }
}

function notThere(error: unknown, object: ObjectId): unknown {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  return isMissing ? new StorageDamaged(`object ${object} is not there`, { object }, error) : error;
}

class DiskWriter implements ObjectWriter {
  readonly #fd: number;
  /** Writes and syncs under way: a descriptor that is closed below them may be another file's by then. */
  readonly #users = new Set<Promise<unknown>>();

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#use(async () => {
      // A nearly full disk takes a part of a write and says ENOSPC only to the next one.
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await writeTo(
          this.#fd,
          bytes,
          done,
          bytes.byteLength - done,
          position + done,
        );
        done += bytesWritten;
      }
    });
  }

  writeSync(bytes: Uint8Array, position: number): void {
    let done = 0;
    try {
      while (done < bytes.byteLength) {
        done += writeSync(this.#fd, bytes, done, bytes.byteLength - done, position + done);
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  sync(): Promise<void> {
    return this.#use(() => datasync(this.#fd));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#users);
    await closeFile(this.#fd);
  }

  async #use(work: () => Promise<void>): Promise<void> {
    const working = work();
    this.#users.add(working);
    try {
      await working;
    } catch (error) {
      throw storageError(error);
    } finally {
      this.#users.delete(working);
    }
  }
}
