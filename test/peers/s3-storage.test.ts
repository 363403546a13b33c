import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { truncate, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StorageDamaged, StorageUnreachable } from '../../src/storage/errors.ts';
import { partBytes, segmentBytes } from '../../src/storage/limits.ts';
import type { S3Options } from '../../src/storage/s3.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { openS3Subject, type S3Subject } from '../storage/s3-subject.ts';
import { fill, lent, pattern, read, SEGMENT, storageContract, whole } from '../storage/storage.contract.ts';
import { startChild } from '../support/child.ts';
import { openFaultProxy } from '../support/fault-proxy.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { openSmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

const a = 'u-a' as ObjectId;
const nothingKept = { spoolBytesMax: 1 };
const MiB = 1024 * 1024;

let s3: S3Server;
beforeAll(async () => {
  s3 = await startS3Server();
});
afterAll(() => s3.stop());

describe.each([
  ['that keeps what S3 has for a while', {}],
  ['that keeps nothing of what S3 has', nothingKept],
  ['without checksums of S3', { requestChecksumCalculation: 'WHEN_REQUIRED' as const }],
])('S3 storage %s', (_, options) => {
  storageContract('in versitygw, as every storage', () => openS3Subject(s3, options));
});

describe('S3 storage in versitygw', () => {
  const opened: S3Subject[] = [];
  afterEach(async () => {
    for (const subject of opened.splice(0)) await subject.close();
  });
  async function open(options: Partial<S3Options> = {}, place = s3): Promise<S3Subject> {
    const subject = await openS3Subject(place, { ...nothingKept, ...options });
    opened.push(subject);
    return subject;
  }
  /** The file that versitygw keeps of a segment. */
  const fileOf = ({ options }: S3Subject, number: number): string =>
    join(s3.objects, `${options.prefix}${a}-${number.toString()}`);

  it('moves an upload of more than three segments of their full size while it is written', async () => {
    const subject = await open({ segmentBytes, partBytes, spoolBytesMax: 2 * segmentBytes });
    const { storage } = subject;
    const length = 3 * segmentBytes + 5_000_000;
    const slab = pattern(4 * 1024 * 1024);
    const never = new AbortController().signal;
    await storage.create(a);
    const writer = await storage.open(a, 0);
    const sent = createHash('sha256');
    for (let at = 0; at < length; at += slab.byteLength) {
      await storage.room(never);
      slab.writeUInt32BE(at / slab.byteLength, 0);
      const part = slab.subarray(0, Math.min(slab.byteLength, length - at));
      await writer.write(part, at);
      sent.update(part);
      await writer.sync();
      storage.settle(a, at + part.byteLength, at + part.byteLength === length);
    }
    await writer.close();
    await subject.moved();
    expect(storage.load.spoolBytes).toBeLessThanOrEqual(segmentBytes);
    expect(
      readdirSync(dirname(fileOf(subject, 0))).filter((name) =>
        name.startsWith(basename(fileOf(subject, 0)).slice(0, -1)),
      ),
    ).toHaveLength(4);
    const got = createHash('sha256');
    for await (const chunk of storage.read(whole(a, length), 0, length)) got.update(chunk);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
    for (const border of [segmentBytes, 2 * segmentBytes, 3 * segmentBytes]) {
      const around = await read(storage, whole(a, length), border - 100_000, border + 100_000);
      expect(await storage.lend(whole(a, length), border - 100_000, border + 100_000, lent)).toEqual(around);
    }
  });

  it('takes everything while S3 is down, and moves it when that is back', async () => {
    const subject = await open();
    const { storage } = subject;
    await fill(storage, a, pattern(4 * SEGMENT));
    storage.settle(a, SEGMENT, false);
    await subject.moved();
    await s3.kill();
    try {
      storage.settle(a, 4 * SEGMENT, true);
      await expect(read(storage, whole(a, 10), 0, 10)).rejects.toBeInstanceOf(StorageUnreachable);
      expect(await read(storage, whole(a, 4 * SEGMENT), SEGMENT, 4 * SEGMENT)).toEqual(
        pattern(4 * SEGMENT).subarray(SEGMENT),
      );
      expect(storage.load.waiting + storage.load.underWay).toBe(3);
    } finally {
      await s3.start();
    }
    await subject.moved();
    expect(await read(storage, whole(a, 4 * SEGMENT), 0, 4 * SEGMENT)).toEqual(pattern(4 * SEGMENT));
  });

  it('gets every byte there over a line that is cut, stalls and flips bits', async () => {
    const proxy = await openFaultProxy({
      target: { host: '127.0.0.1', port: Number(new URL(s3.endpoint).port) },
    });
    try {
      const endpoint = `http://127.0.0.1:${proxy.port.toString()}`;
      const segment = 8 * 1024 * 1024;
      const options = { segmentBytes: segment, partBytes: segment, silenceMs: 500 };
      const subject = await open(options, { ...s3, endpoint });
      const { storage } = subject;
      const bytes = pattern(2 * segment + 100);
      await fill(storage, a, bytes);
      proxy.cutAfterBytesUp(1_000_000, 'reset');
      storage.settle(a, segment, false);
      await subject.moved();
      proxy.flipAfterBytesUp(3_000_000);
      storage.settle(a, 2 * segment, false);
      await subject.moved();
      proxy.stall();
      storage.settle(a, bytes.byteLength, true);
      await until(() => storage.load.underWay === 1);
      proxy.unstall();
      await subject.moved();
      proxy.cutAfterBytesDown(5_000_000, 'reset');
      expect((await read(storage, whole(a, bytes.byteLength), 0, bytes.byteLength)).equals(bytes)).toBe(true);
      proxy.cutAfterBytesDown(2_000_000, 'fin');
      expect((await storage.lend(whole(a, bytes.byteLength), 0, bytes.byteLength, lent)).equals(bytes)).toBe(
        true,
      );
      expect(proxy.cuts).toBe(3);
    } finally {
      await proxy.close();
    }
  });

  it('says that an object is damaged when a segment is missing or too short', async () => {
    const subject = await open();
    const { storage } = subject;
    const all = whole(a, 3 * SEGMENT);
    await fill(storage, a, pattern(3 * SEGMENT));
    storage.settle(a, 3 * SEGMENT, true);
    await subject.moved();
    await truncate(fileOf(subject, 1), 500);
    await expect(read(storage, all, 0, 2_000)).rejects.toBeInstanceOf(StorageDamaged);
    await expect(storage.lend(all, 0, 2_000, lent)).rejects.toBeInstanceOf(StorageDamaged);
    await unlink(fileOf(subject, 2));
    await expect(read(storage, all, 2 * SEGMENT, 3 * SEGMENT)).rejects.toBeInstanceOf(StorageDamaged);
    await expect(storage.lend(all, 2 * SEGMENT, 3 * SEGMENT, lent)).rejects.toBeInstanceOf(StorageDamaged);
    expect(await read(storage, all, 0, SEGMENT)).toEqual(pattern(SEGMENT));
  });

  it('keeps nothing of what S3 has while the disk is nearly full', async () => {
    const disk = await openSmallDisk('sluis-small-spool', 16);
    try {
      const subject = await open({
        folder: join(disk.path, 'storage'),
        segmentBytes: MiB,
        partBytes: MiB,
        spoolBytesMax: 1024 * MiB,
      });
      const { storage, moved } = subject;
      const bytes = pattern(14 * MiB);
      await fill(storage, a, bytes);
      storage.settle(a, bytes.byteLength, true);
      await moved();
      expect(storage.load.spoolBytes).toBe(bytes.byteLength);
      const { freeBytes, totalBytes } = await storage.space();
      expect(freeBytes).toBeGreaterThanOrEqual(0.3 * totalBytes);
      // No more than it has to.
      expect(storage.load.spoolBytes).toBeGreaterThan(8 * MiB);
      const got = await read(storage, whole(a, bytes.byteLength), 0, bytes.byteLength);
      expect(Buffer.compare(got, bytes)).toBe(0);
    } finally {
      for (const subject of opened.splice(0)) await subject.close();
      await disk.remove();
    }
  });

  it('loses nothing to kill -9, whatever was on its way', async () => {
    const length = 300 * 700;
    const bytes = pattern(length);
    const subject = await open();
    await subject.storage.create(a);
    await subject.storage.stop(AbortSignal.abort());
    const { log: _, ...options } = subject.options;
    const loader = fileURLToPath(new URL('../upload/typescript.mjs', import.meta.url));
    const mover = fileURLToPath(new URL('../storage/killed-mover.ts', import.meta.url));
    let at = 0;
    for (let round = 0; round < 6; round++) {
      const args = [loader, mover, JSON.stringify(options), a, at.toString(), length.toString()];
      const child = await startChild(process.execPath, args, {});
      await child.waitFor(/^recorded/);
      await new Promise((resolve) => setTimeout(resolve, 20 + round * 37));
      child.kill('SIGKILL');
      await child.exited;
      expect(child.stdout).not.toContain('done');
      const before = at;
      at = Math.max(at, ...child.stdout.flatMap((line) => Number(/^recorded (\d+)$/.exec(line)?.[1] ?? 0)));
      expect(at).toBeGreaterThan(before);
      const again = await subject.reopen();
      expect(await read(again, whole(a, at), 0, at)).toEqual(bytes.subarray(0, at));
      await again.stop(AbortSignal.abort());
    }
    const last = await subject.reopen();
    const writer = await last.open(a, at);
    await writer.write(bytes.subarray(at), at);
    await writer.sync();
    await writer.close();
    last.settle(a, length, true);
    await subject.moved();
    expect(await read(last, whole(a, length), 0, length)).toEqual(bytes);
    expect(last.load.spoolBytes).toBe(0);
  });
});
