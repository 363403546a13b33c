import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExchangeProcess } from '../e2e/exchange-process.ts';
import { openFaultProxy } from '../support/fault-proxy.ts';
import { type Program, startProgram } from '../support/processes.ts';
import { digestsBelow } from '../support/study/digests-below.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const mailboxes = [
  { id: 'sender', receiving: { by: 'pull' }, dialect: 'none' },
  { id: 'receiver', receiving: { by: 'pull' }, dialect: 'none' },
] as const;

const asRoot = (file: string, ...args: string[]): void => {
  const isRoot = process.getuid?.() === 0;
  execFileSync(isRoot ? file : 'sudo', isRoot ? args : ['-n', file, ...args]);
};

/** A real full disk: a small tmpfs, which only root can mount; therefore it stands with the peers. */
describe('a full disk', () => {
  let folder: TempFolder;
  let data: string;
  let exchange: ExchangeProcess;

  beforeEach(async () => {
    folder = await openTempFolder('sluis-small');
    data = folder.file('data');
    mkdirSync(data, { mode: 0o700 });
  });
  afterEach(async () => {
    await exchange?.stop();
    asRoot('umount', data);
    await folder?.remove();
  });

  async function start(megabytes: number): Promise<void> {
    const owner = `uid=${String(process.getuid?.())},mode=700`;
    asRoot('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,${owner}`, 'tmpfs', data);
    exchange = await ExchangeProcess.start(folder.path, mailboxes);
  }
  const send = (study: string, port: number, giveUpAfter: number): Promise<Program> =>
    startProgram([
      ...['send', '--server', `http://127.0.0.1:${port.toString()}`],
      ...['--token-file', exchange.tokenFile('sender'), '--from', 'sender', '--to', 'receiver'],
      ...['--give-up-after', giveUpAfter.toString(), folder.file(study)],
    ]);
  const receive = async (): Promise<string[]> => {
    const receiver = await startProgram([
      ...['receive', '--server', exchange.server, '--token-file', exchange.tokenFile('receiver')],
      ...['--mailbox', 'receiver', '--out', folder.file('received'), '--once'],
    ]);
    expect((await receiver.exited).code, receiver.stderr.join('\n')).toBe(0);
    return digestsBelow(folder.file('received'));
  };

  it('refuses what does not fit, says so, loses nothing, and takes it when there is room', async () => {
    await start(24);
    await writeStudy(folder.file('small'), { modality: 'CT', instances: 4, seed: 7 });
    await writeStudy(folder.file('large'), { modality: 'CT', instances: 60, seed: 8 });
    expect((await (await send('small', exchange.port, 60)).exited).code).toBe(0);
    const refused = await send('large', exchange.port, 3);
    expect((await refused.exited).code).not.toBe(0);
    expect(refused.stderr.join('\n')).toMatch(/SLUIS_STORAGE_FULL/);
    expect(await receive()).toEqual(digestsBelow(folder.file('small')));
    asRoot('mount', '-o', 'remount,size=96m', data);
    const again = await send('large', exchange.port, 60);
    expect((await again.exited).code, again.stderr.join('\n')).toBe(0);
    const both = [...digestsBelow(folder.file('small')), ...digestsBelow(folder.file('large'))];
    expect(await receive()).toEqual(both.sort());
  });

  it('that fills up in the middle of an upload stops neither the exchange nor, in the end, the upload', async () => {
    await start(64);
    await writeStudy(folder.file('study'), { modality: 'CT', instances: 60, seed: 9 });
    const line = await openFaultProxy({
      target: { host: '127.0.0.1', port: exchange.port },
      bytesPerSecondUp: 8e6,
    });
    try {
      const sender = await send('study', line.port, 120);
      await expect.poll(() => line.bytesUp, { timeout: 60_000 }).toBeGreaterThan(5e6);
      const filler = join(data, 'filler');
      fill(filler);
      await sender.waitFor(/SLUIS_STORAGE_FULL/, 60_000);
      // What needs a record is refused with the cause, what only reads is answered.
      const refused = await exchange.post('sender', '/v1/transfers', { from: 'sender', to: ['receiver'] });
      expect(refused).toMatchObject({ status: 507, body: { code: 'SLUIS_STORAGE_FULL' } });
      expect((await exchange.get('sender', '/v1/transfers')).status).toBe(200);
      rmSync(filler);
      expect((await sender.exited).code, sender.stderr.slice(-10).join('\n')).toBe(0);
      expect(await receive()).toEqual(digestsBelow(folder.file('study')));
    } finally {
      await line.close();
    }
  });
});

/** Until not one byte more fits. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let bytes = 1024 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      try {
        while (writeSync(file, Buffer.alloc(bytes)) === bytes);
      } catch {
        // ENOSPC: with smaller pieces.
      }
    }
  } finally {
    closeSync(file);
  }
}
