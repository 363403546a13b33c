import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processBodies } from '../../src/http/body-budget.ts';
import { type Exchange, startExchange } from '../../src/main.ts';
import { configSchema } from '../../src/ops/config.ts';
import { openLog } from '../../src/ops/log.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { kinds } from './kinds.ts';
import { RawClient } from './raw-client.ts';

describe.each(kinds)('a stranger at the exchange on %s', (listener) => {
  let folder: TempFolder;
  let exchange: Exchange;

  beforeAll(async () => {
    folder = await openTempFolder();
    const config = configSchema.parse({
      version: 1,
      http: { port: 0, listener },
      data: { folder: folder.path },
      addressBook: { organizations: [] },
    });
    exchange = await startExchange(config, openLog('silent'));
  });
  afterAll(async () => {
    await exchange?.stop(AbortSignal.timeout(1_000));
    await folder?.remove();
  });

  it.each([
    'POST /v1/transfers',
    'POST /v1/uploads',
    'PATCH /v1/uploads/01890a5d-ac96-774b-bcce-b302099a8057',
    'PUT /v1/transfers/some-id/manifest',
    'POST /v1/deliveries/some-id/acknowledge',
    'POST /v1/nothing',
    'POST /',
    'DELETE /v1/transfers/some-id',
  ])('is answered 401 to %s before its body is waited for', async (line) => {
    const client = await RawClient.open(exchange.listener.port);
    await client.head(line, { 'Content-Length': 500_000, 'Content-Type': 'application/json' });
    const answer = await client.answer();
    expect(answer?.status).toBe(401);
    expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({ code: 'SLUIS_ACCESS_UNAUTHORIZED' });
    expect(processBodies.bytesInUse).toBe(0);
    client.socket.destroy();
  });

  it.each([
    '/files/../../../../etc/passwd',
    '/files/..%2f..%2f..%2fetc%2fpasswd',
    '/files/%2e%2e/%2e%2e/data',
    '/files/u-%00',
    '/v1/transfers/..%2f..%2fobjects',
    '//files/..;/x',
    `/files/${'a'.repeat(8_000)}`,
  ])('gets nothing at %s, whatever a proxy is said to have forwarded', async (path) => {
    for (const method of ['HEAD', 'GET', 'PATCH', 'DELETE']) {
      const client = await RawClient.open(exchange.listener.port);
      await client.head(`${method} ${path}`, {
        'Tus-Resumable': '1.0.0',
        'X-Forwarded-Proto': 'https,http',
        'X-Forwarded-Host': 'a, b',
        ...(method === 'PATCH'
          ? { 'Upload-Offset': 0, 'Content-Type': 'application/offset+octet-stream', 'Content-Length': 0 }
          : {}),
      });
      expect([401, 404]).toContain((await client.answer(method === 'HEAD'))?.status);
      client.socket.destroy();
    }
  });

  it('may read what is for everybody', async () => {
    for (const [path, status] of [
      ['/', 200],
      ['/openapi.json', 200],
      ['/v1/transfers', 401],
    ] as const) {
      const client = await RawClient.open(exchange.listener.port);
      await client.head(`GET ${path}`);
      expect((await client.answer())?.status).toBe(status);
      client.socket.destroy();
    }
  });
});
