import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { noteUpload } from '../../src/state/outbox-note.ts';
import { StorageFull, StorageUnreachable } from '../../src/storage/errors.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import {
  BodyBeyondLength,
  OffsetConflict,
  UploadClaimed,
  UploadNotFound,
  UploadsStopping,
  UploadTooLarge,
} from '../../src/upload/errors.ts';
import { until } from '../support/until.ts';
import { alice, alicesColleague, Engine, type EngineOptions, mallory, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';
import { withParts, withWriter } from './wrapped-storage.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('uploads', () => {
  const engines: Engine[] = [];
  afterEach(async () => {
    for (const engine of engines.splice(0)) {
      await engine.remove();
    }
  });
  async function open(options: EngineOptions = {}): Promise<Engine> {
    const engine = await Engine.open(options);
    engines.push(engine);
    return engine;
  }
  async function objects(engine: Engine): Promise<number> {
    let count = 0;
    for await (const _ of engine.storage.list()) {
      count++;
    }
    return count;
  }

  it('keep every byte in its place over several bodies of odd sizes', async () => {
    const engine = await open();
    const bytes = pattern(700_001);
    const { id } = await engine.uploads.create(alice, request(bytes.byteLength));
    let at = 0;
    for (const size of [1, 65_537, 300_000, 0, 334_463]) {
      const body = FakeBody.of(bytes.subarray(at, at + size), 40_000);
      const { offset } = await engine.uploads.append(id, alice, { offset: at }, body);
      at += size;
      expect(offset).toBe(at);
      expect(engine.uploads.head(id, alice).offset).toBe(at);
    }
    expect(engine.record(id).state).toBe('received');
    expect((await engine.bytes(id)).equals(bytes)).toBe(true);
  });

  it('take a body of no declared length', async () => {
    const engine = await open();
    const { id } = await engine.uploads.create(alice, request(10));
    const body = new FakeBody();
    body.send(pattern(10));
    body.end();
    expect((await engine.uploads.append(id, alice, { offset: 0 }, body)).state).toBe('received');
  });

  it('tell the last byte exactly once, in the commit that records it', async () => {
    const offsets: number[] = [];
    const engine = await open({
      hooks: {
        received: (tx, { id }) => {
          offsets.push(tx.get(keys.uploads, id)?.offset ?? -1);
          tx.put(keys.meta, `received ${id}`, 1);
        },
      },
    });
    const { id } = await engine.uploads.create(alice, request(10));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(4)));
    expect(engine.received).toEqual([]);
    await engine.uploads.append(id, alice, { offset: 4 }, FakeBody.of(pattern(6)));
    // A client that lost the last answer asks again with an empty body.
    await engine.uploads.append(id, alice, { offset: 10 }, FakeBody.of(pattern(0)));
    const silentChunked = new FakeBody();
    silentChunked.end();
    await engine.uploads.append(id, alice, { offset: 10 }, silentChunked);
    expect(engine.received).toEqual([id]);
    expect(offsets).toEqual([10]);
    expect(engine.state.get(keys.meta, `received ${id}`)).toBe(1);
  });

  it('receive an upload of no bytes when it is created', async () => {
    const engine = await open();
    const { id, state } = await engine.uploads.create(alice, request(0));
    expect(state).toBe('received');
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(0)));
    expect(engine.received).toEqual([id]);
    expect(await engine.bytes(id)).toEqual(Buffer.alloc(0));
  });

  it('do not record the last byte when what follows from it cannot be recorded', async () => {
    const engine = await open({
      hooks: {
        received: () => {
          throw new Error('no');
        },
      },
    });
    const { id } = await engine.uploads.create(alice, request(5));
    await expect(engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(5)))).rejects.toThrow(
      'no',
    );
    expect(engine.uploads.head(id, alice)).toMatchObject({ offset: 0, state: 'receiving' });
  });

  it('publish while a body runs, by bytes and by time, and never backwards', async () => {
    const engine = await open({ settings: { checkpointBytes: 64 * KiB, checkpointMs: 20 } });
    const { id } = await engine.uploads.create(alice, request(1_000_000));
    const body = new FakeBody(1_000_000);
    const appending = engine.uploads.append(id, alice, { offset: 0 }, body);
    body.send(pattern(100 * KiB));
    await until(() => engine.uploads.head(id, alice).offset === 100 * KiB);
    body.send(pattern(7, 2));
    await until(() => engine.uploads.head(id, alice).offset === 100 * KiB + 7);
    expect(engine.record(id).state).toBe('receiving');
    body.send(pattern(1_000_000 - 100 * KiB - 7));
    body.end();
    await appending;
    const offsets = engine.published.map(({ offset }) => offset);
    expect(offsets).toEqual([...offsets].sort((x, y) => x - y));
    expect(offsets.at(-1)).toBe(1_000_000);
  });

  it('publish nothing before it is synced', async () => {
    let synced = 0;
    let written = 0;
    const ahead: number[] = [];
    const engine = await open({
      settings: { checkpointBytes: 1 },
      wrap: (disk) =>
        withWriter(disk, (writer) => ({
          write: async (chunk, position) => {
            await writer.write(chunk, position);
            written = Math.max(written, position + chunk.byteLength);
          },
          sync: async () => {
            const reaches = written;
            await writer.sync();
            await new Promise((resolve) => setTimeout(resolve, 5));
            synced = reaches;
          },
        })),
      hooks: { published: (_id, offset) => ahead.push(offset - synced) },
    });
    const { id } = await engine.uploads.create(alice, request(50_000));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(50_000), 1000));
    expect(ahead.length).toBeGreaterThan(1);
    expect(Math.max(...ahead)).toBeLessThanOrEqual(0);
  });

  it('write no further ahead of a slow sync than one checkpoint and what is in flight', async () => {
    const chunk = 16 * KiB;
    const checkpointBytes = 64 * KiB;
    let written = 0;
    let recorded = 0;
    let furthest = 0;
    const engine = await open({
      settings: { checkpointBytes },
      wrap: (disk) =>
        withWriter(disk, (writer) => ({
          write: async (bytes, position) => {
            await writer.write(bytes, position);
            written = position + bytes.byteLength;
            furthest = Math.max(furthest, written - recorded);
          },
          sync: async () => {
            await new Promise((resolve) => setTimeout(resolve, 20));
            await writer.sync();
          },
        })),
      hooks: {
        published: (_id, offset) => {
          recorded = offset;
        },
      },
    });
    const { id } = await engine.uploads.create(alice, request(MiB));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(MiB), chunk));
    expect(engine.published.length).toBeGreaterThan(5);
    // What a running checkpoint covers, as much again, and two writes.
    expect(furthest).toBeLessThanOrEqual(2 * checkpointBytes + 2 * chunk);
    expect((await engine.bytes(id)).equals(pattern(MiB))).toBe(true);
  });

  it('keep what arrived when the peer vanishes, and go on from there', async () => {
    const engine = await open();
    const bytes = pattern(50_000);
    const { id } = await engine.uploads.create(alice, request(50_000));
    const body = new FakeBody(50_000);
    const appending = engine.uploads.append(id, alice, { offset: 0 }, body);
    body.send(bytes.subarray(0, 20_000));
    body.send(bytes.subarray(20_000, 33_333));
    body.vanish();
    await expect(appending).rejects.toThrow('the peer is gone');
    expect(engine.uploads.head(id, alice).offset).toBe(33_333);
    await engine.uploads.append(id, alice, { offset: 33_333 }, FakeBody.of(bytes.subarray(33_333)));
    expect((await engine.bytes(id)).equals(bytes)).toBe(true);
    expect(engine.received).toEqual([id]);
  });

  it('refuse another offset and leave everything as it was', async () => {
    const engine = await open();
    const { id } = await engine.uploads.create(alice, request(100));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(40)));
    for (const claimed of [0, 39, 41, 100]) {
      const refused = engine.uploads.append(id, alice, { offset: claimed }, FakeBody.of(pattern(1, 9)));
      await expect(refused).rejects.toBeInstanceOf(OffsetConflict);
    }
    expect(engine.record(id).offset).toBe(40);
    expect(await engine.file(id)).toEqual(pattern(40));
  });

  it('refuse a body beyond the length, declared or not, and never complete an upload with it', async () => {
    const engine = await open();
    const { id } = await engine.uploads.create(alice, request(100));
    const declared = engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(101)));
    await expect(declared).rejects.toBeInstanceOf(BodyBeyondLength);
    const chunked = new FakeBody();
    chunked.send(pattern(100));
    chunked.send(pattern(1));
    chunked.end();
    await expect(engine.uploads.append(id, alice, { offset: 0 }, chunked)).rejects.toBeInstanceOf(
      BodyBeyondLength,
    );
    expect(engine.received).toEqual([]);
    expect(engine.uploads.head(id, alice)).toMatchObject({ offset: 0, state: 'receiving' });
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(100)));
    const after = engine.uploads.append(id, alice, { offset: 100 }, FakeBody.of(pattern(1)));
    await expect(after).rejects.toBeInstanceOf(BodyBeyondLength);
  });

  it('are there for their own organization only', async () => {
    const engine = await open();
    const { id } = await engine.uploads.create(alice, request(10));
    expect(engine.uploads.head(id, alicesColleague).id).toBe(id);
    expect(() => engine.uploads.head(id, mallory)).toThrow(UploadNotFound);
    expect(() => engine.uploads.read(id, mallory)).toThrow(UploadNotFound);
    const append = engine.uploads.append(id, mallory, { offset: 0 }, FakeBody.of(pattern(1)));
    await expect(append).rejects.toBeInstanceOf(UploadNotFound);
    await expect(engine.uploads.terminate(id, mallory)).rejects.toBeInstanceOf(UploadNotFound);
    expect(engine.record(id).offset).toBe(0);
  });

  it('leave nothing behind when a creation is refused', async () => {
    const engine = await open({
      hooks: {
        claims: (tx) => {
          tx.put(keys.meta, 'claimed', 1);
          throw new UploadClaimed();
        },
      },
    });
    await expect(engine.uploads.create(alice, request(10))).rejects.toBeInstanceOf(UploadClaimed);
    expect(engine.state.get(keys.meta, 'claimed')).toBeUndefined();
    expect([...engine.state.list(keys.uploads)]).toEqual([]);
    expect(await objects(engine)).toBe(0);
    expect(engine.uploads.load.comingBytes).toBe(0);
  });

  it('are gone with their bytes when terminated, unless a transfer has claimed them', async () => {
    let claimed = false;
    const engine = await open({
      hooks: {
        terminable: () => {
          if (claimed) {
            throw new UploadClaimed();
          }
        },
      },
    });
    const { id } = await engine.uploads.create(alice, request(10));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(4)));
    claimed = true;
    await expect(engine.uploads.terminate(id, alice)).rejects.toBeInstanceOf(UploadClaimed);
    expect(() => engine.uploads.read(id, alice)).toThrow(UploadClaimed);
    expect(await engine.bytes(id)).toEqual(pattern(4));
    claimed = false;
    await engine.uploads.terminate(id, alice);
    expect(() => engine.uploads.head(id, alice)).toThrow(UploadNotFound);
    expect(await objects(engine)).toBe(0);
    expect(engine.uploads.load).toEqual({ writers: 0, open: 0, comingBytes: 0, syncsWaiting: 0 });
  });

  it('refuse what is too large, and what does not fit beside what is still coming', async () => {
    const engine = await open({
      settings: { bytesMax: 5000, reserveBytes: 1000 },
      wrap: (disk) =>
        withParts(disk, { space: () => Promise.resolve({ freeBytes: 10_000, totalBytes: 20_000 }) }),
    });
    await expect(engine.uploads.create(alice, request(5001))).rejects.toBeInstanceOf(UploadTooLarge);
    const { id } = await engine.uploads.create(alice, request(5000));
    await engine.uploads.create(alice, request(4000));
    await expect(engine.uploads.create(alice, request(1))).rejects.toBeInstanceOf(StorageFull);
    await engine.uploads.terminate(id, alice);
    await engine.uploads.create(alice, request(5000));
    // Creations that ask at the same moment cannot have the same room twice.
    await engine.uploads.append(
      [...engine.state.list(keys.uploads)][0]?.key ?? '',
      alice,
      { offset: 0 },
      FakeBody.of(pattern(2000)),
    );
    const both = await Promise.allSettled([1500, 1500].map((n) => engine.uploads.create(alice, request(n))));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('count what is still coming, and drop bytes without a record, after a restart', async () => {
    const engine = await open();
    await engine.uploads.resumeAfterStart();
    const { id } = await engine.uploads.create(alice, request(100));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(30)));
    const lost = await engine.uploads.create(alice, request(10));
    await engine.state.commit((tx) => tx.remove(keys.uploads, lost.id));
    await engine.storage.create('derived-1' as ObjectId);
    await engine.close();
    const again = await Engine.open({ folder: engine.folder });
    engines.splice(engines.indexOf(engine), 1, again);
    expect(await again.uploads.resumeAfterStart()).toEqual({ open: 1, removed: 1 });
    expect(again.uploads.load.comingBytes).toBe(70);
    expect(await again.bytes(id)).toEqual(pattern(30));
    expect(await objects(again)).toBe(2);
  });

  it('keep all bytes when it is the records that are missing', async () => {
    const engine = await open();
    await engine.uploads.resumeAfterStart();
    const { id } = await engine.uploads.create(alice, request(100));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(30)));
    await engine.close();
    await rename(join(engine.folder, 'state'), join(engine.folder, 'elsewhere'));
    // However often it is started again.
    for (let start = 0; start < 3; start++) {
      const without = await Engine.open({ folder: engine.folder });
      await expect(without.uploads.resumeAfterStart()).rejects.toThrow('put state/ back');
      expect(await objects(without)).toBe(1);
      await without.close();
    }
    await rm(join(engine.folder, 'state'), { recursive: true });
    await rename(join(engine.folder, 'elsewhere'), join(engine.folder, 'state'));
    const again = await Engine.open({ folder: engine.folder });
    engines.splice(engines.indexOf(engine), 1, again);
    expect(await again.uploads.resumeAfterStart()).toEqual({ open: 1, removed: 0 });
    expect(await again.bytes(id)).toEqual(pattern(30));
  });

  it('are noted anew when they are received, also in the millisecond in which they were claimed', async () => {
    const now = 1_700_000_000_000;
    const engine = await open({
      now: () => now,
      hooks: { claims: (tx, { id, createdAt }) => noteUpload(tx, id, createdAt) },
    });
    const { id } = await engine.uploads.create(alice, request(3, { transfer: 'some-transfer' }));
    const claimed = engine.state.get(keys.outbox, id);
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(3)));
    expect(claimed).toBe(now);
    expect(engine.state.get(keys.outbox, id)).toBeGreaterThan(now);
  });

  it('go on after a first run in which the storage could not be listed, and remove nothing that is in doubt', async () => {
    const engine = await open({
      wrap: (storage) =>
        withParts(storage, {
          list: () => ({
            [Symbol.asyncIterator]: () => ({
              next: () => Promise.reject(new StorageUnreachable({}, undefined)),
            }),
          }),
        }),
    });
    await engine.uploads.resumeAfterStart();
    const { id } = await engine.uploads.create(alice, request(100));
    // A kill between the two: an object that no record refers to.
    await engine.storage.create('u-0123' as ObjectId);
    await engine.close();
    const again = await Engine.open({ folder: engine.folder });
    engines.splice(engines.indexOf(engine), 1, again);
    expect(await again.uploads.resumeAfterStart()).toEqual({ open: 1, removed: 0 });
    expect(await objects(again)).toBe(2);
    expect(again.uploads.head(id, alice).offset).toBe(0);
    // From now on the records are known to belong to the storage.
    expect(await again.uploads.resumeAfterStart()).toMatchObject({ removed: 1 });
  });

  it('go no further into a disk that something else has filled', async () => {
    let freeBytes = 10_000;
    const engine = await open({
      settings: { reserveBytes: 1000 },
      wrap: (disk) => withParts(disk, { space: () => Promise.resolve({ freeBytes, totalBytes: 20_000 }) }),
    });
    const { id } = await engine.uploads.create(alice, request(100));
    freeBytes = 999;
    const refused = engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(10)));
    await expect(refused).rejects.toBeInstanceOf(StorageFull);
    freeBytes = 1000;
    expect((await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(10)))).offset).toBe(10);
  });

  it('record what arrived when the program stops, and refuse more', async () => {
    const engine = await open();
    const { id } = await engine.uploads.create(alice, request(100));
    const body = new FakeBody(100);
    const appending = engine.uploads.append(id, alice, { offset: 0 }, body);
    body.send(pattern(60));
    await until(() => engine.uploads.load.writers === 1);
    const refused = expect(appending).rejects.toBeInstanceOf(UploadsStopping);
    await engine.uploads.stop();
    await refused;
    expect(engine.record(id).offset).toBe(60);
    const more = engine.uploads.append(id, alice, { offset: 60 }, FakeBody.of(pattern(1)));
    await expect(more).rejects.toBeInstanceOf(UploadsStopping);
  });

  it('survive a follower that throws', async () => {
    const engine = await open({
      hooks: {
        published: () => {
          throw new Error('follower');
        },
      },
    });
    const { id } = await engine.uploads.create(alice, request(3));
    expect((await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(3)))).state).toBe(
      'received',
    );
  });
});
