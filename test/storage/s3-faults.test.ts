import { readdirSync, readlinkSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDiskStorage } from '../../src/storage/disk.ts';
import { StorageBehind, StorageDamaged, StorageUnreachable } from '../../src/storage/errors.ts';
import { openS3Storage, type S3Options } from '../../src/storage/s3.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { type S3Call, S3Double, type S3DoubleOptions, type S3Fault } from '../support/s3-double.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { openS3Subject, type S3Subject } from './s3-subject.ts';
import { fill, lent, pattern, read, SEGMENT, whole } from './storage.contract.ts';

const a = 'u-a' as ObjectId;
const d = 'd-d' as ObjectId;
/** Small parts: a segment is four of them. */
const parts = { partBytes: SEGMENT / 4 };
const nothingKept = { ...parts, spoolBytesMax: 1 };

/** What a descriptor of this process is of. */
function pathOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

describe('S3 storage', () => {
  let s3: S3Double;
  const opened: S3Subject[] = [];
  beforeEach(async () => {
    s3 = await S3Double.start();
  });
  afterEach(async () => {
    vi.useRealTimers();
    for (const subject of opened.splice(0)) await subject.close();
    await s3.stop();
  });

  async function open(options: Partial<S3Options> = nothingKept): Promise<S3Subject> {
    const subject = await openS3Subject(s3, options);
    opened.push(subject);
    return subject;
  }

  /** From now on the first `times` requests of a kind go wrong. */
  function fail(call: S3Call, fault: S3Fault, times: number): { readonly left: () => number } {
    let left = times;
    s3.options.fault = (one) => (one === call && left-- > 0 ? fault : undefined);
    return { left: () => Math.max(0, left) };
  }

  /** Files in the spool that are not copies. */
  const spooled = ({ folder }: S3Subject): string[] => {
    const objects = join(folder, 'objects');
    return readdirSync(objects)
      .flatMap((bucket) => readdirSync(join(objects, bucket)))
      .sort();
  };

  /** What S3 has, by the order of its keys. */
  const inOrder = (): Buffer =>
    Buffer.concat([...s3.objects.keys()].sort().map((key) => s3.objects.get(key) ?? Buffer.alloc(0)));

  it('makes one object of each full segment and of the rest, named after the upload', async () => {
    const { storage, moved } = await open({ ...nothingKept, prefix: 'site/' });
    await fill(storage, a, pattern(3 * SEGMENT + 10));
    storage.settle(a, 3 * SEGMENT + 10, false);
    await moved();
    expect([...s3.objects.keys()].sort()).toEqual(['site/u-a-0', 'site/u-a-1', 'site/u-a-2']);
    storage.settle(a, 3 * SEGMENT + 10, true);
    await moved();
    expect([...s3.objects.keys()].sort()).toEqual(['site/u-a-0', 'site/u-a-1', 'site/u-a-2', 'site/u-a-3']);
    expect(inOrder()).toEqual(pattern(3 * SEGMENT + 10));
    expect(s3.count('UploadPart')).toBe(13);
    expect(s3.uploads.size).toBe(0);
  });

  it('has no more than some files open, however much is written without a sync', async () => {
    const { storage, folder } = await open();
    const openFiles = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => pathOf(fd).startsWith(join(folder, 'objects'))).length;
    await storage.create(a);
    const writer = await storage.open(a, 0);
    for (let at = 0; at < 100; at++) await writer.write(pattern(SEGMENT, at), at * SEGMENT);
    writer.writeSync(pattern(50 * SEGMENT, 3), 100 * SEGMENT);
    await until(() => openFiles() <= 8);
    await writer.sync();
    expect(openFiles()).toBe(1);
    await writer.close();
    expect(openFiles()).toBe(0);
    const written = await read(storage, whole(a, 150 * SEGMENT), 0, 150 * SEGMENT);
    expect(written.subarray(100 * SEGMENT)).toEqual(pattern(50 * SEGMENT, 3));
    expect(written.subarray(7 * SEGMENT, 8 * SEGMENT)).toEqual(pattern(SEGMENT, 7));
  });

  it('keeps a segment in the spool until S3 was asked for it and had it', async () => {
    const subject = await open();
    const asked: string[][] = [];
    s3.options.fault = (call) => {
      if (call === 'HeadObject') asked.push(spooled(subject));
      return undefined;
    };
    await fill(subject.storage, a, pattern(SEGMENT));
    subject.storage.settle(a, SEGMENT, true);
    await subject.moved();
    expect(asked).toEqual([['u-a-0']]);
    await until(() => subject.storage.load.spoolBytes === 0);
    await until(() => spooled(subject).length === 0);
  });

  const calls: S3Call[] = [
    'CreateMultipartUpload',
    'UploadPart',
    'ListParts',
    'CompleteMultipartUpload',
    'HeadObject',
  ];
  const faults: S3Fault[] = ['refuse', 'cut', 'lose', 'hang'];
  it.each(calls.flatMap((call) => faults.map((fault) => [call, fault] as const)))(
    'moves everything in the end when %s gets %s',
    async (call, fault) => {
      const { storage, moved } = await open({ ...nothingKept, silenceMs: 200 });
      // More often than the SDK tries by itself.
      const { left } = fail(call, fault, 5);
      await fill(storage, a, pattern(2 * SEGMENT + 700));
      storage.settle(a, 2 * SEGMENT + 700, true);
      await moved();
      expect(left()).toBe(0);
      expect(await read(storage, whole(a, 2 * SEGMENT + 700), 0, 2 * SEGMENT + 700)).toEqual(
        pattern(2 * SEGMENT + 700),
      );
    },
  );

  it('leaves no hole when S3 lists fewer parts than it has', async () => {
    const { storage, moved } = await open();
    const { left } = fail('ListParts', 'stale', 3);
    await fill(storage, a, pattern(SEGMENT));
    storage.settle(a, SEGMENT, true);
    await moved();
    expect(left()).toBe(0);
    expect([...s3.objects.values()]).toEqual([pattern(SEGMENT)]);
  });

  it('sends only those parts again that S3 does not have', async () => {
    const { storage, moved } = await open();
    let parts = 0;
    // The first of four, with the SDK's own tries.
    s3.options.fault = (call) => (call === 'UploadPart' && parts++ < 1 ? 'hang' : undefined);
    const subject = await openS3Subject(s3, { ...nothingKept, silenceMs: 200 });
    opened.push(subject);
    await fill(subject.storage, a, pattern(SEGMENT));
    subject.storage.settle(a, SEGMENT, true);
    await subject.moved();
    await moved();
    expect(s3.count('UploadPart')).toBe(5);
    expect([...s3.objects.values()]).toEqual([pattern(SEGMENT)]);
    expect(storage.load.spoolBytes).toBe(0);
  });

  it('takes everything while S3 is down, and moves it when that is back', async () => {
    const subject = await open();
    const port = Number(new URL(s3.endpoint).port);
    await s3.stop();
    const { storage } = subject;
    await fill(storage, a, pattern(5 * SEGMENT + 1));
    storage.settle(a, 5 * SEGMENT + 1, true);
    expect(await read(storage, whole(a, 5 * SEGMENT + 1), 0, 5 * SEGMENT + 1)).toEqual(
      pattern(5 * SEGMENT + 1),
    );
    expect(storage.load.waiting + storage.load.underWay).toBe(6);
    s3 = await S3Double.start({ port });
    await subject.moved();
    expect(s3.objects.size).toBe(6);
    expect(await read(storage, whole(a, 5 * SEGMENT + 1), 0, 5 * SEGMENT + 1)).toEqual(
      pattern(5 * SEGMENT + 1),
    );
  });

  it('begins, and takes uploads, while S3 is down', async () => {
    await s3.stop();
    const { storage } = await open();
    await fill(storage, a, pattern(100));
    expect(await read(storage, whole(a, 100), 0, 100)).toEqual(pattern(100));
    await expect(read(storage, whole(d, 1), 0, 1)).rejects.toBeInstanceOf(StorageUnreachable);
    s3 = await S3Double.start();
  });

  describe('after a kill', () => {
    it.each([
      ['before anything was sent', undefined],
      ['while a part was sent', 'UploadPart'],
      ['before it was completed', 'CompleteMultipartUpload'],
      ['before S3 was asked for it', 'HeadObject'],
    ] as const)('%s has everything, here or in S3', async (_, at) => {
      const subject = await open({ ...parts });
      s3.options.fault = (call) => (call === (at ?? 'CreateMultipartUpload') ? 'hang' : undefined);
      await fill(subject.storage, a, pattern(3 * SEGMENT));
      subject.storage.settle(a, 3 * SEGMENT, true);
      await until(() => at === undefined || s3.count(at) > 2);
      delete s3.options.fault;
      const again = await subject.reopen();
      again.settle(a, 3 * SEGMENT, true);
      await subject.moved();
      expect(await read(again, whole(a, 3 * SEGMENT), 0, 3 * SEGMENT)).toEqual(pattern(3 * SEGMENT));
      expect(inOrder()).toEqual(pattern(3 * SEGMENT));
      await until(() => s3.uploads.size === 0);
    });

    it('between the last part and taking the file away sends nothing again', async () => {
      const subject = await open({ ...parts });
      await fill(subject.storage, a, pattern(3 * SEGMENT));
      subject.storage.settle(a, 3 * SEGMENT, true);
      await subject.moved();
      expect(spooled(subject)).toEqual(['u-a-0', 'u-a-1', 'u-a-2']);
      const sent = s3.count('UploadPart');
      const again = await subject.reopen();
      again.settle(a, 3 * SEGMENT, true);
      await subject.moved();
      expect(s3.count('UploadPart')).toBe(sent);
    });

    it('trusts no copy that it fetched before', async () => {
      const subject = await open({ ...parts, spoolBytesMax: 6 * SEGMENT });
      await fill(subject.storage, a, pattern(5 * SEGMENT));
      subject.storage.settle(a, 5 * SEGMENT, true);
      await subject.moved();
      await subject.storage.lend(whole(a, 10), 0, 10, () => Promise.resolve());
      const fetched = join(subject.folder, 'fetched');
      const [copy = '', ...others] = readdirSync(fetched);
      expect(others).toEqual([]);
      await writeFile(join(fetched, copy), pattern(SEGMENT, 7));
      const again = await subject.reopen();
      expect(await read(again, whole(a, 10), 0, 10)).toEqual(pattern(10));
    });

    it('gives up what it half sent, and what is too old, and nothing of anybody else', async () => {
      const subject = await open({ ...nothingKept, prefix: 'site/' });
      const { storage } = subject;
      await fill(storage, a, pattern(10));
      const half = (key: string, ageHours: number): void => {
        const initiated = new Date(Date.now() - ageHours * 3_600_000);
        s3.uploads.set(key, { key, initiated, parts: new Map() });
      };
      half('site/u-a-0', 0);
      half('site/u-gone-0', 25);
      half('site/u-elsewhere-0', 1);
      half('site/Someone-else', 99);
      half('other/u-x-0', 99);
      s3.options.pageMax = 1;
      await subject.reopen();
      await until(() => s3.uploads.size === 3);
      expect([...s3.uploads.keys()]).toEqual(['site/u-elsewhere-0', 'site/Someone-else', 'other/u-x-0']);
    });
  });

  it('says that an object is damaged when a segment is missing in S3 or too short', async () => {
    const { storage, moved } = await open({ ...nothingKept, prefix: '' });
    await fill(storage, a, pattern(3 * SEGMENT));
    storage.settle(a, 3 * SEGMENT, true);
    await moved();
    const all = whole(a, 3 * SEGMENT);
    s3.objects.set('u-a-1', pattern(SEGMENT).subarray(0, 500));
    await expect(read(storage, all, 0, 2_000)).rejects.toBeInstanceOf(StorageDamaged);
    await expect(storage.lend(all, 0, 2_000, lent)).rejects.toBeInstanceOf(StorageDamaged);
    expect(await read(storage, all, 0, SEGMENT)).toEqual(pattern(SEGMENT));
    s3.objects.delete('u-a-1');
    await expect(read(storage, all, 1_500, 3_000)).rejects.toBeInstanceOf(StorageDamaged);
    await expect(storage.lend(all, 1_500, 3_000, lent)).rejects.toBeInstanceOf(StorageDamaged);
    expect(await read(storage, all, 2 * SEGMENT, 3 * SEGMENT)).toEqual(
      pattern(3 * SEGMENT).subarray(2 * SEGMENT),
    );
  });

  it('reads on where an answer broke', async () => {
    const { storage, moved } = await open();
    await fill(storage, a, pattern(2 * SEGMENT));
    storage.settle(a, 2 * SEGMENT, true);
    await moved();
    const { left } = fail('GetObject', 'cut', 3);
    expect(await read(storage, whole(a, 2 * SEGMENT), 100, 2_000)).toEqual(pattern(2_000).subarray(100));
    expect(left()).toBe(0);
  });

  it('says that S3 cannot be reached when it is not, whoever wants something of it, and goes on after', async () => {
    const { storage, moved } = await open();
    await fill(storage, a, pattern(2 * SEGMENT));
    storage.settle(a, 2 * SEGMENT, true);
    await moved();
    s3.options.fault = () => 'refuse';
    await expect(read(storage, whole(a, 10), 0, 10)).rejects.toBeInstanceOf(StorageUnreachable);
    await expect(storage.lend(whole(a, 10), 0, 10, lent)).rejects.toBeInstanceOf(StorageUnreachable);
    await expect(storage.remove(a)).rejects.toBeInstanceOf(StorageUnreachable);
    delete s3.options.fault;
    expect(await storage.lend(whole(a, 10), 0, 10, lent)).toEqual(pattern(10));
    await storage.remove(a);
    expect(s3.objects.size).toBe(0);
  });

  it('fetches a segment once for all who want it at the same time', async () => {
    const { storage, moved } = await open();
    await fill(storage, a, pattern(3 * SEGMENT));
    storage.settle(a, 3 * SEGMENT, true);
    await moved();
    const all = await Promise.all(
      Array.from({ length: 10 }, () => storage.lend(whole(a, 3 * SEGMENT), 0, 3 * SEGMENT, lent)),
    );
    for (const one of all) expect(one).toEqual(pattern(3 * SEGMENT));
    expect(s3.count('GetObject')).toBe(3);
    await until(() => storage.load.spoolBytes === 0);
  });

  it('keeps the last segments for who comes right behind, and no more than its share', async () => {
    const { storage, moved } = await open({ ...parts, spoolBytesMax: 10 * SEGMENT });
    await fill(storage, a, pattern(20 * SEGMENT));
    storage.settle(a, 20 * SEGMENT, true);
    await moved();
    expect(storage.load.spoolBytes).toBe(5 * SEGMENT);
    const before = s3.count('GetObject');
    const bytes = pattern(20 * SEGMENT);
    for (let at = 0; at < 20; at++) {
      const part = await read(storage, whole(a, 20 * SEGMENT), at * SEGMENT, (at + 1) * SEGMENT);
      expect(part).toEqual(bytes.subarray(at * SEGMENT, (at + 1) * SEGMENT));
    }
    expect(s3.count('GetObject') - before).toBe(15);
  });

  describe('whose spool is full', () => {
    const full = async (): Promise<S3Subject> => {
      s3.options.fault = (call) => (call === 'CreateMultipartUpload' ? 'hang' : undefined);
      const subject = await open({ ...parts, spoolBytesMax: 2 * SEGMENT, silenceMs: 200 });
      await fill(subject.storage, a, pattern(3 * SEGMENT));
      return subject;
    };
    const never = new AbortController().signal;

    it('lets writers go on until there is something to wait for', async () => {
      const { storage } = await full();
      expect(storage.room(never)).toBeUndefined();
      storage.settle(a, SEGMENT, false);
      expect(storage.room(never)).toBeInstanceOf(Promise);
    });

    it('has room again when S3 took something', async () => {
      const { storage } = await full();
      storage.settle(a, 3 * SEGMENT, true);
      const room = storage.room(never);
      delete (s3.options as S3DoubleOptions).fault;
      await room;
      expect(storage.room(never)).toBeUndefined();
    });

    it('tells a writer after half a minute to come back', async () => {
      const { storage } = await full();
      storage.settle(a, 3 * SEGMENT, true);
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const outcome = expect(storage.room(never)).rejects.toBeInstanceOf(StorageBehind);
      vi.advanceTimersByTime(30_000);
      await outcome;
    });

    it('lets a writer go that has something better to do', async () => {
      const { storage } = await full();
      storage.settle(a, 3 * SEGMENT, true);
      const stop = new AbortController();
      const outcome = expect(storage.room(stop.signal)).rejects.toThrow('taken over');
      stop.abort(new Error('taken over'));
      await outcome;
    });
  });

  it('removes all of an upload that went on when nothing of it was here any more', async () => {
    const { storage, moved } = await open();
    await fill(storage, a, pattern(2 * SEGMENT));
    storage.settle(a, 2 * SEGMENT, false);
    await moved();
    await until(() => storage.load.spoolBytes === 0);
    const writer = await storage.open(a, 2 * SEGMENT);
    await writer.write(pattern(10), 2 * SEGMENT);
    await writer.sync();
    await writer.close();
    await storage.remove(a);
    expect([...s3.objects.keys()]).toEqual([]);
  });

  it('removes later what S3 did not let go when it was asked', async () => {
    const b = 'u-b' as ObjectId;
    const { storage, moved } = await open({ ...nothingKept, prefix: '', removeRetryMs: 10 });
    for (const object of [a, b]) {
      await fill(storage, object, pattern(SEGMENT));
      storage.settle(object, SEGMENT, true);
    }
    await moved();
    s3.options.fault = (call) => (call === 'ListMultipartUploads' ? 'refuse' : undefined);
    await expect(storage.remove(a)).rejects.toBeInstanceOf(StorageUnreachable);
    await expect(storage.remove(b)).rejects.toBeInstanceOf(StorageUnreachable);
    expect(s3.objects.size).toBe(2);
    delete s3.options.fault;
    await until(() => s3.objects.size === 0);
  });

  it('leaves a bucket alone that its spool does not belong to', async () => {
    const { storage, options, moved } = await open({ ...nothingKept, prefix: 'site/' });
    await fill(storage, a, pattern(SEGMENT));
    storage.settle(a, SEGMENT, true);
    await moved();
    await expect(openS3Storage({ ...options, prefix: 'another/' })).rejects.toThrow(
      /begun with studies\/site\//,
    );
    await expect(openS3Storage({ ...options, bucket: 'other' })).rejects.toThrow(
      /begun with studies\/site\//,
    );
    expect(s3.objects.size).toBe(1);
  });

  it('and disk storage each leave a folder alone that the other began', async () => {
    const folder = await openTempFolder();
    try {
      const disk = await openDiskStorage(folder.file('disk'));
      await open({ ...parts, folder: folder.file('disk') });
      await rm(folder.file('disk', 'spool'), { recursive: true });
      await disk.create(a);
      await expect(open({ ...parts, folder: folder.file('disk') })).rejects.toThrow('storage.kind disk');
      await open({ ...parts, folder: folder.file('s3') });
      await expect(openDiskStorage(folder.file('s3'))).rejects.toThrow('storage.kind s3');
    } finally {
      await folder.remove();
    }
  });
});
