import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { until } from '../support/until.ts';
import { alice, type Engine, pattern } from './engine.ts';
import { base64, codeOf, idOf, patchType, type Reply, type SentHeaders, TusServer } from './tus-client.ts';

describe.each(kinds)('tus 1.0.0 on %s', (kind) => {
  let tus: TusServer;
  let engine: Engine;
  let claims: () => void;

  beforeEach(async () => {
    claims = () => undefined;
    tus = await TusServer.open(kind, {
      settings: { bytesMax: 50_000_000, checkpointMs: 20 },
      hooks: { claims: () => claims() },
    });
    ({ engine } = tus);
  });
  afterEach(() => tus.close());

  const call = (
    method: string,
    path: string,
    headers: SentHeaders = {},
    body?: Uint8Array,
    token = 'a',
  ): Promise<Reply> => tus.call(method, path, headers, body, { token });
  const create = (length: number, headers: SentHeaders = {}): Promise<string> => tus.create(length, headers);
  const patch = (path: string, offset: number | string, body: Uint8Array, more: SentHeaders = {}) =>
    tus.patch(path, offset, body, more);

  it('says what it offers, to anybody', async () => {
    const { status, headers } = await call('OPTIONS', uploadsPath, { Authorization: '' });
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'tus-version': '1.0.0',
      'tus-extension':
        'creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation,concatenation-unfinished',
      'tus-checksum-algorithm': 'md5,sha1,sha256,sha512,crc32,crc32c',
      'tus-resumable': '1.0.0',
      'tus-max-size': '50000000',
    });
  });

  it('creates, takes bodies, tells the offset, and serves its owner what is there', async () => {
    const bytes = pattern(3_000_000);
    const location = await create(bytes.byteLength);
    const first = await patch(location, 0, bytes.subarray(0, 1_234_567));
    expect([first.status, first.headers['upload-offset']]).toEqual([204, '1234567']);
    const head = await call('HEAD', location);
    expect(head.status).toBe(200);
    expect(head.headers).toMatchObject({
      'upload-offset': '1234567',
      'upload-length': '3000000',
      'cache-control': 'no-store',
      'tus-resumable': '1.0.0',
    });
    const part = await call('GET', location);
    expect(part.body.equals(bytes.subarray(0, 1_234_567))).toBe(true);
    expect((await patch(location, 1_234_567, bytes.subarray(1_234_567))).status).toBe(204);
    expect(engine.received).toEqual([idOf(location)]);
    expect((await call('GET', location)).body.equals(bytes)).toBe(true);
    expect((await patch(location, bytes.byteLength, pattern(0))).status).toBe(204);
    expect(engine.received).toHaveLength(1);
  });

  it('answers 409 with the true offset and changes nothing', async () => {
    const location = await create(100);
    await patch(location, 0, pattern(40));
    const refused = await patch(location, 39, pattern(10, 9));
    expect([refused.status, refused.headers['upload-offset']]).toEqual([409, '40']);
    expect(codeOf(refused)).toBe('SLUIS_UPLOAD_OFFSET_CONFLICT');
    expect(await engine.file(idOf(location))).toEqual(pattern(40));
  });

  it('names the cause of every refusal', async () => {
    const location = await create(100);
    const one = pattern(1);
    const length = { 'Upload-Length': '1' };
    const unknown = `${uploadsPath}/01890a5d-ac96-774b-bcce-b302099a8057`;
    const cases: [string, () => Promise<Reply>, number, string][] = [
      [
        'another version',
        () => patch(location, 0, one, { 'Tus-Resumable': '0.2.2' }),
        412,
        'SLUIS_TUS_VERSION_UNSUPPORTED',
      ],
      [
        'the version twice',
        () => patch(location, 0, one, { 'Tus-Resumable': ['1.0.0', '1.0.0'] }),
        412,
        'SLUIS_TUS_VERSION_UNSUPPORTED',
      ],
      [
        'the media type twice',
        () => patch(location, 0, one, { 'Content-Type': `${patchType}; a, ${patchType}` }),
        415,
        'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED',
      ],
      [
        'another media type',
        () => patch(location, 0, one, { 'Content-Type': 'text/plain' }),
        415,
        'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED',
      ],
      ['a number with a letter', () => patch(location, '0x', one), 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
      ['a negative number', () => patch(location, '-0', one), 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
      ['a huge number', () => patch(location, '9'.repeat(16), one), 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
      ['too many bytes', () => patch(location, 0, pattern(101)), 413, 'SLUIS_UPLOAD_BODY_BEYOND_LENGTH'],
      [
        'no offset',
        () => call('PATCH', location, { 'Content-Type': patchType }, one),
        400,
        'SLUIS_UPLOAD_HEADER_INVALID',
      ],
      ['no length', () => call('POST', uploadsPath), 400, 'SLUIS_UPLOAD_HEADER_INVALID'],
      [
        'a secret',
        () => call('POST', uploadsPath, { ...length, 'Upload-Secret': 'x'.repeat(48) }),
        400,
        'SLUIS_UPLOAD_EXTENSION_UNSUPPORTED',
      ],
      [
        'a challenge',
        () => patch(location, 0, one, { 'Upload-Challenge': 'sha256 x' }),
        400,
        'SLUIS_UPLOAD_EXTENSION_UNSUPPORTED',
      ],
      [
        'a body of another type',
        () => call('POST', uploadsPath, length, one),
        415,
        'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED',
      ],
      [
        'too long',
        () => call('POST', uploadsPath, { 'Upload-Length': '50000001' }),
        413,
        'SLUIS_UPLOAD_TOO_LARGE',
      ],
      [
        'a bad priority',
        () => call('POST', uploadsPath, { ...length, 'Upload-Metadata': `priority ${base64('high')}` }),
        400,
        'SLUIS_UPLOAD_HEADER_INVALID',
      ],
      ['no such upload', () => patch(unknown, 0, one), 404, 'SLUIS_UPLOAD_NOT_FOUND'],
      ['no id', () => call('DELETE', `${uploadsPath}/..%2f..`), 404, 'SLUIS_UPLOAD_NOT_FOUND'],
      ['not its own', () => call('GET', location, {}, undefined, 'm'), 404, 'SLUIS_UPLOAD_NOT_FOUND'],
      ['not known', () => call('GET', location, {}, undefined, 'x'), 401, 'SLUIS_ACCESS_UNAUTHORIZED'],
      ['a method of no use', () => call('PUT', location), 405, 'SLUIS_HTTP_METHOD_NOT_ALLOWED'],
    ];
    for (const [why, ask, status, code] of cases) {
      const reply = await ask();
      expect([why, reply.status, codeOf(reply)]).toEqual([why, status, code]);
    }
    // Refused before the dialect sees it.
    expect((await patch(location, 0, one, { 'Upload-Offset': ['0', '0'] })).status).toBe(400);
    expect(engine.record(idOf(location)).offset).toBe(0);
    const version = await call('HEAD', location, { 'Tus-Resumable': '2' });
    expect([version.status, version.headers['tus-version'], version.body.byteLength]).toEqual([
      412,
      '1.0.0',
      0,
    ]);
    const unauthorized = await call('POST', uploadsPath, {}, undefined, 'x');
    expect(unauthorized.headers['www-authenticate']).toMatch(/^Bearer/);
  });

  it('processes nothing of another version, wherever it is sent', async () => {
    const location = await create(10);
    const other = { 'Tus-Resumable': '0.2.2', 'Upload-Length': '1' };
    for (const method of ['POST', 'HEAD', 'PATCH', 'DELETE']) {
      for (const path of [uploadsPath, location, `${uploadsPath}/01890a5d-ac96-774b-bcce-b302099a8057`]) {
        const { status, headers } = await call(method, path, other);
        expect([method, path, status, headers['tus-version']]).toEqual([method, path, 412, '1.0.0']);
      }
    }
    expect((await call('HEAD', location)).status).toBe(200);
    expect(engine.uploads.load.open).toBe(1);
    expect((await call('OPTIONS', uploadsPath, other)).status).toBe(204);
    expect((await call('GET', location, other)).status).toBe(200);
  });

  it('stores metadata sealed and shows it to its creator only', async () => {
    const metadata = `filename ${base64('Jansen.dcm')},priority ${base64('urgent')},to ${base64('b,c')}`;
    const location = await create(10, { 'Upload-Metadata': metadata });
    const record = engine.record(idOf(location));
    expect(record).toMatchObject({ priority: 'urgent', to: ['b', 'c'], from: null });
    expect(Buffer.from(record.metadata ?? []).includes('filename')).toBe(false);
    expect((await call('HEAD', location)).headers['upload-metadata']).toBe(metadata);
    const colleague = await call('HEAD', location, {}, undefined, 'a2');
    expect([colleague.status, colleague.headers['upload-metadata']]).toEqual([200, undefined]);
    expect((await call('HEAD', await create(1, { 'Upload-Metadata': '' }))).status).toBe(200);
  });

  it('honours X-HTTP-Method-Override', async () => {
    const location = await create(10);
    const headers = { 'X-HTTP-Method-Override': 'PATCH', 'Content-Type': patchType, 'Upload-Offset': '0' };
    expect((await call('POST', location, headers, pattern(10))).status).toBe(204);
    expect((await call('POST', location, { 'X-HTTP-Method-Override': 'DELETE' })).status).toBe(204);
    expect((await call('HEAD', location)).status).toBe(404);
  });

  it('keeps what arrived when the socket is reset, and goes on from there', async () => {
    const bytes = pattern(4_000_000);
    const location = await create(bytes.byteLength);
    const socket = connect(tus.port, '127.0.0.1');
    socket.write(
      `PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nTus-Resumable: 1.0.0\r\n` +
        `Content-Type: ${patchType}\r\nUpload-Offset: 0\r\nContent-Length: ${bytes.byteLength}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 1_500_000));
    await until(() => engine.uploads.head(idOf(location), alice).offset === 1_500_000);
    socket.resetAndDestroy();
    await until(() => engine.uploads.load.writers === 0);
    const { headers } = await call('HEAD', location);
    const offset = Number(headers['upload-offset']);
    expect(offset).toBe(1_500_000);
    expect((await patch(location, offset, bytes.subarray(offset))).status).toBe(204);
    expect((await engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('tells a half-open client that was replaced 409 with the true offset, and HEAD never waits', async () => {
    const bytes = pattern(1_000_000);
    const location = await create(bytes.byteLength);
    const socket = connect(tus.port, '127.0.0.1');
    let answered = '';
    socket.on('data', (chunk: Buffer) => {
      answered += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.write(
      `PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nTus-Resumable: 1.0.0\r\n` +
        `Content-Type: ${patchType}\r\nUpload-Offset: 0\r\nContent-Length: ${bytes.byteLength}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 300_000));
    await until(() => engine.uploads.head(idOf(location), alice).offset === 300_000);
    expect((await call('HEAD', location)).headers['upload-offset']).toBe('300000');
    expect((await patch(location, 300_000, bytes.subarray(300_000))).status).toBe(204);
    await until(() => answered.includes('\r\n\r\n'));
    expect(answered).toMatch(/^HTTP\/1\.1 409 /);
    expect(answered).toMatch(/upload-offset: (300000|1000000)\r\n/i);
    expect((await engine.bytes(idOf(location))).equals(bytes)).toBe(true);
    socket.destroy();
  });

  it('creates nothing when a transfer refuses the upload', async () => {
    claims = () => {
      throw new Error('not for you');
    };
    const { status, body } = await call('POST', uploadsPath, { 'Upload-Length': '10' });
    expect(status).toBe(500);
    expect(body.toString()).not.toContain('not for you');
  });
});
