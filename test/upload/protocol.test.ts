import { Upload, type UploadOptions } from 'tus-js-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { pattern } from './engine.ts';
import { digest, partialUpload, problemOf, RufhServer, stateOf } from './rufh-client.ts';
import { idOf, patchType } from './tus-client.ts';

describe.each(kinds)('both dialects on one path, on %s', (kind) => {
  let server: RufhServer;

  beforeEach(async () => {
    server = await RufhServer.open(kind, { settings: { bytesMax: 50_000_000, checkpointMs: 20 } });
  });
  afterEach(() => server.close());

  it('tells of both in the answer to OPTIONS', async () => {
    for (const headers of [{}, { 'Tus-Resumable': '1.0.0' }, { 'Upload-Complete': '?1' }]) {
      const reply = await server.call('OPTIONS', uploadsPath, headers);
      expect(reply.status).toBe(204);
      expect(reply.headers).toMatchObject({
        'tus-version': '1.0.0',
        'tus-max-size': '50000000',
        'accept-patch': `${partialUpload}, ${patchType}`,
        'upload-limit': 'max-size=50000000, max-age=259200',
        'upload-draft-interop-version': '8',
      });
    }
  });

  it('takes Tus-Resumable for tus, and else what has something of RUFH for RUFH', async () => {
    const { tus } = server;
    const location = await tus.create(10);
    const body = pattern(0);
    const version = { 'Upload-Draft-Interop-Version': '8' };
    const cases: [string, string, string, Record<string, string>, 'tus' | 'rufh'][] = [
      [
        'a tus creation',
        'POST',
        uploadsPath,
        { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1', 'Upload-Complete': '?1' },
        'tus',
      ],
      ['a creation of neither', 'POST', uploadsPath, { 'Upload-Length': '1' }, 'tus'],
      ['a creation with Upload-Complete', 'POST', uploadsPath, { 'Upload-Complete': '?0' }, 'rufh'],
      [
        'a creation with an Upload-Complete of no sense',
        'POST',
        uploadsPath,
        { 'Upload-Complete': 'yes' },
        'rufh',
      ],
      ['a creation with the interop version', 'POST', uploadsPath, version, 'rufh'],
      ['a tus HEAD', 'HEAD', location, { 'Tus-Resumable': '1.0.0' }, 'tus'],
      ['a HEAD', 'HEAD', location, {}, 'rufh'],
      ['a GET', 'GET', location, {}, 'rufh'],
      ['a tus PATCH', 'PATCH', location, { 'Tus-Resumable': '1.0.0', 'Content-Type': partialUpload }, 'tus'],
      ['a PATCH of neither', 'PATCH', location, { 'Upload-Offset': '0', 'Content-Type': patchType }, 'tus'],
      ['a PATCH with a partial upload', 'PATCH', location, { 'Content-Type': partialUpload }, 'rufh'],
      [
        'a PATCH of another type that says whether it completes',
        'PATCH',
        location,
        { 'Upload-Complete': '?0' },
        'rufh',
      ],
      [
        'another method by X-HTTP-Method-Override',
        'POST',
        location,
        { 'X-HTTP-Method-Override': 'DELETE', 'Tus-Resumable': '1' },
        'tus',
      ],
      ['a DELETE', 'DELETE', `${uploadsPath}/x`, {}, 'rufh'],
    ];
    for (const [what, method, path, headers, dialect] of cases) {
      const reply = await server.call(method, path, headers, body);
      const spoken = reply.headers['tus-resumable'] === undefined ? 'rufh' : 'tus';
      expect([what, spoken]).toEqual([what, dialect]);
      expect([what, reply.headers['upload-draft-interop-version']]).toEqual([
        what,
        dialect === 'rufh' ? '8' : undefined,
      ]);
    }
  });

  it('tells a client of neither that it has to say which it speaks', async () => {
    const reply = await server.call('POST', uploadsPath, { 'Upload-Length': '1' }, pattern(1));
    expect([reply.status, problemOf(reply).code]).toEqual([412, 'SLUIS_TUS_VERSION_UNSUPPORTED']);
  });

  it('answers RUFH of an upload that tus began, and lets RUFH go on with it', async () => {
    const bytes = pattern(1000);
    const location = await server.tus.create(1000);
    await server.tus.patch(location, 0, bytes.subarray(0, 400));
    const head = await server.head(location);
    expect([stateOf(head), head.headers['upload-length']]).toEqual([[204, '400', '?0'], '1000']);
    const headers = { 'Content-Digest': digest(bytes.subarray(400, 700)) };
    expect(stateOf(await server.patch(location, 400, bytes.subarray(400, 700), { headers }))).toEqual([
      204,
      '700',
      '?0',
    ]);
    const short = await server.patch(location, 700, bytes.subarray(700, 999), { complete: '?1' });
    expect(stateOf(short)).toEqual([400, '700', '?0']);
    expect(stateOf(await server.patch(location, 700, bytes.subarray(700), { complete: '?1' }))).toEqual([
      201,
      '1000',
      '?1',
    ]);
    expect(server.engine.received).toEqual([idOf(location)]);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('says that an upload of tus is complete when its last byte made it so, though nobody told', async () => {
    const location = await server.tus.create(10);
    expect(stateOf(await server.patch(location, 0, pattern(10), { complete: '?0' }))).toEqual([
      201,
      '10',
      '?1',
    ]);
    expect(server.engine.received).toEqual([idOf(location)]);
  });

  it('keeps an upload of tus when a body goes beyond its length', async () => {
    const location = await server.tus.create(10);
    expect(stateOf(await server.patch(location, 0, pattern(11)))).toEqual([400, '0', '?0']);
    expect((await server.tus.patch(location, 0, pattern(10))).status).toBe(204);
    expect(server.engine.received).toEqual([idOf(location)]);
  });

  it('promises nothing of tus in RUFH: neither that a body is verified, nor that an upload is a part', async () => {
    const checksum = { 'Upload-Checksum': `sha1 ${Buffer.alloc(20).toString('base64')}` };
    const location = await server.create(10);
    for (const headers of [checksum, { 'Upload-Concat': 'partial' }]) {
      const created = await server.post('?1', headers, pattern(5));
      expect([created.status, created.headers.location]).toEqual([400, undefined]);
      expect(problemOf(created)).toMatchObject({ code: 'SLUIS_UPLOAD_HEADER_INVALID' });
      expect(stateOf(await server.patch(location, 0, pattern(5), { headers }))).toEqual([400, '0', '?0']);
    }
    expect(server.engine.received).toEqual([]);
  });

  it('never lets tus take an upload that RUFH began for complete, nor go on with it', async () => {
    const bytes = pattern(100);
    const location = await server.create(100);
    await server.patch(location, 0, bytes);
    const head = await server.tus.head(location);
    expect(head.status).toBe(200);
    expect(head.headers).toMatchObject({ 'upload-offset': '100', 'upload-defer-length': '1' });
    expect(head.headers['upload-length']).toBeUndefined();
    for (const body of [pattern(0), pattern(1)]) {
      const reply = await server.tus.patch(location, 100, body);
      expect([reply.status, problemOf(reply).code, reply.headers['upload-offset']]).toEqual([
        400,
        'SLUIS_UPLOAD_DIALECT',
        '100',
      ]);
    }
    expect(server.engine.received).toEqual([]);
    expect(stateOf(await server.patch(location, 100, pattern(0), { complete: '?1' }))).toEqual([
      201,
      '100',
      '?1',
    ]);
    expect((await server.tus.head(location)).headers).toMatchObject({
      'upload-offset': '100',
      'upload-length': '100',
    });
    expect((await server.tus.call('GET', location)).body.equals(bytes)).toBe(true);
    expect((await server.tus.call('DELETE', location)).status).toBe(204);
  });

  it('takes no bytes for a final upload of tus, in RUFH either', async () => {
    const { tus } = server;
    const part = await tus.create(5, { 'Upload-Concat': 'partial' });
    const { headers } = await tus.post({ 'Upload-Concat': `final;${part}` });
    const final = String(headers.location);
    expect(stateOf(await server.head(final))).toEqual([204, '0', '?0']);
    expect((await server.patch(final, 0, pattern(5))).status).toBe(403);
    expect(stateOf(await server.patch(part, 0, pattern(5), { complete: '?1' }))).toEqual([201, '5', '?1']);
    expect(stateOf(await server.head(final))).toEqual([204, '5', '?1']);
  });

  function send(bytes: Buffer, options: Partial<UploadOptions>): Promise<string> {
    return new Promise((resolve, reject) => {
      // Its types know nothing of this option, its README does.
      const dialect = { protocol: 'ietf-draft-05' };
      const upload = new Upload(bytes, {
        ...dialect,
        endpoint: `http://127.0.0.1:${server.port}${uploadsPath}`,
        headers: { Authorization: 'Bearer a' },
        retryDelays: [10, 20],
        metadata: { filetype: 'application/dicom', to: 'b' },
        ...options,
        onError: reject,
        onSuccess: () => resolve(new URL(upload.url ?? '').pathname),
      });
      upload.start();
    });
  }

  it.each([
    ['in one body', {}],
    ['in bodies of 300 kB', { chunkSize: 300_000 }],
    ['with the creation', { uploadDataDuringCreation: true }],
    ['with the creation, in bodies of 300 kB', { uploadDataDuringCreation: true, chunkSize: 300_000 }],
    ['without a length', { uploadLengthDeferred: true, chunkSize: 300_000 }],
  ])('serves tus-js-client, which speaks draft -05 of RUFH: %s', async (_how, options) => {
    const bytes = pattern(1_000_003);
    const location = await send(bytes, options);
    expect(server.engine.received).toEqual([idOf(location)]);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
    expect(server.engine.record(idOf(location))).toMatchObject({
      filetype: 'application/dicom',
      to: ['b'],
      ends: 'when-told',
    });
  });
});
