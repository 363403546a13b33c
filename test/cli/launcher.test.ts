import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

let folder: TempFolder;

beforeEach(async () => {
  folder = await openTempFolder();
  await mkdir(folder.file('bin'));
  await copyFile(new URL('../../bin/sluis.cjs', import.meta.url), folder.file('bin', 'sluis.cjs'));
});

afterEach(() => folder.remove());

function launch(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [folder.file('bin', 'sluis.cjs')], {
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

describe('the launcher', () => {
  it('says how to build a program that is not built', () => {
    const { status, stderr } = launch();
    expect(status).toBe(1);
    expect(stderr).toContain('npm run build');
  });

  it('sets what has to be set before the program loads, unless it is set', async () => {
    await mkdir(folder.file('dist', 'src', 'cli'), { recursive: true });
    const program = 'const e = process.env; console.log(e.UV_THREADPOOL_SIZE, e.UWS_HTTP_MAX_HEADERS_SIZE)';
    await writeFile(folder.file('dist', 'src', 'cli', 'main.js'), program);
    expect(launch().stdout).toBe('16 16384\n');
    expect(launch({ UV_THREADPOOL_SIZE: '3' }).stdout).toBe('3 16384\n');
  });
});
