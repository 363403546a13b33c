import { afterEach, describe, expect, it } from 'vitest';
import { StorageFull } from '../../src/storage/errors.ts';
import type { StorageSpace } from '../../src/storage/storage.ts';
import { PriorityRefused, QuotaExceeded, TooManyWriters, UploadTooLarge } from '../../src/upload/errors.ts';
import type { UploadSettings } from '../../src/upload/limits.ts';
import { uploadDefaults } from '../../src/upload/limits.ts';
import { alice, Engine, mallory, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';
import { withParts } from './wrapped-storage.ts';

let engine: Engine;
let space: StorageSpace = { freeBytes: 0, totalBytes: 0 };
afterEach(() => engine.remove());

async function open(disk: StorageSpace, settings: Partial<UploadSettings> = {}): Promise<void> {
  space = disk;
  engine = await Engine.open({
    settings: { inFlightShareMax: 0.25, watermarks: uploadDefaults.watermarks, ...settings },
    wrap: (storage) => withParts(storage, { space: () => Promise.resolve(space) }),
  });
}

describe('a new upload', () => {
  it('is refused when its organization has as many unfinished ones as it may, and others are not', async () => {
    await open({ freeBytes: 1e9, totalBytes: 1e9 }, { openMax: 2 });
    const [first] = [
      await engine.uploads.create(alice, request(3)),
      await engine.uploads.create(alice, request(3)),
    ];
    await expect(engine.uploads.create(alice, request(3))).rejects.toBeInstanceOf(QuotaExceeded);
    await engine.uploads.create(mallory, request(3));
    await engine.uploads.append(first.id, alice, { offset: 0 }, FakeBody.of(pattern(3)));
    await engine.uploads.create(alice, request(3));
  });

  it('is refused when its organization has a quarter of the disk under way', async () => {
    await open({ freeBytes: 1000, totalBytes: 1000 });
    const { id } = await engine.uploads.create(alice, request(200));
    await expect(engine.uploads.create(alice, request(51))).rejects.toBeInstanceOf(QuotaExceeded);
    await engine.uploads.create(alice, request(50));
    await engine.uploads.terminate(id, alice);
    await engine.uploads.create(alice, request(200));
    // One that is alone may be larger: else it could never be sent.
    const large = await engine.uploads.create(mallory, request(400));
    await expect(engine.uploads.create(mallory, request(1))).rejects.toBeInstanceOf(QuotaExceeded);
    await engine.uploads.terminate(large.id, mallory);
    await engine.uploads.create(mallory, request(1));
  });

  it('is refused by the fill of the disk, bulk first and acute last; what is under way goes on', async () => {
    await open({ freeBytes: 1000, totalBytes: 1000 });
    const { id } = await engine.uploads.create(alice, request(6));
    const begins = async (used: number): Promise<string[]> => {
      space = { freeBytes: 1000 - used, totalBytes: 1000 };
      const let_in: string[] = [];
      for (const priority of ['bulk', 'routine', 'urgent', 'acute'] as const) {
        const made = await engine.uploads
          .create(mallory, request(1, { priority }))
          .catch((error: unknown) => {
            expect(error).toBeInstanceOf(PriorityRefused);
            expect((error as PriorityRefused).headers['Retry-After']).toBe('300');
          });
        if (made !== undefined) let_in.push(priority);
      }
      return let_in;
    };
    expect(await begins(740)).toEqual(['bulk', 'routine', 'urgent', 'acute']);
    expect(await begins(750)).toEqual(['routine', 'urgent', 'acute']);
    expect(await begins(860)).toEqual(['urgent', 'acute']);
    expect(await begins(930)).toEqual(['acute']);
    expect(await begins(980)).toEqual([]);
    const { offset } = await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(6)));
    expect(offset).toBe(6);
  });

  it('is refused when it does not fit beside what was let in before', async () => {
    await open({ freeBytes: 1000, totalBytes: 1000 }, { inFlightShareMax: 1, reserveBytes: 100 });
    await engine.uploads.create(alice, request(600));
    await expect(engine.uploads.create(mallory, request(301))).rejects.toBeInstanceOf(StorageFull);
    await engine.uploads.create(mallory, request(300));
  });

  it('above the largest size is refused before anything else', async () => {
    await open({ freeBytes: 0, totalBytes: 1000 }, { bytesMax: 10 });
    await expect(engine.uploads.create(alice, request(11))).rejects.toBeInstanceOf(UploadTooLarge);
  });
});

describe('an upload of unknown length', () => {
  it('has room set aside for each body, which is given back when it is over', async () => {
    await open({ freeBytes: 1000, totalBytes: 1000 }, { inFlightShareMax: 1 });
    const { id } = await engine.uploads.create(alice, request(null));
    const body = new FakeBody(700);
    const appended = engine.uploads.append(id, alice, { offset: 0 }, body);
    body.send(pattern(10));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(engine.uploads.create(mallory, request(301))).rejects.toBeInstanceOf(StorageFull);
    body.vanish();
    await expect(appended).rejects.toThrow();
    expect(engine.uploads.load.comingBytes).toBe(0);
    await engine.uploads.create(mallory, request(301));
    await expect(
      engine.uploads.append(id, alice, { offset: 10 }, FakeBody.of(pattern(700))),
    ).rejects.toBeInstanceOf(StorageFull);
    expect(engine.uploads.head(id, alice).offset).toBe(10);
  });
});

it('a request above the largest number of writers is told to come again, and nobody is stopped', async () => {
  await open({ freeBytes: 1e9, totalBytes: 1e9 }, { writersMax: 1 });
  const [a, b] = [
    await engine.uploads.create(alice, request(6)),
    await engine.uploads.create(alice, request(6)),
  ];
  const body = new FakeBody(6);
  const appended = engine.uploads.append(a.id, alice, { offset: 0 }, body);
  body.send(pattern(3));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const refused = engine.uploads.append(b.id, alice, { offset: 0 }, FakeBody.of(pattern(6)));
  await expect(refused).rejects.toBeInstanceOf(TooManyWriters);
  body.send(pattern(6).subarray(3));
  body.end();
  await appended;
  await engine.uploads.append(b.id, alice, { offset: 0 }, FakeBody.of(pattern(6)));
});
