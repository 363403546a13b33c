import { afterEach, describe, expect, it } from 'vitest';
import { NotFound } from '../../src/http/errors.ts';
import type { Handler } from '../../src/http/exchange.ts';
import { cors } from '../../src/upload/cors.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { pattern } from './engine.ts';
import {
  codeOf,
  locationOf,
  patchType,
  type Reply,
  type SentHeaders,
  send,
  TusServer,
} from './tus-client.ts';

const page = 'https://viewer.example';
const list = (value: unknown): string[] => String(value).split(/, */);
const accessHeaders = ({ headers }: Reply): string[] =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

describe.each(kinds)('CORS on %s', (kind) => {
  let tus: TusServer;

  const open = async (origins: readonly string[], of = (handler: Handler) => handler): Promise<void> => {
    tus = await TusServer.open(kind, {}, (handler) => cors(origins, of(handler)));
  };
  afterEach(() => tus.close());

  /** As a browser asks: without a token. */
  const preflight = (origin: string, more: SentHeaders = {}, path = uploadsPath): Promise<Reply> =>
    send(tus.port, {
      method: 'OPTIONS',
      path,
      headers: { Origin: origin, 'Access-Control-Request-Method': 'PATCH', ...more },
    });

  it('is off without a list: a preflight is refused and names the setting, pages get no permission', async () => {
    await open([]);
    const refused = await preflight(page);
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body.toString())).toMatchObject({ code: 'SLUIS_ORIGIN_REFUSED' });
    expect(refused.body.toString()).toContain('http.corsOrigins');
    const created = await tus.post({ 'Upload-Length': '1', Origin: page });
    expect([created.status, accessHeaders(created), created.headers.vary]).toEqual([201, [], undefined]);
    expect(accessHeaders(refused)).toEqual([]);
  });

  it('answers the preflight of a listed origin with all that the dialects use', async () => {
    await open(['https://other.example', page]);
    const { status, headers, body } = await preflight(page);
    expect([status, body.byteLength]).toEqual([204, 0]);
    expect(headers['access-control-allow-origin']).toBe(page);
    expect(headers['access-control-max-age']).toBe('86400');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['access-control-allow-private-network']).toBeUndefined();
    expect(list(headers.vary)).toContain('Origin');
    expect(list(headers['access-control-allow-methods'])).toEqual(
      expect.arrayContaining(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE']),
    );
    expect(list(headers['access-control-allow-headers'])).toEqual(
      expect.arrayContaining([
        ...['Authorization', 'Content-Type', 'Tus-Resumable', 'X-HTTP-Method-Override'],
        ...['Upload-Length', 'Upload-Offset', 'Upload-Metadata', 'Upload-Defer-Length'],
        ...['Upload-Checksum', 'Upload-Concat', 'Upload-Complete', 'Content-Digest', 'Repr-Digest'],
        'Content-Disposition',
      ]),
    );
  });

  it('lets a page on the internet ask inside only when its browser asks for that', async () => {
    await open([page]);
    const asked = { 'Access-Control-Request-Private-Network': 'true' };
    expect((await preflight(page, asked)).headers['access-control-allow-private-network']).toBe('true');
    expect(accessHeaders(await preflight('https://evil.example', asked))).toEqual([]);
  });

  it.each([
    'https://viewer.example:8443',
    'http://viewer.example',
    'https://viewer.example/',
    'https://viewer.example.evil.example',
    'https://VIEWER.example',
    'null',
    '*',
    '',
    `${page}, ${page}`,
  ])('takes %j for another origin', async (origin) => {
    await open([page]);
    expect((await preflight(origin)).status).toBe(403);
    const asked = await tus.call('OPTIONS', uploadsPath, { Origin: origin });
    expect([asked.status, accessHeaders(asked), asked.headers.vary]).toEqual([204, [], 'Origin']);
  });

  it('lets a listed page read every answer of an upload', async () => {
    await open([page]);
    const origin = { Origin: page };
    const created = await tus.post({ ...origin, 'Upload-Length': '10' });
    const path = locationOf(created);
    const replies = [
      created,
      await tus.patch(path, 0, pattern(10), origin),
      await tus.patch(path, 3, pattern(1), origin),
      await tus.call('HEAD', path, origin),
      await tus.call('GET', path, origin),
      await tus.call('OPTIONS', path, origin),
      await tus.call('DELETE', path, origin),
      await tus.call('HEAD', path, origin),
      await tus.call('POST', uploadsPath, origin, undefined, { token: 'unknown' }),
    ];
    expect(replies.map(({ status }) => status)).toEqual([201, 204, 409, 200, 200, 204, 204, 404, 401]);
    for (const { headers } of replies) {
      expect(headers['access-control-allow-origin']).toBe(page);
      expect(list(headers['access-control-expose-headers'])).toEqual(
        expect.arrayContaining([
          ...['Location', 'Retry-After', 'Upload-Offset', 'Upload-Length', 'Upload-Metadata'],
          ...['Upload-Expires', 'Upload-Concat', 'Upload-Defer-Length', 'Upload-Complete', 'Upload-Limit'],
          ...['Tus-Resumable', 'Tus-Version', 'Tus-Extension', 'Tus-Max-Size', 'Tus-Checksum-Algorithm'],
          ...['Accept-Patch', 'Allow', 'Repr-Digest', 'Want-Content-Digest', 'Want-Repr-Digest'],
        ]),
      );
      expect(headers.vary).toBe('Origin');
    }
    expect(replies[4]?.body.equals(pattern(10))).toBe(true);
  });

  it('serves programs, which have no origin, as it does without', async () => {
    await open([page]);
    const created = await tus.post({ 'Upload-Length': '10', 'Content-Type': patchType }, pattern(10));
    expect([created.status, accessHeaders(created)]).toEqual([201, []]);
    const options = { 'Access-Control-Request-Method': 'PATCH' };
    expect((await tus.call('OPTIONS', uploadsPath, options)).headers['tus-version']).toBe('1.0.0');
  });

  it('gives a page what a handler throws too, at once or later, and what varies beside', async () => {
    const failing: Handler = async (exchange) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (exchange.path === '/later') throw new NotFound();
      exchange.answer({ status: 200, headers: { vary: 'Accept' } });
    };
    const handler: Handler = (exchange) => {
      if (exchange.path === '/now') throw new NotFound();
      return failing(exchange);
    };
    await open([page], () => handler);
    for (const path of ['/now', '/later']) {
      const { status, headers } = await tus.call('GET', path, { Origin: page });
      expect([status, headers['access-control-allow-origin']]).toEqual([404, page]);
    }
    expect((await tus.call('GET', '/', { Origin: page })).headers.vary).toBe('Accept, Origin');
  });

  it('tells who is not listed what the dialect would tell anybody', async () => {
    await open([page]);
    const refused = await tus.post({ Origin: 'https://evil.example' });
    expect([refused.status, codeOf(refused), accessHeaders(refused)]).toEqual([
      400,
      'SLUIS_UPLOAD_HEADER_INVALID',
      [],
    ]);
  });
});
