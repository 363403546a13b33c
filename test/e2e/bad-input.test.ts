import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Program, startProgram } from '../support/processes.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeProcess } from './exchange-process.ts';

const mailboxes = [
  { id: 'sender', receiving: { by: 'pull' }, dialect: 'nl-2010' },
  { id: 'receiver', receiving: { by: 'pull' }, dialect: 'nl-2010' },
] as const;

describe('what people do wrong', () => {
  let folder: TempFolder;
  let exchange: ExchangeProcess;

  beforeAll(async () => {
    folder = await openTempFolder('sluis-bad-input');
    exchange = await ExchangeProcess.start(folder.path, mailboxes);
    await writeStudy(folder.file('study'), {
      modality: 'MR',
      instances: 3,
      bytesPerInstance: 32_768,
      seed: 5,
    });
  });
  afterAll(async () => {
    await exchange?.stop();
    await folder?.remove();
  });

  const send = async (
    path: string,
    changed: Record<string, string> = {},
    flags: string[] = [],
  ): Promise<Program> => {
    const options = {
      '--server': exchange.server,
      '--token-file': exchange.tokenFile('sender'),
      '--from': 'sender',
      '--to': 'receiver',
      ...changed,
    };
    const sender = await startProgram(['send', ...Object.entries(options).flat(), ...flags, path]);
    await sender.exited;
    return sender;
  };
  const told = ({ stdout, stderr }: Program): string => [...stdout, ...stderr].join('\n');
  const uploadRaw = async (bytes: Uint8Array, filetype: string): Promise<Response> => {
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    return fetch(`${exchange.server}/v1/uploads`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${readFileSync(exchange.tokenFile('sender'), 'utf8').trim()}`,
        'tus-resumable': '1.0.0',
        'upload-length': bytes.byteLength.toString(),
        'content-type': 'application/offset+octet-stream',
        'upload-metadata': `from ${encode('sender')},to ${encode('receiver')},filetype ${encode(filetype)}`,
      },
      body: Buffer.from(bytes),
    });
  };
  const settled = async (bytes: Uint8Array, filetype: string) => {
    expect((await uploadRaw(bytes, filetype)).status).toBe(201);
    for (let tries = 0; tries < 200; tries++) {
      const { body } = await exchange.get('sender', '/v1/transfers?limit=1');
      const last = (body as { items: { id: string; state: string }[] }).items[0];
      if (last !== undefined && last.state !== 'receiving' && last.state !== 'checking') {
        const shown = await exchange.get('sender', `/v1/transfers/${last.id}`);
        return shown.body as { state: string; reasons: string[]; problems: { detail: string }[] };
      }
      await new Promise((next) => setTimeout(next, 25));
    }
    throw new Error('the transfer was not decided');
  };

  it('a letter of a word processor is refused by name before anything is sent', async () => {
    const path = folder.file('letter.doc');
    writeFileSync(path, Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(600)]));
    const sender = await send(path);
    expect((await sender.exited).code).toBe(1);
    expect(told(sender)).toMatch(/letter\.doc.*send reports as PDF, CDA or plain text/s);
  });

  it('a text file that is uploaded as DICOM is rejected, with the reason in words', async () => {
    const last = await settled(Buffer.from('This is no DICOM at all.\n'.repeat(50)), 'application/dicom');
    expect(last).toMatchObject({ state: 'rejected' });
    expect(last.reasons.length).toBeGreaterThan(0);
  });

  it('a truncated DICOM file is refused by the sender, and held by the exchange when it comes all the same', async () => {
    const whole = readFileSync(join(folder.file('study'), 'MR-001-00001.dcm'));
    const path = folder.file('cut.dcm');
    writeFileSync(path, whole.subarray(0, whole.byteLength - 1000));
    const sender = await send(path);
    expect((await sender.exited).code).toBe(1);
    expect(told(sender)).toMatch(/cut\.dcm/);
    const last = await settled(readFileSync(path), 'application/dicom');
    expect(last).toMatchObject({ state: 'held', reasons: ['TRUNCATED'] });
    expect(last.problems[0]?.detail).toMatch(/7FE0,?0010/i);
  });

  it('a wrong token is told from a wrong address', async () => {
    const path = folder.file('wrong.token');
    writeFileSync(path, 'sluis_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n');
    const sender = await send(folder.file('study'), { '--token-file': path });
    expect((await sender.exited).code).toBe(1);
    expect(told(sender)).toMatch(/token is not known/);
    expect(told(sender)).not.toMatch(/AAAAAAAA/);
  });

  it('an unknown mailbox is named, with where to look it up', async () => {
    const sender = await send(folder.file('study'), { '--to': 'nowhere' });
    expect((await sender.exited).code).toBe(1);
    expect(told(sender)).toMatch(/no mailbox is called nowhere.*address book/s);
  });

  it('after all of that the exchange still takes a study', async () => {
    const sender = await send(folder.file('study'));
    expect((await sender.exited).code, told(sender)).toBe(0);
  });
});
