import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NewFile } from '../../src/cli/new-file.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

let folder: TempFolder;
beforeEach(async () => {
  folder = await openTempFolder('sluis-new-file');
});
afterEach(() => folder.remove());

describe('a new file', () => {
  it('is hidden until it is whole, and then there for this user alone', async () => {
    const file = await NewFile.open(folder.path);
    await file.write('one, ');
    await file.write(Buffer.from('two'));
    expect(await readdir(folder.path)).toEqual([expect.stringMatching(/^\..*\.part$/u)]);
    expect(await file.appearAs(folder.file('report'))).toBe(true);
    await file.close();
    expect(await readdir(folder.path)).toEqual(['report']);
    expect(await readFile(folder.file('report'), 'utf8')).toBe('one, two');
    expect((await stat(folder.file('report'))).mode & 0o777).toBe(0o600);
  });

  it('never takes the place of another, and may be given another name', async () => {
    await writeFile(folder.file('report'), 'of somebody');
    const file = await NewFile.open(folder.path);
    await file.write('new');
    expect(await file.appearAs(folder.file('report'))).toBe(false);
    expect(await file.appearAs(folder.file('report-2'))).toBe(true);
    await file.close();
    expect(await readFile(folder.file('report'), 'utf8')).toBe('of somebody');
    expect((await readdir(folder.path)).sort()).toEqual(['report', 'report-2']);
  });

  it('leaves nothing when it is given no name', async () => {
    const file = await NewFile.open(folder.path);
    await file.write('half');
    await file.close();
    expect(await readdir(folder.path)).toEqual([]);
  });
});
