import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../http/kinds.ts';
import { pattern } from './engine.ts';
import { codeOf, idOf, locationOf, patchType, TusServer } from './tus-client.ts';

const bytesMax = 5_000_000;

describe.each(kinds)('tus creation-defer-length on %s', (kind) => {
  let tus: TusServer;

  beforeEach(async () => {
    tus = await TusServer.open(kind, { settings: { bytesMax } });
  });
  afterEach(() => tus.close());

  it('takes bytes before it knows how many there will be, and is whole when the length says so', async () => {
    const bytes = pattern(1000);
    const path = await tus.create('deferred');
    expect((await tus.patch(path, 0, bytes.subarray(0, 400))).headers['upload-offset']).toBe('400');
    const unknown = await tus.head(path);
    expect(unknown.headers).toMatchObject({ 'upload-offset': '400', 'upload-defer-length': '1' });
    expect(unknown.headers['upload-length']).toBeUndefined();
    const last = await tus.patch(path, 400, bytes.subarray(400), { 'Upload-Length': '1000' });
    expect([last.status, last.headers['upload-offset']]).toEqual([204, '1000']);
    const known = await tus.head(path);
    expect(known.headers).toMatchObject({ 'upload-offset': '1000', 'upload-length': '1000' });
    expect(known.headers['upload-defer-length']).toBeUndefined();
    expect(tus.engine.received).toEqual([idOf(path)]);
    expect((await tus.engine.bytes(idOf(path))).equals(bytes)).toBe(true);
  });

  it('is never whole before the length is told, and then with an empty body too', async () => {
    const path = await tus.create('deferred');
    await tus.patch(path, 0, pattern(10));
    expect(tus.engine.received).toEqual([]);
    expect((await tus.patch(path, 10, pattern(0), { 'Upload-Length': '10' })).status).toBe(204);
    expect(tus.engine.received).toEqual([idOf(path)]);
    expect((await tus.head(path)).headers).toMatchObject({ 'upload-offset': '10', 'upload-length': '10' });
  });

  it('learns the length with the first of several bodies, which from then on bounds it', async () => {
    const path = await tus.create('deferred');
    expect((await tus.patch(path, 0, pattern(10), { 'Upload-Length': '30' })).status).toBe(204);
    expect((await tus.head(path)).headers['upload-length']).toBe('30');
    const beyond = await tus.patch(path, 10, pattern(21));
    expect([beyond.status, codeOf(beyond), beyond.headers['upload-offset']]).toEqual([
      413,
      'SLUIS_UPLOAD_BODY_BEYOND_LENGTH',
      '10',
    ]);
    expect((await tus.patch(path, 10, pattern(20), { 'Upload-Length': '30' })).status).toBe(204);
    expect(tus.engine.received).toEqual([idOf(path)]);
  });

  it('never changes a length that is known', async () => {
    const known = await tus.create(30);
    const declared = await tus.create('deferred');
    await tus.patch(declared, 0, pattern(0), { 'Upload-Length': '30' });
    for (const path of [known, declared]) {
      for (const length of ['29', '31']) {
        const refused = await tus.patch(path, 0, pattern(5), { 'Upload-Length': length });
        expect([refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([
          400,
          'SLUIS_UPLOAD_LENGTH_INCONSISTENT',
          '0',
        ]);
      }
      expect((await tus.head(path)).headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '30' });
    }
  });

  it('refuses a length that is below what arrived, above the largest, or no number', async () => {
    const path = await tus.create('deferred');
    await tus.patch(path, 0, pattern(100));
    const cases: [string | string[], number, string][] = [
      ['99', 400, 'SLUIS_UPLOAD_LENGTH_INCONSISTENT'],
      [String(bytesMax + 1), 413, 'SLUIS_UPLOAD_TOO_LARGE'],
      ['1e3', 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
      ['-1', 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
      ['', 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
    ];
    for (const [length, status, code] of cases) {
      const refused = await tus.patch(path, 100, pattern(1), { 'Upload-Length': length });
      expect([length, refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([
        length,
        status,
        code,
        '100',
      ]);
    }
    expect((await tus.head(path)).headers).toMatchObject({
      'upload-offset': '100',
      'upload-defer-length': '1',
    });
  });

  it.each<[string, Record<string, string | string[]>]>([
    ['neither a length nor its deferral', {}],
    ['both', { 'Upload-Length': '10', 'Upload-Defer-Length': '1' }],
    ['0', { 'Upload-Defer-Length': '0' }],
    ['true', { 'Upload-Defer-Length': 'true' }],
    ['01', { 'Upload-Defer-Length': '01' }],
    ['nothing', { 'Upload-Defer-Length': '' }],
    ['1 twice', { 'Upload-Defer-Length': ['1', '1'] }],
    ['0 beside a length', { 'Upload-Length': '10', 'Upload-Defer-Length': '0' }],
  ])('refuses a creation with %s', async (_what, headers) => {
    const refused = await tus.post(headers);
    expect([refused.status, codeOf(refused)]).toEqual([400, 'SLUIS_UPLOAD_HEADER_INVALID']);
    expect(tus.engine.uploads.load.open).toBe(0);
  });

  it('takes its first bytes with the creation', async () => {
    const headers = { 'Upload-Defer-Length': '1', 'Content-Type': patchType };
    const created = await tus.post(headers, pattern(70));
    expect(created.headers['upload-offset']).toBe('70');
    const path = locationOf(created);
    expect((await tus.head(path)).headers['upload-defer-length']).toBe('1');
    expect((await tus.patch(path, 70, pattern(0), { 'Upload-Length': '70' })).status).toBe(204);
    expect(tus.engine.received).toEqual([idOf(path)]);
  });

  it('never grows above the largest upload', async () => {
    const path = await tus.create('deferred');
    await tus.patch(path, 0, pattern(bytesMax - 10));
    const beyond = await tus.patch(path, bytesMax - 10, pattern(11));
    expect([beyond.status, beyond.headers['upload-offset']]).toEqual([413, String(bytesMax - 10)]);
    const created = await tus.post(
      { 'Upload-Defer-Length': '1', 'Content-Type': patchType },
      pattern(bytesMax + 1),
    );
    expect([created.status, created.headers.location]).toEqual([413, undefined]);
  });
});

describe.runIf(kinds.includes('node-http'))('tus with chunked bodies, on node-http', () => {
  let tus: TusServer;

  beforeEach(async () => {
    tus = await TusServer.open('node-http', { settings: { bytesMax } });
  });
  afterEach(() => tus.close());

  it('takes them for a deferred upload, and for one whose length is known', async () => {
    const bytes = pattern(300_000);
    for (const length of ['deferred', bytes.byteLength] as const) {
      const path = await tus.create(length);
      const first = await tus.patch(path, 0, bytes.subarray(0, 123_456), {}, true);
      expect([first.status, first.headers['upload-offset']]).toEqual([204, '123456']);
      const told = { 'Upload-Length': '300000' };
      expect((await tus.patch(path, 123_456, bytes.subarray(123_456), told, true)).status).toBe(204);
      expect((await tus.engine.bytes(idOf(path))).equals(bytes)).toBe(true);
      expect(tus.engine.received.at(-1)).toBe(idOf(path));
    }
  });

  it('takes one with the creation', async () => {
    const bytes = pattern(100_000);
    const headers = { 'Upload-Defer-Length': '1', 'Content-Type': patchType };
    const created = await tus.call('POST', '/v1/uploads', headers, bytes, { isChunked: true });
    expect(created.headers['upload-offset']).toBe('100000');
    expect((await tus.engine.bytes(idOf(locationOf(created)))).equals(bytes)).toBe(true);
  });

  it('verifies the checksum of one, and takes all of it or nothing', async () => {
    const bytes = pattern(300_000);
    const path = await tus.create('deferred');
    const sha256 = `sha256 ${createHash('sha256').update(bytes).digest('base64')}`;
    const refused = await tus.patch(path, 0, pattern(300_000, 2), { 'Upload-Checksum': sha256 }, true);
    expect([refused.status, refused.headers['upload-offset']]).toEqual([460, '0']);
    const headers = { 'Upload-Checksum': sha256, 'Upload-Length': '300000' };
    expect((await tus.patch(path, 0, bytes, headers, true)).status).toBe(204);
    expect(tus.engine.received).toEqual([idOf(path)]);
    expect((await tus.engine.bytes(idOf(path))).equals(bytes)).toBe(true);
  });

  it('never completes an upload with one that goes beyond its length, and tells where to go on', async () => {
    const path = await tus.create(1000);
    const beyond = await tus.patch(path, 0, pattern(1001), {}, true);
    expect([beyond.status, codeOf(beyond)]).toEqual([413, 'SLUIS_UPLOAD_BODY_BEYOND_LENGTH']);
    const { headers } = await tus.head(path);
    expect(beyond.headers['upload-offset']).toBe(headers['upload-offset']);
    expect(Number(headers['upload-offset'])).toBeLessThan(1000);
    expect(tus.engine.received).toEqual([]);
  });

  it('tells where an upload is that was created with one beyond its length', async () => {
    const headers = { 'Upload-Length': '1000', 'Content-Type': patchType };
    const created = await tus.call('POST', '/v1/uploads', headers, pattern(1001), { isChunked: true });
    expect([created.status, codeOf(created)]).toEqual([413, 'SLUIS_UPLOAD_BODY_BEYOND_LENGTH']);
    const head = await tus.head(String(created.headers.location));
    expect([head.status, head.headers['upload-offset']]).toEqual([200, created.headers['upload-offset']]);
  });
});

describe.runIf(kinds.includes('uws'))('tus with chunked bodies, on uws', () => {
  it('says that it needs a length', async () => {
    const tus = await TusServer.open('uws');
    try {
      const path = await tus.create('deferred');
      expect((await tus.patch(path, 0, pattern(10), {}, true)).status).toBe(411);
      expect((await tus.head(path)).headers['upload-offset']).toBe('0');
    } finally {
      await tus.close();
    }
  });
});
