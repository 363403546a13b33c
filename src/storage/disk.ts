import { createHash } from 'node:crypto';
import { mkdirSync, writeSync } from 'node:fs';
import { type FileHandle, open, readdir, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StorageDamaged, storageError } from './errors.ts';
import { bucketCount, folderMode, objectMode } from './limits.ts';
import { readExtents, slice } from './reader.ts';
import type { Extent, FileRange, ObjectId, ObjectWriter, Storage, StorageSpace } from './storage.ts';
import { syncFolder } from './sync-folder.ts';

const objectPattern = /^[0-9a-z-]{1,64}$/;

/**
 * Objects as files: folder/objects/<bucket>/<id>, mode 0600 in folders of 0700.
 *
 * Makes the folders that are missing and syncs them, so that creating an object later costs one
 * fsync of the file and one of its bucket.
 */
export async function openDiskStorage(folder: string): Promise<Storage> {
  const objects = join(folder, 'objects');
  mkdirSync(objects, { recursive: true, mode: folderMode });
  const there = new Set(await readdir(objects));
  for (let n = 0; n < bucketCount; n++) {
    const bucket = n.toString(16).padStart(2, '0');
    if (!there.has(bucket)) {
      mkdirSync(join(objects, bucket), { mode: folderMode });
    }
  }
  // Each time: a kill may have come between making them and this.
  for (const path of [objects, folder, dirname(folder)]) {
    await syncFolder(path);
  }
  return new DiskStorage(objects);
}

class DiskStorage implements Storage {
  readonly #objects: string;

  constructor(objects: string) {
    this.#objects = objects;
  }

  async create(object: ObjectId): Promise<void> {
    try {
      const file = await open(this.#path(object), 'wx', objectMode);
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(this.#bucket(object));
    } catch (error) {
      throw storageError(error);
    }
  }

  async open(object: ObjectId, bytes: number): Promise<ObjectWriter> {
    const file = await this.#openFile(object, 'r+');
    try {
      const { size } = await file.stat();
      if (size < bytes) {
        throw new StorageDamaged(`object ${object} has ${size} bytes, ${bytes} were recorded`, {
          object,
          size,
          recorded: bytes,
        });
      }
      if (size > bytes) {
        await file.truncate(bytes);
      }
      return new DiskWriter(file);
    } catch (error) {
      await file.close();
      throw storageError(error);
    }
  }

  async remove(object: ObjectId): Promise<void> {
    await rm(this.#path(object), { force: true });
    await syncFolder(this.#bucket(object));
  }

  async *list(): AsyncGenerator<ObjectId> {
    for (const bucket of await readdir(this.#objects)) {
      for (const name of await readdir(join(this.#objects, bucket))) {
        if (objectPattern.test(name)) {
          yield name as ObjectId;
        }
      }
    }
  }

  read(extents: readonly Extent[], start: number, end: number): AsyncIterable<Uint8Array> {
    return readExtents((object) => this.#openFile(object, 'r'), slice(extents, start, end));
  }

  locate(extents: readonly Extent[], start: number, end: number): FileRange[] {
    return slice(extents, start, end).map((part) => ({
      path: this.#path(part.object),
      start: part.start,
      bytes: part.bytes,
    }));
  }

  async space(): Promise<StorageSpace> {
    const { bsize, bavail, blocks } = await statfs(this.#objects);
    return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
  }

  async #openFile(object: ObjectId, flags: 'r' | 'r+'): Promise<FileHandle> {
    try {
      return await open(this.#path(object), flags);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        throw new StorageDamaged(`object ${object} is not there`, { object }, error);
      }
      throw error;
    }
  }

  #bucket(object: ObjectId): string {
    return join(this.#objects, createHash('sha256').update(object).digest('hex').slice(0, 2));
  }

  /** The pattern also keeps a name from outside from leaving the folder. */
  #path(object: ObjectId): string {
    if (!objectPattern.test(object)) {
      throw new TypeError('an object id is 1 to 64 of 0-9, a-z and -');
    }
    return join(this.#bucket(object), object);
  }
}

class DiskWriter implements ObjectWriter {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    // A nearly full disk takes a part of a write and says ENOSPC only to the next one.
    let done = 0;
    try {
      while (done < bytes.byteLength) {
        const { bytesWritten } = await this.#file.write(
          bytes,
          done,
          bytes.byteLength - done,
          position + done,
        );
        done += bytesWritten;
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  writeSync(bytes: Uint8Array, position: number): void {
    let done = 0;
    try {
      while (done < bytes.byteLength) {
        done += writeSync(this.#file.fd, bytes, done, bytes.byteLength - done, position + done);
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (error) {
      throw storageError(error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
