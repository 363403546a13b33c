import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeProcess } from './exchange-process.ts';
import { RawClient } from './raw-client.ts';

const mailboxes = [{ id: 'sender', receiving: { by: 'pull' }, dialect: 'none' }] as const;
const page = 'https://viewer.example';
const tus = { 'tus-resumable': '1.0.0' };

let folder: TempFolder;
let exchange: ExchangeProcess | undefined;

beforeEach(async () => {
  folder = await openTempFolder('sluis-uploads');
});
afterEach(async () => {
  await exchange?.stop();
  await folder.remove();
});

async function start(settings: Record<string, unknown> = {}): Promise<RawClient> {
  exchange = await ExchangeProcess.start(folder.path, mailboxes, settings);
  return new RawClient(exchange, 'sender');
}

const make = (client: RawClient, bytes: number) =>
  client.ask('POST', '/v1/uploads', { headers: { ...tus, 'upload-length': bytes.toString() } });

describe('uploads of an exchange as it is configured', () => {
  it('can be asked for by pages of the origins that are listed, and their answers read', async () => {
    const client = await start({ http: { corsOrigins: [page] } });
    const preflight = (origin: string) =>
      client.ask('OPTIONS', '/v1/uploads', {
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const allowed = await preflight(page);
    expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([204, page]);
    const refused = await preflight('https://other.example');
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([403, undefined]);
    const list = await client.ask('GET', '/v1/transfers', { headers: { origin: page } });
    expect([list.status, list.headers['access-control-allow-origin']]).toEqual([200, page]);
  });

  it('are refused at their beginning on a disk that is fuller than it may be, with when to come back', async () => {
    const watermarks = { bulk: 0, routine: 0, urgent: 1, acute: 1 };
    const client = await start({ storage: { watermarks } });
    const refused = await make(client, 10);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '300']);
    const urgent = await client.ask('POST', '/v1/transfers', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ from: 'sender', to: ['sender'], priority: 'urgent' }),
    });
    const { id } = JSON.parse(urgent.body.toString()) as { id: string };
    const transfer = Buffer.from(id).toString('base64');
    const taken = await client.ask('POST', '/v1/uploads', {
      headers: { ...tus, 'upload-length': '10', 'upload-metadata': `transfer ${transfer}` },
    });
    expect(taken.status).toBe(201);
  });

  it('are as many of one organization as it may have', async () => {
    const client = await start({ upload: { openPerOrganization: 2 } });
    expect((await make(client, 10)).status).toBe(201);
    expect((await make(client, 10)).status).toBe(201);
    const refused = await make(client, 10);
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '60']);
  });

  it('are gone when their time is over, and that was told', async () => {
    const seconds = 1;
    const client = await start({ upload: { expiryHours: seconds / 3600 } });
    const made = await make(client, 10);
    expect(Date.parse(String(made.headers['upload-expires']))).toBeGreaterThan(0);
    // The janitor looks so long after a start, and once a minute.
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds + 100));
    await exchange?.kill();
    await exchange?.startAgain();
    const path = made.headers.location ?? '';
    const status = async (): Promise<number> => (await client.ask('HEAD', path, { headers: tus })).status;
    await expect.poll(status, { timeout: 20_000 }).toBe(404);
  });

  it('are taken by @tus/server when it is chosen, on node:http', async () => {
    const client = await start({ upload: { engine: 'tus-node-server' } });
    const made = await make(client, 4);
    const path = made.headers.location ?? '';
    const sent = await client.ask('PATCH', path, {
      headers: { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
      body: 'abcd',
    });
    expect([made.status, sent.status, sent.headers['upload-offset']]).toEqual([201, 204, '4']);
  });
});
