import { rmSync } from 'node:fs';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TempFolder } from '../../test/support/temp-folder.ts';

export const MiB = 1024 * 1024;
export const GiB = 1024 * MiB;

/** How much is done: whole, or so little that it shows only whether the bench works. */
export interface Scale {
  readonly quick: boolean;
  readonly rounds: number;
  /** Of one stream. */
  readonly streamBytes: number;
  /** Of all uploads of a round together, where their number grows. */
  readonly growthBytes: number;
  readonly uploads: readonly number[];
  readonly known: readonly number[];
}

export const whole: Scale = {
  quick: false,
  rounds: 5,
  streamBytes: GiB,
  growthBytes: 4 * GiB,
  uploads: [1, 10, 100, 1000],
  known: [1_000, 10_000, 100_000, 1_000_000],
};

export const quick: Scale = {
  quick: true,
  rounds: 1,
  streamBytes: 128 * MiB,
  growthBytes: 256 * MiB,
  uploads: [1, 10, 100],
  known: [1_000, 10_000],
};

const memoryFolder = '/dev/shm';

/** A folder in memory. Rejects, with what to do, where there is none or no room for `bytes`. */
export async function openMemoryFolder(bytes: number): Promise<TempFolder> {
  const { type, bavail, bsize } = await statfs(memoryFolder).catch(() => ({ type: 0, bavail: 0, bsize: 0 }));
  if (type !== TMPFS) throw new Error(`${memoryFolder} is no tmpfs: the bars without a disk need one`);
  if (bavail * bsize < bytes) {
    throw new Error(
      `${memoryFolder} has ${mebibytes(bavail * bsize)} MiB free, this needs ${mebibytes(bytes)}: ` +
        `mount -o remount,size=8G ${memoryFolder} (in a container --shm-size=8g), or npm run bench -- upload --quick`,
    );
  }
  return folderIn(memoryFolder);
}

/** A folder on a disk: the system's own for temporary files. Rejects when that is in memory. */
export async function openDiskFolder(bytes: number): Promise<TempFolder> {
  const place = tmpdir();
  const { type, bavail, bsize } = await statfs(place);
  if (type === TMPFS) throw new Error(`${place} is in memory: set TMPDIR to a folder on a disk`);
  if (bavail * bsize < bytes) throw new Error(`${place} has no room for ${mebibytes(bytes)} MiB: set TMPDIR`);
  return folderIn(place);
}

/** statfs(2). */
const TMPFS = 0x01021994;

const mebibytes = (bytes: number): string => Math.floor(bytes / MiB).toString();

async function folderIn(place: string): Promise<TempFolder> {
  const path = await mkdtemp(join(place, 'sluis-bench-'));
  const options = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 };
  // Also when the bench is stopped in the middle: gigabytes of memory would stay taken.
  const left = (): void => rmSync(path, options);
  process.on('exit', left);
  return {
    path,
    file: (...names) => join(path, ...names),
    remove: async () => {
      await rm(path, options);
      process.off('exit', left);
    },
  };
}
