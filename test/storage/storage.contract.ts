import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StorageDamaged } from '../../src/storage/errors.ts';
import type { Extent, FileRange, ObjectId, Storage } from '../../src/storage/storage.ts';

/** Of the storages that a contract opens: enough for three segments in a small object. */
export const SEGMENT = 1024;

/** A storage of one kind, and the folder it keeps things in. */
export interface Subject {
  readonly storage: Storage;
  /** What is settled so far has gone where it goes. */
  readonly moved: () => Promise<void>;
  /** The same storage, opened again as after a kill: nothing was stopped. */
  reopen(): Promise<Storage>;
  close(): Promise<void>;
}

const a = 'object-a' as ObjectId;
const b = 'object-b' as ObjectId;
const ab = 'object-a-0' as ObjectId;

/** What every Storage does, whatever is below it. Objects of some segments of `SEGMENT` bytes, if it has such. */
export function storageContract(name: string, open: () => Promise<Subject>): void {
  describe(name, () => {
    let subject: Subject;
    let storage: Storage;
    beforeEach(async () => {
      subject = await open();
      ({ storage } = subject);
    });
    afterEach(() => subject.close());

    it('reads back what was written, by write and by writeSync, in any order', async () => {
      const bytes = pattern(5_000);
      await storage.create(a);
      const writer = await storage.open(a, 0);
      await writer.write(bytes.subarray(3_000), 3_000);
      writer.writeSync(bytes.subarray(0, 1_500), 0);
      await Promise.all([
        writer.write(bytes.subarray(1_500, 2_500), 1_500),
        writer.sync(),
        writer.write(bytes.subarray(2_500, 3_000), 2_500),
      ]);
      await writer.sync();
      await writer.close();
      expect(await read(storage, whole(a, 5_000), 0, 5_000)).toEqual(bytes);
    });

    it.each([0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 7])(
      'keeps an object of %d bytes that is settled, whether it is here or there, and after a kill',
      async (length) => {
        await fill(storage, a, pattern(length));
        storage.settle(a, length, true);
        await subject.moved();
        expect(await read(storage, whole(a, length), 0, length)).toEqual(pattern(length));
        expect(await read(storage, whole(a, length), 0, length)).toEqual(pattern(length));
        const again = await subject.reopen();
        again.settle(a, length, true);
        expect(await read(again, whole(a, length), 0, length)).toEqual(pattern(length));
      },
    );

    it('goes on where it was recorded, again and again, while what came before is settled', async () => {
      const bytes = pattern(4_321);
      await storage.create(a);
      let at = 0;
      for (const step of [700, 324, 1, 1_023, 2_000, 273]) {
        const writer = await storage.open(a, at);
        await writer.write(bytes.subarray(at, at + step), at);
        await writer.sync();
        // Comes after the record, and is cut off.
        await writer.write(pattern(1_500, 9), at + step);
        await writer.close();
        at += step;
        storage.settle(a, at, at === bytes.byteLength);
        await subject.moved();
      }
      expect(await read(storage, whole(a, at), 0, at)).toEqual(bytes);
    });

    it('cuts off what a kill left beyond what was recorded', async () => {
      await storage.create(a);
      const writer = await storage.open(a, 0);
      await writer.write(pattern(3_000), 0);
      await writer.sync();
      const again = await subject.reopen();
      const next = await again.open(a, 1_500);
      await next.write(pattern(100, 2), 1_500);
      await next.sync();
      await next.close();
      await writer.close();
      const expected = Buffer.concat([pattern(3_000).subarray(0, 1_500), pattern(100, 2)]);
      expect(await read(again, whole(a, 1_600), 0, 1_600)).toEqual(expected);
      await expect(read(again, whole(a, 1_601), 0, 1_601)).rejects.toBeInstanceOf(StorageDamaged);
    });

    it('refuses to open an object that is shorter than what was recorded, or gone', async () => {
      await fill(storage, a, pattern(900));
      await expect(storage.open(a, 901)).rejects.toBeInstanceOf(StorageDamaged);
      expect(await read(storage, whole(a, 900), 0, 900)).toEqual(pattern(900));
      await expect(storage.open(b, 0)).rejects.toBeInstanceOf(StorageDamaged);
      await expect(storage.open(b, 10)).rejects.toBeInstanceOf(StorageDamaged);
    });

    it('says that an object is damaged when it is read beyond what is there', async () => {
      await fill(storage, a, pattern(2_000));
      await expect(read(storage, whole(a, 2_001), 0, 2_001)).rejects.toBeInstanceOf(StorageDamaged);
      storage.settle(a, 2_000, true);
      await subject.moved();
      await expect(read(storage, whole(a, 2_001), 0, 2_001)).rejects.toBeInstanceOf(StorageDamaged);
      await expect(read(storage, whole(a, 9_000), 8_000, 9_000)).rejects.toBeInstanceOf(StorageDamaged);
      await expect(read(storage, whole(b, 1), 0, 1)).rejects.toBeInstanceOf(StorageDamaged);
    });

    it('never makes an object over one that is there', async () => {
      await fill(storage, a, pattern(10));
      await expect(storage.create(a)).rejects.toThrow('EEXIST');
      expect(await read(storage, whole(a, 10), 0, 10)).toEqual(pattern(10));
    });

    it('reads and lends any range of any extents as if they lay end to end', async () => {
      const contentOf = (object: ObjectId): Buffer => (object === a ? pattern(5_000, 1) : pattern(3_000, 2));
      for (const object of [a, b]) {
        await fill(storage, object, contentOf(object));
        storage.settle(object, contentOf(object).byteLength, true);
      }
      await subject.moved();
      const extent = fc
        .record({ object: fc.constantFrom(a, b), start: fc.nat(2_000), bytes: fc.nat(1_000) })
        .map((made): Extent => made);
      const some = [fc.array(extent, { maxLength: 6 }), fc.nat(), fc.nat()] as const;
      await fc.assert(
        fc.asyncProperty(...some, async (extents, x, y) => {
          const model = Buffer.concat(
            extents.map(({ object, start, bytes }) => contentOf(object).subarray(start, start + bytes)),
          );
          const start = x % (model.byteLength + 1);
          const end = start + (y % (model.byteLength - start + 1));
          expect(await read(storage, extents, start, end)).toEqual(model.subarray(start, end));
          expect(await storage.lend(extents, start, end, lent)).toEqual(model.subarray(start, end));
          const last = model.byteLength;
          await expect(storage.lend(extents, 0, last + 1, lent)).rejects.toThrow(RangeError);
          await expect(storage.lend(extents, 1, 0, lent)).rejects.toThrow(RangeError);
        }),
        { numRuns: 40 },
      );
    });

    it('lends what stays where it is until it is given back, to many at once, and passes on what they say', async () => {
      const bytes = pattern(4_000);
      await fill(storage, a, bytes);
      storage.settle(a, 4_000, true);
      await subject.moved();
      const all = await Promise.all(
        Array.from({ length: 8 }, (_, n) =>
          storage.lend(whole(a, 4_000), n * 400, 4_000, async (ranges) => {
            await sleep(n);
            return lent(ranges);
          }),
        ),
      );
      for (const [n, one] of all.entries()) expect(one).toEqual(bytes.subarray(n * 400));
      const failing = storage.lend(whole(a, 10), 0, 10, () => Promise.reject(new Error('no use')));
      await expect(failing).rejects.toThrow('no use');
    });

    it('takes what a worker fills by its path, and keeps all of it when it is settled', async () => {
      await storage.create(a);
      await writeFile(storage.pathOf(a), pattern(2_500));
      expect(await storage.lend(whole(a, 2_500), 900, 2_500, lent)).toEqual(pattern(2_500).subarray(900));
      storage.settle(a, Number.POSITIVE_INFINITY, true);
      await subject.moved();
      expect(await read(storage, whole(a, 2_500), 0, 2_500)).toEqual(pattern(2_500));
      const again = await subject.reopen();
      again.settle(a, Number.POSITIVE_INFINITY, true);
      expect(await again.lend(whole(a, 2_500), 1_020, 1_030, lent)).toEqual(
        pattern(2_500).subarray(1_020, 1_030),
      );
    });

    it('does not touch a chunk before the next one is asked for', async () => {
      const bytes = pattern(5_000);
      await fill(storage, a, bytes);
      storage.settle(a, 5_000, true);
      await subject.moved();
      const chunks: { readonly seen: Buffer; readonly chunk: Uint8Array }[] = [];
      for await (const chunk of storage.read(whole(a, 5_000), 0, 5_000)) {
        const seen = Buffer.from(chunk);
        await sleep(5);
        chunks.push({ seen, chunk: Uint8Array.from(chunk) });
      }
      for (const { seen, chunk } of chunks) expect(seen.equals(chunk)).toBe(true);
      expect(Buffer.concat(chunks.map(({ seen }) => seen))).toEqual(bytes);
    });

    it('takes no name that could leave its folder', async () => {
      for (const name of ['', '..', '../x', 'a/b', 'A', 'a'.repeat(65), 'a\0']) {
        await expect(storage.create(name as ObjectId)).rejects.toBeInstanceOf(TypeError);
        await expect(storage.remove(name as ObjectId)).rejects.toBeInstanceOf(TypeError);
      }
    });

    it('lists every object, and none that was removed; removing twice is no error', async () => {
      for (const object of [a, b, ab]) await fill(storage, object, pattern(2_500));
      storage.settle(a, 2_500, true);
      storage.settle(ab, 2_500, true);
      await subject.moved();
      expect(await listed(storage)).toEqual([a, ab, b]);
      await storage.remove(a);
      await storage.remove(b);
      await storage.remove(b);
      expect(await listed(storage)).toEqual([ab]);
      const again = await subject.reopen();
      expect(await listed(again)).toEqual([ab]);
      await expect(read(again, whole(a, 1), 0, 1)).rejects.toBeInstanceOf(StorageDamaged);
      expect(await read(again, whole(ab, 2_500), 0, 2_500)).toEqual(pattern(2_500));
    });

    it('removes an object at once that is just being settled, and nothing of it comes back', async () => {
      await fill(storage, a, pattern(4_500));
      storage.settle(a, 4_500, true);
      await storage.remove(a);
      await subject.moved();
      expect(await listed(storage)).toEqual([]);
      storage.settle(a, 4_500, true);
      await subject.moved();
      expect(await listed(storage)).toEqual([]);
    });

    it('has room, and knows how much the disk has', async () => {
      expect(storage.room(new AbortController().signal)).toBeUndefined();
      const { freeBytes, totalBytes } = await storage.space();
      expect(freeBytes).toBeGreaterThan(0);
      expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
      expect(storage.footprint(100)).toBe(100);
      expect(storage.footprint(2 ** 40)).toBeLessThanOrEqual(2 ** 40);
    });
  });
}

export function pattern(bytes: number, seed = 1): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 8) * 17 + seed * 101) % 251),
  );
}

export function whole(object: ObjectId, bytes: number): Extent[] {
  return [{ object, start: 0, bytes }];
}

export async function fill(storage: Storage, object: ObjectId, bytes: Uint8Array): Promise<void> {
  await storage.create(object);
  const writer = await storage.open(object, 0);
  await writer.write(bytes, 0);
  await writer.sync();
  await writer.close();
}

export async function read(
  storage: Storage,
  extents: readonly Extent[],
  start: number,
  end: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.read(extents, start, end)) {
    expect(chunk.byteLength).toBeGreaterThan(0);
    expect(chunk.byteLength).toBeLessThanOrEqual(1024 * 1024);
    chunks.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(chunks);
}

export function lent(ranges: FileRange[]): Promise<Buffer> {
  return Promise.resolve(
    Buffer.concat(
      ranges.map(({ path, start, bytes }) => {
        const part = readFileSync(path).subarray(start, start + bytes);
        expect(part.byteLength).toBe(bytes);
        return part;
      }),
    ),
  );
}

async function listed(storage: Storage): Promise<ObjectId[]> {
  const names = new Set<ObjectId>();
  for await (const name of storage.list()) names.add(name);
  return [...names].sort();
}
