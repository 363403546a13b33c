import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExchangeProcess } from '../e2e/exchange-process.ts';
import { type Program, startProgram } from '../support/processes.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const mailboxes = [
  { id: 'sender', receiving: { by: 'pull' }, dialect: 'nl-2010' },
  { id: 'receiver', receiving: { by: 'pull' }, dialect: 'nl-2010' },
] as const;

/** A real full disk: a small tmpfs, which only root can mount; therefore it stands with the peers. */
describe('a full disk', () => {
  let folder: TempFolder;
  let mount: string;

  beforeAll(async () => {
    folder = await openTempFolder('sluis-full-disk');
    mount = folder.file('data');
    await mkdir(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount]);
  });
  afterAll(async () => {
    execFileSync('umount', [mount]);
    await folder?.remove();
  });

  it('refuses what does not fit, says so, loses nothing, and goes on when there is room', async () => {
    const exchange = await ExchangeProcess.start(folder.path, mailboxes);
    try {
      const run = async (study: string): Promise<Program> => {
        const sender = await startProgram([
          ...['send', '--server', exchange.server, '--token-file', exchange.tokenFile('sender')],
          ...['--from', 'sender', '--to', 'receiver', '--give-up-after', '3', folder.file(study)],
        ]);
        await sender.exited;
        return sender;
      };
      await writeStudy(folder.file('small'), { modality: 'CT', instances: 4, seed: 7 });
      await writeStudy(folder.file('large'), { modality: 'CT', instances: 60, seed: 8 });
      expect((await (await run('small')).exited).code).toBe(0);
      const refused = await run('large');
      expect((await refused.exited).code).not.toBe(0);
      expect([...refused.stdout, ...refused.stderr].join('\n')).toMatch(/disk|space|full/i);
      const receiver = await startProgram([
        ...['receive', '--server', exchange.server, '--token-file', exchange.tokenFile('receiver')],
        ...['--mailbox', 'receiver', '--out', folder.file('received'), '--once'],
      ]);
      expect((await receiver.exited).code, receiver.stderr.join('\n')).toBe(0);
      execFileSync('mount', ['-o', 'remount,size=96m', mount]);
      const again = await run('large');
      expect((await again.exited).code, again.stderr.join('\n')).toBe(0);
    } finally {
      await exchange.stop();
    }
  });
});
