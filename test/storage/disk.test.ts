import { type FileHandle, mkdtemp, open, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDiskStorage } from '../../src/storage/disk.ts';
import { StorageDamaged } from '../../src/storage/errors.ts';
import { readExtents } from '../../src/storage/reader.ts';
import type { Extent, ObjectId, Storage } from '../../src/storage/storage.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import { fill, pattern, read, storageContract } from './storage.contract.ts';

const a = 'object-a' as ObjectId;
const b = 'object-b' as ObjectId;

storageContract('disk storage, as every storage,', async () => {
  const folder = await openTempFolder('sluis-disk');
  return {
    storage: await openDiskStorage(folder.path),
    moved: () => Promise.resolve(),
    reopen: () => openDiskStorage(folder.path),
    close: () => folder.remove(),
  };
});

describe('disk storage', () => {
  let folder: string;
  let storage: Storage;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluis-disk-'));
    storage = await openDiskStorage(folder);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const whole = (object: ObjectId, bytes: number): Extent[] => [{ object, start: 0, bytes }];
  const pathOf = (object: ObjectId): string => storage.pathOf(object);

  it('lets only its own user look at objects and folders', async () => {
    await fill(storage, a, pattern(1));
    expect((await stat(pathOf(a))).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(pathOf(a)))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'objects'))).mode & 0o777).toBe(0o700);
  });

  it('cuts an object back to what was recorded when it opens it', async () => {
    await fill(storage, a, pattern(1000));
    const writer = await storage.open(a, 400);
    expect((await stat(pathOf(a))).size).toBe(400);
    await writer.write(pattern(100, 2), 400);
    await writer.close();
    const expected = Buffer.concat([pattern(1000).subarray(0, 400), pattern(100, 2)]);
    expect(await read(storage, whole(a, 500), 0, 500)).toEqual(expected);
  });

  it('says that an object is damaged when it is read beyond what is there', async () => {
    await fill(storage, a, pattern(3 * 1024 * 1024));
    await truncate(pathOf(a), 2 * 1024 * 1024 + 5);
    const seen: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of storage.read(whole(a, 3 * 1024 * 1024), 0, 3 * 1024 * 1024)) {
        seen.push(chunk.byteLength);
      }
    };
    await expect(reading()).rejects.toBeInstanceOf(StorageDamaged);
    expect(seen).toEqual([1024 * 1024, 1024 * 1024]);
    await expect(read(storage, whole(b, 1), 0, 1)).rejects.toBeInstanceOf(StorageDamaged);
  });

  it('does not touch a chunk before the next one is asked for', async () => {
    const bytes = pattern(5 * 1024 * 1024);
    await fill(storage, a, bytes);
    let at = 0;
    for await (const chunk of storage.read(whole(a, bytes.byteLength), 0, bytes.byteLength)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(Buffer.compare(chunk, bytes.subarray(at, at + chunk.byteLength))).toBe(0);
      at += chunk.byteLength;
    }
    expect(at).toBe(bytes.byteLength);
  });

  it('closes its file when a reader leaves early', async () => {
    await fill(storage, a, pattern(4 * 1024 * 1024));
    const opened: FileHandle[] = [];
    const openObject = async (): Promise<FileHandle> => {
      const file = await open(pathOf(a), 'r');
      opened.push(file);
      return file;
    };
    for await (const chunk of readExtents(openObject, whole(a, 4 * 1024 * 1024))) {
      expect(chunk.byteLength).toBe(1024 * 1024);
      break;
    }
    expect(opened.map(({ fd }) => fd)).toEqual([-1]);
  });
});
