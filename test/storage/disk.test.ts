import { type FileHandle, mkdtemp, open, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDiskStorage } from '../../src/storage/disk.ts';
import { StorageDamaged } from '../../src/storage/errors.ts';
import { readExtents } from '../../src/storage/reader.ts';
import type { Extent, ObjectId, Storage } from '../../src/storage/storage.ts';
import { fuzz, pattern } from '../upload/engine.ts';

const a = 'object-a' as ObjectId;
const b = 'object-b' as ObjectId;

describe('disk storage', () => {
  let folder: string;
  let storage: Storage;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluis-disk-'));
    storage = await openDiskStorage(folder);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const whole = (object: ObjectId, bytes: number): Extent[] => [{ object, start: 0, bytes }];
  const pathOf = (object: ObjectId): string => storage.locate(whole(object, 1), 0, 1)[0]?.path ?? '';

  async function fill(object: ObjectId, bytes: Uint8Array): Promise<void> {
    await storage.create(object);
    const writer = await storage.open(object, 0);
    await writer.write(bytes, 0);
    await writer.sync();
    await writer.close();
  }

  async function read(extents: readonly Extent[], start: number, end: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of storage.read(extents, start, end)) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      expect(chunk.byteLength).toBeLessThanOrEqual(1024 * 1024);
      chunks.push(Uint8Array.from(chunk));
    }
    return Buffer.concat(chunks);
  }

  it('reads back what was written, by write and by writeSync, in any order', async () => {
    const bytes = pattern(300_000);
    await storage.create(a);
    const writer = await storage.open(a, 0);
    await writer.write(bytes.subarray(200_000), 200_000);
    writer.writeSync(bytes.subarray(0, 100_000), 0);
    await writer.write(bytes.subarray(100_000, 200_000), 100_000);
    await writer.sync();
    await writer.close();
    expect((await read(whole(a, 300_000), 0, 300_000)).equals(bytes)).toBe(true);
  });

  it('lets only its own user look at objects and folders', async () => {
    await fill(a, pattern(1));
    expect((await stat(pathOf(a))).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(pathOf(a)))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'objects'))).mode & 0o777).toBe(0o700);
  });

  it('never makes an object over one that is there', async () => {
    await fill(a, pattern(10));
    await expect(storage.create(a)).rejects.toThrow('EEXIST');
    expect(await read(whole(a, 10), 0, 10)).toEqual(pattern(10));
  });

  it('cuts an object back to what was recorded when it opens it', async () => {
    await fill(a, pattern(1000));
    const writer = await storage.open(a, 400);
    expect((await stat(pathOf(a))).size).toBe(400);
    await writer.write(pattern(100, 2), 400);
    await writer.close();
    const expected = Buffer.concat([pattern(1000).subarray(0, 400), pattern(100, 2)]);
    expect(await read(whole(a, 500), 0, 500)).toEqual(expected);
  });

  it('refuses to open an object that is shorter than what was recorded, or gone', async () => {
    await fill(a, pattern(1000));
    await expect(storage.open(a, 1001)).rejects.toBeInstanceOf(StorageDamaged);
    expect((await stat(pathOf(a))).size).toBe(1000);
    await expect(storage.open(b, 0)).rejects.toBeInstanceOf(StorageDamaged);
  });

  it('says that an object is damaged when it is read beyond what is there', async () => {
    await fill(a, pattern(3 * 1024 * 1024));
    await truncate(pathOf(a), 2 * 1024 * 1024 + 5);
    const seen: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of storage.read(whole(a, 3 * 1024 * 1024), 0, 3 * 1024 * 1024)) {
        seen.push(chunk.byteLength);
      }
    };
    await expect(reading()).rejects.toBeInstanceOf(StorageDamaged);
    expect(seen).toEqual([1024 * 1024, 1024 * 1024]);
    await expect(read(whole(b, 1), 0, 1)).rejects.toBeInstanceOf(StorageDamaged);
  });

  it('does not touch a chunk before the next one is asked for', async () => {
    const bytes = pattern(5 * 1024 * 1024);
    await fill(a, bytes);
    let at = 0;
    for await (const chunk of storage.read(whole(a, bytes.byteLength), 0, bytes.byteLength)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(Buffer.compare(chunk, bytes.subarray(at, at + chunk.byteLength))).toBe(0);
      at += chunk.byteLength;
    }
    expect(at).toBe(bytes.byteLength);
  });

  it('closes its file when a reader leaves early', async () => {
    await fill(a, pattern(4 * 1024 * 1024));
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

  it('reads and locates any range of any extents as if they lay end to end', async () => {
    const contentOf = (object: ObjectId): Buffer => (object === a ? pattern(5000, 1) : pattern(3000, 2));
    await fill(a, contentOf(a));
    await fill(b, contentOf(b));
    const extent = fc
      .record({ object: fc.constantFrom(a, b), start: fc.nat(2000), bytes: fc.nat(1000) })
      .map((made): Extent => made);
    await fc.assert(
      fc.asyncProperty(fc.array(extent, { maxLength: 6 }), fc.nat(), fc.nat(), async (extents, x, y) => {
        const model = Buffer.concat(
          extents.map(({ object, start, bytes }) => contentOf(object).subarray(start, start + bytes)),
        );
        const start = x % (model.byteLength + 1);
        const end = start + (y % (model.byteLength - start + 1));
        expect(await read(extents, start, end)).toEqual(model.subarray(start, end));
        const ranges = storage.locate(extents, start, end);
        expect(ranges.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(end - start);
        const last = model.byteLength;
        expect(() => storage.locate(extents, 0, last + 1)).toThrow(RangeError);
        expect(() => storage.locate(extents, 1, 0)).toThrow(RangeError);
      }),
      fuzz,
    );
  });

  it('takes no name that could leave its folder', async () => {
    for (const name of ['', '..', '../x', 'a/b', 'A', 'a'.repeat(65), 'a\0']) {
      await expect(storage.create(name as ObjectId)).rejects.toBeInstanceOf(TypeError);
      await expect(storage.remove(name as ObjectId)).rejects.toBeInstanceOf(TypeError);
    }
  });

  it('lists every object, and none that was removed; removing twice is no error', async () => {
    await storage.create(a);
    await storage.create(b);
    await storage.remove(b);
    await storage.remove(b);
    const again = await openDiskStorage(folder);
    const names: ObjectId[] = [];
    for await (const name of again.list()) {
      names.push(name);
    }
    expect(names).toEqual([a]);
  });

  it('knows how much room the disk has', async () => {
    const { freeBytes, totalBytes } = await storage.space();
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
  });
});
