import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach } from 'vitest';
import type { FileRange } from '../../src/storage/storage.ts';
import { WorkPool, type WorkPoolOptions } from '../../src/work/pool.ts';

export const mortalWorker = fileURLToPath(new URL('mortal-worker.mjs', import.meta.url));

/** A folder that is gone after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluis-test-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Files of a test, and for each test an empty one to write into. */
export class Scratch {
  /** Of the test that runs. */
  into = '';
  readonly #folder: string;
  #names = 0;

  constructor(folder: string) {
    this.#folder = folder;
    beforeEach(async () => {
      this.into = join(folder, `into-${(this.#names++).toString()}`);
      await writeFile(this.into, '', { mode: 0o600 });
    });
  }

  async fileOf(bytes: Uint8Array): Promise<FileRange> {
    const path = join(this.#folder, (this.#names++).toString());
    await writeFile(path, bytes);
    return { path, start: 0, bytes: bytes.byteLength };
  }
}

/** A started pool that is stopped after the tests of the file. */
export async function poolOf(options: WorkPoolOptions): Promise<WorkPool> {
  const pool = new WorkPool(options);
  await pool.start();
  afterAll(() => pool.stop(AbortSignal.abort()));
  return pool;
}
