import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openDiskStorage } from '../../src/storage/disk.ts';
import { StorageFull } from '../../src/storage/errors.ts';
import type { ObjectId, Storage } from '../../src/storage/storage.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';
import { withParts, withWriter } from './wrapped-storage.ts';

const MiB = 1024 * 1024;
const diskBytes = 8 * MiB;

/** Says that it has endless room: the engine would refuse what cannot fit, and here the disk must fill up. */
const roomy = (storage: Storage): Storage =>
  withParts(storage, { space: () => Promise.resolve({ freeBytes: 1e12, totalBytes: 1e12 }) });

/** A storage that is full beyond `diskBytes`, for where no small disk can be mounted. */
function smallStorage(disk: Storage): Storage {
  const sizes = new Map<ObjectId, number>();
  const grow = (object: ObjectId, to: number): void => {
    const others = [...sizes].reduce((sum, [name, size]) => (name === object ? sum : sum + size), 0);
    if (others + to > diskBytes) {
      throw new StorageFull('the disk is full');
    }
    sizes.set(object, Math.max(to, sizes.get(object) ?? 0));
  };
  const filling = withWriter(disk, (writer, object, bytes) => {
    sizes.set(object, bytes);
    return {
      write: async (chunk, position) => {
        grow(object, position + chunk.byteLength);
        await writer.write(chunk, position);
      },
    };
  });
  return withParts(filling, {
    remove: async (object) => {
      sizes.delete(object);
      await disk.remove(object);
    },
  });
}

interface SmallDisk {
  readonly storage: Storage;
  remove(): Promise<void>;
}

/** Eight MiB of tmpfs. Only root may mount; as root a refused mount is a failure, not another test. */
async function openSmallDisk(kind: 'a real disk' | 'a double'): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'sluis-small-disk-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true });
  if (kind === 'a double') {
    return { storage: roomy(smallStorage(await openDiskStorage(folder))), remove };
  }
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'sluis-test', folder]);
  } catch (error) {
    await remove();
    throw new Error(
      'this test runs as root but may not mount a tmpfs: run it as another user, or allow mount',
      {
        cause: error,
      },
    );
  }
  const disk = await openDiskStorage(folder);
  return {
    storage: roomy(disk),
    remove: async () => {
      execFileSync('umount', [folder]);
      await remove();
    },
  };
}

// Who may not mount runs the double alone; who may runs both, to show that they behave the same.
const kinds = process.getuid?.() === 0 ? (['a real disk', 'a double'] as const) : (['a double'] as const);

describe.each(kinds)('a disk that fills up (%s)', (kind) => {
  let disk: SmallDisk | undefined;
  let engine: Engine | undefined;
  afterEach(async () => {
    await engine?.remove();
    await disk?.remove();
  });

  it('keeps the exact durable offset, leaves other uploads alone, and lets all go on when there is room', async () => {
    disk = await openSmallDisk(kind);
    const { storage } = disk;
    engine = await Engine.open({ wrap: () => storage });
    const { uploads } = engine;
    const small = await uploads.create(alice, request(100_000));
    await uploads.append(small.id, alice, { offset: 0 }, FakeBody.of(pattern(50_000)));
    const filler = await uploads.create(alice, request(4 * MiB));
    await uploads.append(filler.id, alice, { offset: 0 }, FakeBody.of(pattern(4 * MiB), 256 * 1024));

    const big = await uploads.create(alice, request(6 * MiB));
    const bytes = pattern(6 * MiB, 3);
    const full = uploads.append(big.id, alice, { offset: 0 }, FakeBody.of(bytes, 256 * 1024));
    await expect(full).rejects.toBeInstanceOf(StorageFull);
    const { offset } = uploads.head(big.id, alice);
    // Not just below 4: a tmpfs counts its pages per processor, and is full a little early.
    expect(offset).toBeGreaterThan(2 * MiB);
    expect(offset).toBeLessThan(4 * MiB);
    expect((await engine.bytes(big.id)).equals(bytes.subarray(0, offset))).toBe(true);

    expect(uploads.head(small.id, alice).offset).toBe(50_000);
    expect(await engine.bytes(small.id)).toEqual(pattern(50_000));
    const again = uploads.append(big.id, alice, { offset }, FakeBody.of(bytes.subarray(offset), 256 * 1024));
    await expect(again).rejects.toBeInstanceOf(StorageFull);
    expect(uploads.head(big.id, alice).offset).toBeGreaterThanOrEqual(offset);

    await uploads.terminate(filler.id, alice);
    const resumed = uploads.head(big.id, alice).offset;
    await uploads.append(
      big.id,
      alice,
      { offset: resumed },
      FakeBody.of(bytes.subarray(resumed), 256 * 1024),
    );
    expect((await engine.bytes(big.id)).equals(bytes)).toBe(true);
    await uploads.append(small.id, alice, { offset: 50_000 }, FakeBody.of(pattern(100_000).subarray(50_000)));
    expect(await engine.bytes(small.id)).toEqual(pattern(100_000));
  });
});

describe('the room for new uploads', () => {
  it('refuses more than the disk has, and says so before a byte is sent', async () => {
    const engine = await Engine.open({ settings: { bytesMax: 2 ** 50 } });
    const { freeBytes } = await engine.storage.space();
    await expect(engine.uploads.create(alice, request(freeBytes * 2))).rejects.toBeInstanceOf(StorageFull);
    await engine.remove();
  });
});
