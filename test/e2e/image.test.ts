import { execFile } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { projectRoot } from '../support/processes.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

/** What the Dockerfile copies: the program without test/, which makes studies and breaks lines. */
describe('the program as it is in an image', () => {
  let folder: TempFolder;

  beforeAll(async () => {
    folder = await openTempFolder('sluis-image');
    const root = projectRoot();
    await mkdir(folder.file('dist'));
    for (const part of ['bin', 'package.json', join('dist', 'src')]) {
      await cp(join(root, part), folder.file(part), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), folder.file('node_modules'));
  });
  afterAll(() => folder.remove());

  it('does not name the demo that it cannot do', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      folder.file('bin', 'sluis.cjs'),
      '--help',
    ]);
    expect(stdout).toContain('serve');
    expect(stdout).not.toContain('demo-cut');
  });

  it('says that no demo study arrived when it is asked for one, and serves', async () => {
    const args = ['serve', '--demo', '--data', folder.file('data'), '--port', '0', '--ops-port', '0'];
    const exchange = await startChild(process.execPath, [folder.file('bin', 'sluis.cjs'), ...args], {});
    try {
      await exchange.waitFor(/Ctrl-C stops it/);
      const [, server = ''] = await exchange.waitFor(/serves (\S+) /);
      expect((await fetch(`${server}/openapi.json`)).status).toBe(200);
      expect(exchange.stdout.join('\n')).toMatch(/The demo study did not arrive/);
    } finally {
      expect(await exchange.stop()).toMatchObject({ code: 0 });
    }
  });
});
