import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import yauzl from 'yauzl';
import { contentHandler } from '../../../src/http/api/content.ts';
import { fetchBridge } from '../../../src/http/bridge.ts';
import type { Handler, Listener } from '../../../src/http/exchange.ts';
import { listen } from '../../../src/http/listen.ts';
import { deliveryOf, type Queued, queueStudy, until } from '../../delivery/sending.ts';
import { noord } from '../../transfer/world.ts';
import { kinds } from '../kinds.ts';
import { type ApiWorld, openApiWorld } from './api-world.ts';

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

describe.each(kinds)('the content of a delivery on %s', (kind) => {
  let world: ApiWorld;
  let listener: Listener;
  let study: Queued;
  let path: string;
  let etag: string;
  let whole: Buffer;

  beforeAll(async () => {
    world = await openApiWorld();
    const { authorize, offers, storage, api, log } = world;
    const content = contentHandler({ authorize, offers, storage });
    const json = fetchBridge((asked) => api.fetch(asked), { bodyBytesMax: 4096 });
    const handler: Handler = (exchange) =>
      exchange.path.endsWith('/content') ? content(exchange) : json(exchange);
    listener = await listen({ host: '127.0.0.1', port: 0, listener: kind, handler, log });
    study = await queueStudy(world, { to: ['noord.main'], instances: 3, bytesPerInstance: 100_000 });
    offers.wake('noord.main');
    await until(
      () => deliveryOf(world, study.transfer).offered,
      () => world.lines,
    );
    const { delivery, digests } = offers.digests(noord, deliveryOf(world, study.transfer).id);
    path = `/v1/deliveries/${delivery.id}/content`;
    etag = offers.etag(delivery);
    const composition = offers.content(delivery, digests);
    const chunks: Buffer[] = [];
    for await (const chunk of composition.read(storage, 0, composition.total))
      chunks.push(Buffer.from(chunk));
    whole = Buffer.concat(chunks);
  });
  afterAll(async () => {
    await listener.stop(AbortSignal.timeout(1000));
    await world.close();
  });

  const get = (
    headers: Record<string, string> = {},
    { method = 'GET', at = path, body }: { method?: string; at?: string; body?: Buffer } = {},
  ): Promise<Got> =>
    new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: listener.port,
          path: at,
          agent: false,
          method,
          headers: { authorization: `Bearer ${world.tokens.noord}`, ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });

  it('comes whole, with its length and the digests that were announced', async () => {
    const got = await get();
    expect(got).toMatchObject({
      status: 200,
      headers: {
        etag,
        'accept-ranges': 'bytes',
        'content-length': String(whole.byteLength),
        'cache-control': 'no-store',
      },
    });
    expect(got.headers['content-type']).toMatch(/^multipart\/related; type="application\/dicom"; boundary=/);
    expect(got.body.equals(whole)).toBe(true);
    const { delivery, digests } = world.offers.digests(noord, deliveryOf(world, study.transfer).id);
    const at = world.offers.content(delivery, digests).offsetOf(1);
    const one = got.body.subarray(at, at + digests.bytesOf(1));
    expect(createHash('sha256').update(one).digest('hex')).toBe(digests.get(1).sha256);
    expect(deliveryOf(world, study.transfer).state).toBe('sending');
  });

  it('goes on at any byte', async () => {
    for (const cut of [1, 99, 100_300, whole.byteLength - 1]) {
      const got = await get({ range: `bytes=${cut}-`, 'if-range': etag });
      expect(got.status).toBe(206);
      expect(got.headers['content-range']).toBe(`bytes ${cut}-${whole.byteLength - 1}/${whole.byteLength}`);
      expect(got.body.equals(whole.subarray(cut))).toBe(true);
    }
    const got = await get({ range: 'bytes=10-19' });
    expect(got.body).toEqual(whole.subarray(10, 20));
  });

  it('comes whole to who has begun another one', async () => {
    const got = await get({ range: 'bytes=10-', 'if-range': '"something-else"' });
    expect(got.status).toBe(200);
    expect(got.body.equals(whole)).toBe(true);
  });

  it('has no range behind its end', async () => {
    const got = await get({ range: `bytes=${whole.byteLength}-` });
    expect(got.status).toBe(416);
    expect(got.headers['content-range']).toBe(`bytes */${whole.byteLength}`);
    expect(JSON.parse(got.body.toString())).toMatchObject({ code: 'SLUIS_RANGE_NOT_SATISFIABLE' });
  });

  describe('asked for as an archive', () => {
    const accept = 'application/zip';

    it('comes as one that every reader of ZIP takes, under a name that says nothing of the patient', async () => {
      const got = await get({ accept });
      const { id } = deliveryOf(world, study.transfer);
      expect(got).toMatchObject({
        status: 200,
        headers: {
          'content-type': 'application/zip',
          'content-disposition': `attachment; filename="${id}.zip"`,
          'content-length': String(got.body.byteLength),
          'accept-ranges': 'bytes',
          vary: 'Accept',
        },
      });
      expect(got.headers.etag).not.toBe(etag);
      const { digests } = world.offers.digests(noord, id);
      const zip = await yauzl.fromBufferPromise(got.body);
      let position = 0;
      for await (const entry of zip.eachEntry()) {
        expect(entry.fileName).toMatch(/^DICOM\/ST000001\/SE000001\/IM00000\d\.dcm$/);
        expect(entry.crc32).toBe(digests.get(position).crc32);
        position += 1;
      }
      expect(position).toBe(3);
    });

    it('goes on at any byte of the archive, and not of the package', async () => {
      const { body: archive, headers } = await get({ accept });
      const zipTag = String(headers.etag);
      for (const cut of [1, 100_100, archive.byteLength - 1]) {
        const got = await get({ accept, range: `bytes=${cut}-`, 'if-range': zipTag });
        expect(got.status).toBe(206);
        expect(got.headers['content-range']).toBe(
          `bytes ${cut}-${archive.byteLength - 1}/${archive.byteLength}`,
        );
        expect(got.body.equals(archive.subarray(cut))).toBe(true);
      }
      const other = await get({ accept, range: 'bytes=10-', 'if-range': etag });
      expect([other.status, other.body.equals(archive)]).toEqual([200, true]);
      const behind = await get({ accept, range: `bytes=${archive.byteLength}-` });
      expect(behind.status).toBe(416);
    });

    it('tells its head alone to HEAD', async () => {
      const [whole, head] = [await get({ accept }), await get({ accept }, { method: 'HEAD' })];
      const { date: _, ...headers } = whole.headers;
      expect(head).toMatchObject({ status: 200, headers });
      expect(head.body.byteLength).toBe(0);
    });
  });

  it.each([
    ['*/*', 'multipart/related'],
    ['multipart/related; type="application/dicom"', 'multipart/related'],
    ['application/zip;q=0.5, multipart/related;q=0.4', 'application/zip'],
    ['text/html, */*;q=0.1', 'multipart/related'],
  ])('comes to who accepts %s as %s', async (accept, type) => {
    const got = await get({ accept }, { method: 'HEAD' });
    expect(got.headers['content-type']).toContain(type);
    expect(got.headers.vary).toBe('Accept');
  });

  it('is nothing for who accepts neither', async () => {
    for (const accept of [
      'application/json',
      'application/zip;q=0',
      'multipart/related; type="image/jpeg"',
    ]) {
      const got = await get({ accept });
      expect(got.status).toBe(406);
      expect(got.headers.vary).toBe('Accept');
      const body = JSON.parse(got.body.toString()) as { code: string; detail: string };
      expect(body.code).toBe('SLUIS_NOT_ACCEPTABLE');
      expect(body.detail).toContain('multipart/related, application/zip');
    }
  });

  it('tells its head alone to HEAD', async () => {
    const got = await get({}, { method: 'HEAD' });
    expect(got.status).toBe(200);
    expect(got.headers).toMatchObject({ etag, 'content-length': String(whole.byteLength) });
    expect(got.body.byteLength).toBe(0);
  });

  it.each([
    ['nobody', { authorization: 'Bearer nothing' }, {}, 401, 'SLUIS_ACCESS_UNAUTHORIZED'],
    ['a POST', {}, { method: 'POST' }, 405, 'SLUIS_HTTP_METHOD_NOT_ALLOWED'],
    [
      'an unknown delivery',
      {},
      { at: '/v1/deliveries/01890000-0000-7000-8000-000000000000/content' },
      404,
      'SLUIS_DELIVERY_UNKNOWN',
    ],
    ['a path that is none', {}, { at: '/v1/deliveries/..%2F/content' }, 404, 'SLUIS_HTTP_NOT_FOUND'],
  ])('is not for %s', async (_, headers, options, status, code) => {
    const got = await get(headers, options);
    expect(got.status).toBe(status);
    expect(JSON.parse(got.body.toString())).toMatchObject({ code });
  });

  it('is not for another organization, which learns nothing of it', async () => {
    const got = await get({ authorization: `Bearer ${world.tokens.zuid}` });
    expect(got.status).toBe(404);
    expect(got.body.toString()).not.toContain(deliveryOf(world, study.transfer).id);
  });

  it('stands beside a JSON API that takes no larger body than its limit', async () => {
    const body = Buffer.alloc(5000, 'x');
    const got = await get(
      { authorization: `Bearer ${world.tokens.zuid}` },
      { method: 'POST', at: '/v1/transfers', body },
    );
    expect(got.status).toBe(413);
    expect(JSON.parse(got.body.toString())).toMatchObject({ code: 'SLUIS_HTTP_BODY_TOO_LARGE' });
  });
});
