import { join } from 'node:path';
import { writeStudy } from '../../test/support/study/write-study.ts';
import { demoRoute, demoTokenFile } from './demo-network.ts';
import { run as receive } from './receive.ts';
import { run as send } from './send.ts';

const demoInstances = 24;

/** Sends one generated study across the demo network; false when it did not arrive. */
export async function sendDemoStudy(folder: string, server: string): Promise<boolean> {
  const study = join(folder, 'demo', 'study');
  await writeStudy(study, { modality: 'CT', instances: demoInstances, seed: 1 });
  const sent = await send([
    ...['--server', server, '--token-file', demoTokenFile(folder, 'ziekenhuis-vecht')],
    ...['--from', demoRoute.from, '--to', demoRoute.to, '--remark', 'Demo study', study],
  ]);
  const received = await receive([
    ...['--server', server, '--token-file', demoTokenFile(folder, 'umc-de-linde')],
    ...['--mailbox', demoRoute.to, '--out', join(folder, 'demo', 'received'), '--once'],
  ]);
  return sent === 0 && received === 0;
}

/** The next three commands to copy. */
export function demoCommands(folder: string, server: string): string[] {
  const token = demoTokenFile(folder, 'ziekenhuis-vecht');
  const receiver = demoTokenFile(folder, 'umc-de-linde');
  return [
    `curl -s -H "Authorization: Bearer $(cat ${token})" ${server}/v1/transfers`,
    `node bin/sluis.cjs send --server ${server} --token-file ${token} --from ${demoRoute.from} --to ${demoRoute.to} PATH`,
    `node bin/sluis.cjs receive --server ${server} --token-file ${receiver} --mailbox ${demoRoute.to} --out received`,
  ];
}
