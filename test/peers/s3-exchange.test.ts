import { readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExchangeProcess } from '../e2e/exchange-process.ts';
import { RawClient } from '../e2e/raw-client.ts';
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts';
import { type Program, startProgram } from '../support/processes.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { digestsBelow } from '../support/study/digests-below.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const MiB = 1024 * 1024;
const mailboxes = [
  { id: 'sender', receiving: { by: 'pull' }, dialect: 'none' },
  { id: 'receiver', receiving: { by: 'pull' }, dialect: 'none' },
] as const;

/** The way of a study through an exchange that keeps its bytes in a bucket of somebody else's server. */
describe('a study through an exchange on S3', () => {
  const instances = 340;
  let folder: TempFolder;
  let s3: S3Server;
  let exchange: ExchangeProcess;
  let line: FaultProxy;

  beforeAll(async () => {
    folder = await openTempFolder('sluis-on-s3');
    await writeStudy(folder.file('study'), { modality: 'CT', instances, seed: 20 });
    s3 = await startS3Server();
    const { endpoint, bucket, region, accessKeyId, secretAccessKey } = s3;
    const credentialsFile = folder.file('s3.json');
    await writeFile(credentialsFile, JSON.stringify({ accessKeyId, secretAccessKey }), { mode: 0o600 });
    const bucketAt = { endpoint, bucket, region, credentialsFile, prefix: 'studies/' };
    exchange = await ExchangeProcess.start(folder.path, mailboxes, {
      storage: { kind: 's3', s3: { ...bucketAt, spoolBytesMax: 256 * MiB } },
    });
    line = await openFaultProxy({
      target: { host: '127.0.0.1', port: exchange.port },
      bytesPerSecondUp: 30 * MiB,
      bytesPerSecondDown: 40 * MiB,
    });
  });
  afterAll(async () => {
    await exchange?.stop();
    await line?.close();
    await s3?.stop();
    await folder?.remove();
  });

  const send = (): Promise<Program> =>
    startProgram([
      ...['send', '--server', `http://127.0.0.1:${line.port.toString()}`],
      ...['--token-file', exchange.tokenFile('sender'), '--from', 'sender', '--to', 'receiver'],
      folder.file('study'),
    ]);
  const receive = (): Promise<Program> =>
    startProgram([
      ...['receive', '--server', `http://127.0.0.1:${line.port.toString()}`, '--once'],
      ...['--token-file', exchange.tokenFile('receiver')],
      ...['--mailbox', 'receiver', '--out', folder.file('received')],
    ]);
  const sent = async (bytes: number): Promise<void> => {
    while (line.bytesUp < bytes) await sleep(20);
  };
  /** The files of the spool that are no copies. */
  const spooled = (): string[] => {
    const objects = join(exchange.dataFolder, 'storage', 'spool', 'objects');
    return readdirSync(objects, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  };
  const keys = (): string[] => {
    const below = join(s3.objects, 'studies');
    return readdirSync(below).filter((name) => /^u-[0-9a-f]{32}-\d+$/.test(name));
  };

  it('comes in whole though the exchange is killed, S3 goes away, and the exchange begins without it', async () => {
    const sender = await send();
    await sent(50 * MiB);
    await exchange.kill();
    await exchange.startAgain();
    await sent(90 * MiB);
    await s3.kill();
    await exchange.kill();
    await exchange.startAgain();
    expect((await sender.exited).code, sender.stderr.slice(-5).join('\n')).toBe(0);
    await s3.start();
    await expect.poll(() => keys().length, { timeout: 60_000, interval: 200 }).toBeGreaterThanOrEqual(3);
  });

  it('reaches who pulls byte for byte from S3 alone, though the exchange is killed on the way', async () => {
    await expect.poll(backlog, { timeout: 60_000, interval: 200 }).toBe('none');
    await exchange.kill();
    for (const file of spooled()) await rm(file);
    await exchange.startAgain();
    const receiver = await receive();
    while (line.bytesDown < 60 * MiB && receiver.running) await sleep(20);
    expect(receiver.running).toBe(true);
    await exchange.kill();
    await exchange.startAgain();
    expect((await receiver.exited).code, receiver.stderr.slice(-5).join('\n')).toBe(0);
    expect(spooled()).toEqual([]);
    expect(digestsBelow(folder.file('received'))).toEqual(digestsBelow(folder.file('study')));
    expect(digestsBelow(folder.file('study'))).toHaveLength(instances);
  });

  /** Nothing waits for S3 any more, as the metrics of a running exchange say. */
  async function backlog(): Promise<string> {
    const text = await (await fetch(`http://127.0.0.1:${exchange.opsPort.toString()}/metrics`)).text();
    const waits = /^sluis_storage_offloads_(?:waiting|under_way) [^0]/m.test(text);
    return waits ? 'some' : 'none';
  }
});

it('an exchange begins, takes an upload, removes it and ends while S3 never answers', async () => {
  const folder = await openTempFolder('sluis-on-none');
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  const credentialsFile = folder.file('s3.json');
  await writeFile(credentialsFile, JSON.stringify({ accessKeyId: 'any', secretAccessKey: 'any' }), {
    mode: 0o600,
  });
  try {
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port.toString()}`;
    const exchange = await ExchangeProcess.start(folder.path, mailboxes, {
      storage: { kind: 's3', s3: { endpoint, bucket: 'studies', credentialsFile } },
    });
    const client = new RawClient(exchange, 'sender');
    const tus = { 'tus-resumable': '1.0.0' };
    const made = await client.ask('POST', '/v1/uploads', { headers: { ...tus, 'upload-length': '4' } });
    const path = made.headers.location ?? '';
    const type = { 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
    const sent = await client.ask('PATCH', path, { headers: { ...tus, ...type }, body: 'abcd' });
    expect([made.status, sent.status]).toEqual([201, 204]);
    expect((await client.ask('DELETE', path, { headers: tus })).status).toBe(204);
    // By itself: who waits for longer kills it.
    expect(await exchange.stop()).toMatchObject({ code: 0 });
  } finally {
    silent.close();
    await folder.remove();
  }
});
