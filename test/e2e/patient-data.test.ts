import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startProgram } from '../support/processes.ts';
import { ANNELIES } from '../support/study/patient.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeProcess } from './exchange-process.ts';
import { RawClient } from './raw-client.ts';

let folder: TempFolder;
let exchange: ExchangeProcess;

beforeEach(async () => {
  folder = await openTempFolder('sluis-privacy');
  exchange = await ExchangeProcess.start(
    folder.path,
    [
      { id: 'sender', receiving: { by: 'pull' }, dialect: 'nl-2010' },
      { id: 'receiver', receiving: { by: 'pull' }, dialect: 'nl-2010' },
    ],
    { log: { level: 'debug' } },
  );
});
afterEach(async () => {
  await exchange?.stop();
  await folder?.remove();
});

/** What names this patient, and what a sender said that could: a remark, a file's name. */
const secrets = [
  ANNELIES.bsn,
  ANNELIES.patientId,
  ANNELIES.birthDate,
  'van der Berg',
  'Annelies',
  'knie van mevrouw',
];

it('a patient is named in the stored bytes alone: in no record, log, metric, answer or file name', async () => {
  await writeStudy(folder.file('study'), { modality: 'CT', instances: 3, seed: 11 });
  const client = ['--server', exchange.server, '--token-file'];
  const sender = await startProgram([
    ...['send', ...client, exchange.tokenFile('sender'), '--from', 'sender', '--to', 'receiver', '--json'],
    ...['--remark', 'knie van mevrouw van der Berg', folder.file('study')],
  ]);
  expect((await sender.exited).code, sender.stderr.join('\n')).toBe(0);
  // What a client may say that names a patient: kept sealed, or refused without being repeated.
  const raw = new RawClient(exchange, 'sender');
  const filename = Buffer.from(`Annelies ${ANNELIES.bsn}.dcm`).toString('base64');
  const tus = { 'tus-resumable': '1.0.0', 'upload-length': '10' };
  await raw.ask('POST', '/v1/uploads', { headers: { ...tus, 'upload-metadata': `filename ${filename}` } });
  await raw.ask('POST', '/v1/uploads', { headers: { ...tus, 'upload-metadata': `from ${filename}` } });
  const bad = JSON.stringify({ from: 'sender', to: ['receiver'], patient: { bsn: `${ANNELIES.bsn}0` } });
  const refused = await raw.ask('POST', '/v1/transfers', { body: bad });
  expect(refused.status).toBe(400);

  const receiver = await startProgram([
    ...['receive', ...client, exchange.tokenFile('receiver'), '--mailbox', 'receiver', '--once'],
    ...['--out', folder.file('received')],
  ]);
  expect((await receiver.exited).code, receiver.stderr.join('\n')).toBe(0);
  const metrics = await (await fetch(`http://127.0.0.1:${exchange.opsPort.toString()}/metrics`)).text();
  const list = await exchange.get('receiver', '/v1/transfers');
  await exchange.stop();

  const said = [...sender.stdout, ...sender.stderr, ...receiver.stdout, ...receiver.stderr];
  const names = readdirSync(folder.path, { recursive: true }).map(String);
  const places: Record<string, string> = {
    records: latin1(join(exchange.dataFolder, 'state')),
    log: exchange.log.join('\n'),
    metrics,
    answers: JSON.stringify([list.body, refused.json]),
    commands: said.join('\n'),
    names: names.join('\n'),
  };
  for (const [place, text] of Object.entries(places)) {
    expect(text.length, place).toBeGreaterThan(0);
    for (const secret of secrets) {
      expect(text.includes(secret), `${secret} in ${place}`).toBe(false);
    }
  }
  // This can fail: where the bytes are, all of it is.
  const stored = latin1(join(exchange.dataFolder, 'storage'));
  for (const secret of secrets.slice(0, 5)) {
    expect(stored.includes(secret), secret).toBe(true);
  }
});

/** All files below a folder. */
function latin1(path: string): string {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return files.map((one) => readFileSync(join(one.parentPath, one.name), 'latin1')).join('');
}
