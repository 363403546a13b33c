import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { writeStudy } from '../../test/support/study/write-study.ts';
import { demoRoute, demoTokenFile } from './demo-network.ts';

const demoInstances = 24;

/** The exchange is in this very process' parent: when it does not answer it has ended. */
const giveUpSeconds = '30';

/**
 * Sends one generated study across the demo network with the commands that a hospital uses; false when it did
 * not arrive. Rejects when `signal` aborts, and the command that runs is ended.
 */
export async function sendDemoStudy(folder: string, server: string, signal: AbortSignal): Promise<boolean> {
  const study = studyFolder(folder);
  await mkdir(study, { recursive: true, mode: 0o700 });
  await writeStudy(study, { modality: 'CT', instances: demoInstances, seed: 1 });
  const sent = await sluis(signal, [...sendArgs(folder, server), '--remark', 'Demo study', study]);
  return sent && (await sluis(signal, receiveArgs(folder, server)));
}

/** The next three commands to copy. */
export function demoCommands(folder: string, server: string): string[] {
  const token = shellWord(demoTokenFile(folder, 'ziekenhuis-vecht'));
  const program = ['node', relative('', process.argv[1] ?? '')];
  return [
    `curl -s -H "Authorization: Bearer $(cat ${token})" ${server}/v1/transfers`,
    [...program, ...sendArgs(folder, server), studyFolder(folder)].map(shellWord).join(' '),
    [...program, ...receiveArgs(folder, server)].map(shellWord).join(' '),
  ];
}

export function receivedFolder(folder: string): string {
  return join(folder, 'demo', 'received');
}

function studyFolder(folder: string): string {
  return join(folder, 'demo', 'study');
}

function sendArgs(folder: string, server: string): string[] {
  const token = demoTokenFile(folder, 'ziekenhuis-vecht');
  return [
    ...['send', '--server', server, '--token-file', token],
    ...['--from', demoRoute.from, '--to', demoRoute.to],
  ];
}

function receiveArgs(folder: string, server: string): string[] {
  const token = demoTokenFile(folder, 'umc-de-linde');
  return [
    ...['receive', '--server', server, '--token-file', token],
    ...['--mailbox', demoRoute.to, '--out', receivedFolder(folder), '--once'],
  ];
}

/** A command of this program, in a process of its own: whoever ends the exchange does not wait for its patience. */
function sluis(signal: AbortSignal, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const file = process.argv[1] ?? '';
    const child = spawn(process.execPath, [file, ...args, '--give-up-after', giveUpSeconds], {
      stdio: ['ignore', 'inherit', 'inherit'],
      signal,
    });
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}

/** As one word for a shell, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w./:@,=-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
