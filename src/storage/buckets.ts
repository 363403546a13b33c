import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bucketCount, folderMode, objectMode } from './limits.ts';
import type { ObjectId } from './storage.ts';
import { syncFolder } from './sync-folder.ts';

const objectPattern = /^[0-9a-z-]{1,64}$/;

/**
 * Files of objects, spread over folders: folder/objects/<bucket>/<name>, mode 0600 in folders of 0700. All files
 * of an object lie in one bucket.
 */
export class Buckets {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folders that are missing and syncs them, so that a new file costs one sync of its own and one of its bucket. */
  static async open(folder: string): Promise<Buckets> {
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
    return new Buckets(objects);
  }

  /** The pattern also keeps a name from outside from leaving the folder. */
  of(object: ObjectId): string {
    if (!isObjectId(object)) {
      throw new TypeError('an object id is 1 to 64 of 0-9, a-z and -');
    }
    return join(this.folder, createHash('sha256').update(object).digest('hex').slice(0, 2));
  }

  /** Makes an empty file that was not there; resolves when its name survives a power cut. */
  async create(object: ObjectId, name: string): Promise<void> {
    const bucket = this.of(object);
    const file: FileHandle = await open(join(bucket, name), 'wx', objectMode);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(bucket);
  }

  /** The names of all files. */
  async *names(): AsyncGenerator<string> {
    for (const bucket of await readdir(this.folder)) {
      yield* await readdir(join(this.folder, bucket));
    }
  }
}

export function isObjectId(name: string): name is ObjectId {
  return objectPattern.test(name);
}
