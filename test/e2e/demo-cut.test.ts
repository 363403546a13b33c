import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Program, startProgram } from '../support/processes.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

describe('npm run demo:cut', () => {
  let folder: TempFolder;
  let demo: Program;

  beforeEach(async () => {
    folder = await openTempFolder('sluis-demo-cut');
    demo = await startProgram(['demo-cut', '--instances', '300'], { env: { TMPDIR: folder.path } });
  });
  afterEach(async () => {
    await demo.stop();
    await folder.remove();
  });

  it('cuts the line three times, kills the exchange once, and ends with every instance equal', async () => {
    expect(await demo.exited, demo.stderr.join('\n')).toMatchObject({ code: 0 });
    const said = demo.stdout.join('\n');
    expect(said.match(/the line was cut at/g)).toHaveLength(3);
    expect(said.match(/the exchange was killed at/g)).toHaveLength(1);
    expect(said.match(/twice/g)).toHaveLength(1);
    expect(demo.stdout.at(-1)).toMatch(/^all 300 instances equal, \d+\.\d % sent twice$/);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it.each([/making a study/, /the line was cut/])(
    'leaves nothing behind when it is ended after it said %s',
    async (sentence) => {
      await demo.waitFor(sentence);
      expect(readdirSync(folder.path)).toHaveLength(1);
      demo.kill('SIGINT');
      expect(await demo.exited).toMatchObject({ code: 130 });
      expect(readdirSync(folder.path)).toEqual([]);
    },
  );
});
