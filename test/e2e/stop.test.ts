import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeProcess } from './exchange-process.ts';
import { RawClient } from './raw-client.ts';

let folder: TempFolder;
let exchange: ExchangeProcess;

beforeEach(async () => {
  folder = await openTempFolder('sluis-stop');
  exchange = await ExchangeProcess.start(folder.path, [
    { id: 'sender', receiving: { by: 'pull' }, dialect: 'none' },
  ]);
});
afterEach(async () => {
  await exchange?.stop();
  await folder?.remove();
});

it('told to stop, the exchange answers who waits and who still sends, and keeps what had arrived', async () => {
  const client = new RawClient(exchange, 'sender');
  const tus = { 'tus-resumable': '1.0.0' };
  const made = await client.ask('POST', '/v1/uploads', { headers: { ...tus, 'upload-length': '1000' } });
  const path = made.headers.location ?? '';

  const sending = request({
    host: '127.0.0.1',
    port: exchange.port,
    method: 'PATCH',
    path,
    headers: {
      ...tus,
      authorization: `Bearer ${client.token}`,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': '0',
      'content-length': '1000',
    },
  });
  sending.write(Buffer.alloc(400, 7));
  const answered = once(sending, 'response') as Promise<[import('node:http').IncomingMessage]>;
  await expect
    .poll(async () => (await client.ask('HEAD', path, { headers: tus })).headers['upload-offset'], {
      timeout: 30_000,
    })
    .toBe('400');
  // Longer than a drain may take: only an answer that is not waited for comes.
  const waiting = client.ask('GET', '/v1/mailboxes/sender/inbox?wait=60');
  await expect.poll(async () => (await client.ask('GET', '/')).status).toBe(200);

  const stopped = exchange.stop();
  const [answer] = await answered;
  expect(answer.statusCode).toBe(503);
  expect(answer.headers['upload-offset']).toBe('400');
  answer.resume();
  sending.destroy();
  expect(await waiting).toMatchObject({ status: 200, json: { items: [] } });
  expect(await stopped).toEqual({ code: 0, signal: null });

  await exchange.startAgain();
  expect((await client.ask('HEAD', path, { headers: tus })).headers['upload-offset']).toBe('400');
});
