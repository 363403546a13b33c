import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { WorkPool, type WorkPoolOptions } from '../../src/work/pool.ts';

export const mortalWorker = fileURLToPath(new URL('mortal-worker.mjs', import.meta.url));

/** A folder that is gone after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluis-test-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A started pool that is stopped after the tests of the file. */
export async function poolOf(options: WorkPoolOptions): Promise<WorkPool> {
  const pool = new WorkPool(options);
  await pool.start();
  afterAll(() => pool.stop(AbortSignal.abort()));
  return pool;
}
