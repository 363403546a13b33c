import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fatal } from '../../src/ops/error.ts';
import { FolderLock } from '../../src/state/folder-lock.ts';
import { startChild } from '../support/child.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const loader = fileURLToPath(new URL('../upload/typescript.mjs', import.meta.url));
const taker = fileURLToPath(new URL('lock-taker.ts', import.meta.url));

describe('the lock of a data folder', () => {
  let folder: TempFolder;

  beforeEach(async () => {
    folder = await openTempFolder('sluis-lock');
  });
  afterEach(() => folder.remove());

  it('keeps a second exchange off until the first lets go', async () => {
    const first = await FolderLock.take(folder.path);
    await expect(FolderLock.take(folder.path)).rejects.toThrow('another exchange runs');
    await first.release();
    await (await FolderLock.take(folder.path)).release();
  });

  it('is had by one of many that come at once', async () => {
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => FolderLock.take(folder.path)));
    const locks = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(locks).toHaveLength(1);
    for (const one of taken) {
      if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(Fatal);
    }
    await Promise.all(locks.map((lock) => lock.release()));
  });

  it('is free when the process that had it was killed', async () => {
    const path = folder.file('exchange.lock');
    const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await expect(FolderLock.take(folder.path)).rejects.toThrow(Fatal);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(path)).toBe(true);
    await (await FolderLock.take(folder.path)).release();
  });

  it('that a killed process left is had by one of the processes that come in the same instant', async () => {
    const stale = `require('net').createServer().listen(${JSON.stringify(folder.file('exchange.lock'))}, () => process.kill(process.pid, 'SIGKILL'))`;
    for (let round = 0; round < 5; round++) {
      spawnSync(process.execPath, ['-e', stale]);
      expect(existsSync(folder.file('exchange.lock'))).toBe(true);
      const signal = folder.file(`go-${round.toString()}`);
      const takers = await Promise.all(
        Array.from({ length: 3 }, () =>
          startChild(process.execPath, [loader, taker, folder.path, signal], {}),
        ),
      );
      try {
        await Promise.all(takers.map((one) => one.waitFor(/^ready$/)));
        await writeFile(signal, '');
        const outcomes = await Promise.all(takers.map((one) => one.waitFor(/^(taken|refused)$/)));
        expect(outcomes.filter(([, outcome]) => outcome === 'taken')).toHaveLength(1);
      } finally {
        for (const one of takers) one.kill('SIGKILL');
        await Promise.all(takers.map((one) => one.exited));
      }
    }
  }, 120_000);

  it('refuses a path that the system would cut, and so lock something else', async () => {
    await expect(FolderLock.take(folder.file('x'.repeat(120)))).rejects.toThrow('too long');
  });

  it('says so when the folder cannot be written', async () => {
    await expect(FolderLock.take(folder.file('nowhere'))).rejects.toBeInstanceOf(Fatal);
  });
});
