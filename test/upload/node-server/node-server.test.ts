import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uploadsPath } from '../../../src/upload/address.ts';
import { UploadNotFound } from '../../../src/upload/errors.ts';
import { reset } from '../../support/reset.ts';
import { until } from '../../support/until.ts';
import { alice, type Engine, pattern } from '../engine.ts';
import {
  base64,
  codeOf,
  idOf,
  locationOf,
  openPatch,
  patchType,
  type Reply,
  type TusServer,
} from '../tus-client.ts';
import { openNodeServer } from './open.ts';

const hour = 3_600_000;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

describe('the engine tus-node-server', () => {
  let tus: TusServer;
  let engine: Engine;
  let now: number;
  let claims: () => void;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    now = Date.now();
    claims = () => undefined;
    tus = await openNodeServer({
      settings: { bytesMax: 50_000_000, checkpointMs: 20, expiryMs: 2 * hour, expiryMsMax: 5 * hour },
      hooks: { claims: () => claims() },
      now: () => now,
    });
    ({ engine } = tus);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await tus.close();
  });

  const offsetOf = ({ headers }: Reply): string | undefined => headers['upload-offset'] as string | undefined;

  /** A PATCH that has sent what it is given of a longer body, and then says nothing. */
  function halfOpen(
    path: string,
    length: number,
    sent: Uint8Array,
  ): { socket: Socket; answer: () => string } {
    const socket = connect({ port: tus.port, host: '127.0.0.1' });
    sockets.push(socket);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.write(
      `PATCH ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nTus-Resumable: 1.0.0\r\n` +
        `Content-Type: ${patchType}\r\nUpload-Offset: 0\r\nContent-Length: ${length}\r\n\r\n`,
    );
    socket.write(sent);
    return { socket, answer: () => answer };
  }

  it('creates, takes bodies, tells the offset, and gives the whole back', async () => {
    const bytes = pattern(3_000_000);
    const path = await tus.create(bytes.byteLength);
    const first = await tus.patch(path, 0, bytes.subarray(0, 1_234_567));
    expect([first.status, offsetOf(first)]).toEqual([204, '1234567']);
    const head = await tus.head(path);
    expect([head.status, head.headers]).toMatchObject([
      200,
      {
        'upload-offset': '1234567',
        'upload-length': '3000000',
        'cache-control': 'no-store',
        'tus-resumable': '1.0.0',
      },
    ]);
    expect((await tus.patch(path, 1_234_567, bytes.subarray(1_234_567))).status).toBe(204);
    expect(engine.received).toEqual([idOf(path)]);
    const got = await tus.call('GET', path);
    expect(got.body.equals(bytes)).toBe(true);
    expect(got.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'cache-control': 'no-store',
    });
    expect((await tus.patch(path, bytes.byteLength, pattern(0))).status).toBe(204);
    expect(engine.received).toHaveLength(1);
  });

  it('takes the first bytes together with the creation, and chunked ones', async () => {
    const bytes = pattern(200_000);
    const whole = await tus.post({ 'Upload-Length': '200000', 'Content-Type': patchType }, bytes);
    expect([whole.status, offsetOf(whole)]).toEqual([201, '200000']);
    const path = await tus.create('deferred');
    expect((await tus.head(path)).headers['upload-defer-length']).toBe('1');
    expect(offsetOf(await tus.patch(path, 0, bytes.subarray(0, 50_000), {}, true))).toBe('50000');
    const rest = await tus.patch(path, 50_000, bytes.subarray(50_000), { 'Upload-Length': '200000' }, true);
    expect([rest.status, offsetOf(rest)]).toEqual([204, '200000']);
    expect((await engine.bytes(idOf(path))).equals(bytes)).toBe(true);
    expect(engine.received).toEqual([idOf(locationOf(whole)), idOf(path)]);
  });

  it('never completes an upload with chunks that go beyond its length', async () => {
    const path = await tus.create(100);
    const client = await openPatch(tus.port, path, { 'Transfer-Encoding': 'chunked' });
    sockets.push(client.socket);
    await client.send(Buffer.concat([Buffer.from('64\r\n'), pattern(100), Buffer.from('\r\n')]));
    await until(() => statSync(engine.fileOf(idOf(path))).size === 100);
    await client.send('1\r\nx\r\n0\r\n\r\n');
    expect((await client.answer())?.status).toBe(413);
    expect(engine.received).toEqual([]);
    expect((await tus.patch(path, 0, pattern(100))).status).toBe(204);
    expect(engine.received).toEqual([idOf(path)]);
  });

  it('keeps metadata sealed, shows it to its creator only, and reads what we read in it', async () => {
    const metadata = `filename ${base64('Jänsen €.dcm')},priority ${base64('urgent')},to ${base64('b,c')},empty`;
    const bytes = pattern(10);
    const path = await tus.create(10, { 'Upload-Metadata': metadata });
    const record = engine.record(idOf(path));
    expect(record).toMatchObject({ priority: 'urgent', to: ['b', 'c'], from: null });
    expect(Buffer.from(record.metadata ?? []).includes('filename')).toBe(false);
    expect((await tus.head(path)).headers['upload-metadata']).toBe(metadata);
    const colleague = await tus.call('HEAD', path, {}, undefined, { token: 'a2' });
    expect([colleague.status, colleague.headers['upload-metadata']]).toEqual([200, undefined]);
    await tus.patch(path, 0, bytes);
    // A name with a letter beyond Latin-1 is none that @tus/server could put into a header.
    const got = await tus.call('GET', path);
    expect([got.status, got.headers['content-disposition']]).toEqual([200, 'attachment']);
  });

  it('lets nobody in without a key, and hides what is of another organization', async () => {
    const path = await tus.create(10);
    const stranger = await tus.call('HEAD', path, {}, undefined, { token: 'x' });
    expect([stranger.status, stranger.headers['www-authenticate']]).toEqual([401, 'Bearer realm="sluis"']);
    const refused = await tus.call('POST', uploadsPath, { 'Upload-Length': '1' }, undefined, { token: 'x' });
    expect([refused.status, codeOf(refused)]).toEqual([401, 'SLUIS_ACCESS_UNAUTHORIZED']);
    const other = { token: 'm' };
    const body = { 'Content-Type': patchType, 'Upload-Offset': '0' };
    for (const reply of [
      await tus.call('HEAD', path, {}, undefined, other),
      await tus.call('PATCH', path, body, pattern(10), other),
      await tus.call('DELETE', path, {}, undefined, other),
      await tus.call('GET', path, {}, undefined, other),
    ]) {
      expect(reply.status).toBe(404);
    }
    expect(engine.record(idOf(path)).offset).toBe(0);
    expect((await tus.call('OPTIONS', uploadsPath, { Authorization: '' })).status).toBe(204);
  });

  it('answers what our engine refuses as it is answered everywhere, and nothing of what went wrong inside', async () => {
    const path = await tus.create(100);
    const wrong = await tus.patch(path, 0, pattern(10), {
      'Upload-Checksum': `sha256 ${sha256(pattern(11))}`,
    });
    expect([wrong.status, codeOf(wrong)]).toEqual([460, 'SLUIS_UPLOAD_CHECKSUM_MISMATCH']);
    expect(offsetOf(await tus.head(path))).toBe('0');
    const right = await tus.patch(path, 0, pattern(10), {
      'Upload-Checksum': `sha256 ${sha256(pattern(10))}`,
    });
    expect([right.status, offsetOf(right)]).toEqual([204, '10']);
    const priority = await tus.post({ 'Upload-Length': '1', 'Upload-Metadata': `priority ${base64('x')}` });
    expect([priority.status, codeOf(priority)]).toEqual([400, 'SLUIS_UPLOAD_HEADER_INVALID']);
    claims = () => {
      throw Object.assign(new Error("EACCES: permission denied, open '/secret'"), { code: 'EACCES' });
    };
    const failed = await tus.post({ 'Upload-Length': '1' });
    expect([failed.status, codeOf(failed)]).toEqual([500, 'SLUIS_INTERNAL']);
    expect(failed.body.toString()).not.toMatch(/EACCES|secret/);
    claims = () => {
      throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
    };
    const full = await tus.post({ 'Upload-Length': '1' });
    expect([full.status, codeOf(full)]).toEqual([507, 'SLUIS_STORAGE_FULL']);
  });

  it('says nothing to pages of other origins', async () => {
    for (const method of ['OPTIONS', 'POST']) {
      const { headers } = await tus.call(method, uploadsPath, { Origin: 'https://elsewhere.example' });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('does not ask where it is reached: a chain of proxies is no reason to refuse', async () => {
    const path = await tus.create(10, { 'X-Forwarded-Proto': 'https,http', 'X-Forwarded-Host': 'a, b' });
    expect((await tus.head(`${path}?from=here`)).status).toBe(200);
  });

  it('lets an upload expire so long after its last byte, and no later than so long after its creation', async () => {
    const second = (at: number) => new Date(at).toUTCString();
    const created = await tus.post({ 'Upload-Length': '100' });
    expect(created.headers['upload-expires']).toBe(second(now + 2 * hour));
    const path = locationOf(created);
    now += hour;
    expect((await tus.patch(path, 0, pattern(10))).headers['upload-expires']).toBe(second(now + 2 * hour));
    now += 1.5 * hour;
    await tus.patch(path, 10, pattern(10));
    now += 1.5 * hour;
    const last = now + hour;
    expect((await tus.patch(path, 20, pattern(10))).headers['upload-expires']).toBe(second(last));
    now = last + 1;
    expect(await engine.uploads.expire()).toBe(1);
    expect((await tus.head(path)).status).toBe(404);
  });

  it('says of one whose time is over that it is gone, before the janitor has come', async () => {
    now -= 3 * hour;
    const path = await tus.create(100);
    expect((await tus.head(path)).status).toBe(410);
    expect((await tus.patch(path, 0, pattern(10))).status).toBe(410);
    const received = await tus.post({ 'Upload-Length': '10', 'Content-Type': patchType }, pattern(10));
    expect((await tus.head(locationOf(received))).status).toBe(200);
  });

  it('answers HEAD at once while a body comes, and disturbs it not', async () => {
    const bytes = pattern(1_000_000);
    const path = await tus.create(bytes.byteLength);
    const old = halfOpen(path, bytes.byteLength, bytes.subarray(0, 300_000));
    await until(() => engine.uploads.head(idOf(path), alice).offset === 300_000);
    expect(offsetOf(await tus.head(path))).toBe('300000');
    old.socket.write(bytes.subarray(300_000));
    await until(() => old.answer().includes('\r\n\r\n'));
    expect(old.answer()).toMatch(/^HTTP\/1\.1 204 /);
    expect((await engine.bytes(idOf(path))).equals(bytes)).toBe(true);
  });

  it('replaces a holder that has stalled, and tells it what was taken of its body', async () => {
    const bytes = pattern(1_000_000);
    const path = await tus.create(bytes.byteLength);
    const old = halfOpen(path, bytes.byteLength, bytes.subarray(0, 300_000));
    await until(() => engine.uploads.head(idOf(path), alice).offset === 300_000);
    expect((await tus.patch(path, 300_000, bytes.subarray(300_000))).status).toBe(204);
    await until(() => old.answer().includes('\r\n\r\n'));
    // As @tus/server has it: 204 and the offset that it ended at. Our own dialect says 409.
    expect(old.answer()).toMatch(/^HTTP\/1\.1 204 /);
    expect(old.answer()).toMatch(/upload-offset: 300000\r\n/i);
    // What it still sends goes nowhere.
    old.socket.write(pattern(100_000, 7));
    expect((await engine.bytes(idOf(path))).equals(bytes)).toBe(true);
    expect((await engine.file(idOf(path))).equals(bytes)).toBe(true);
  });

  it('lets one of twenty that come at once win, and interleaves nothing', async () => {
    const path = await tus.create(50_000);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, seed) => tus.patch(path, 0, pattern(50_000, seed))),
    );
    const winners = replies.flatMap((reply, seed) =>
      reply.status === 204 && offsetOf(reply) === '50000' ? [seed] : [],
    );
    expect(winners).toHaveLength(1);
    expect(replies.filter(({ status }) => status !== 204 && status !== 409)).toEqual([]);
    expect((await engine.bytes(idOf(path))).equals(pattern(50_000, winners[0]))).toBe(true);
  });

  it('ends a running body when its upload is deleted', async () => {
    const path = await tus.create(1_000_000);
    halfOpen(path, 1_000_000, pattern(1000));
    await until(() => engine.uploads.load.writers === 1);
    expect((await tus.call('DELETE', path)).status).toBe(204);
    await until(() => engine.uploads.load.writers === 0);
    expect(() => engine.uploads.head(idOf(path), alice)).toThrow(UploadNotFound);
  });

  it.each([
    ['reset', reset],
    ['closed', (socket: Socket) => socket.destroy()],
  ])(
    'keeps every byte that arrived before its connection was %s, lets go of the upload, and goes on',
    async (_how, cut) => {
      const bytes = pattern(4_000_000);
      const path = await tus.create(bytes.byteLength);
      const { socket } = halfOpen(path, bytes.byteLength, bytes.subarray(0, 1_500_000));
      await until(() => engine.uploads.head(idOf(path), alice).offset === 1_500_000);
      cut(socket);
      await until(() => engine.uploads.load.writers === 0);
      expect(offsetOf(await tus.head(path))).toBe('1500000');
      expect((await tus.patch(path, 1_500_000, bytes.subarray(1_500_000))).status).toBe(204);
      expect(sha256(await engine.bytes(idOf(path)))).toBe(sha256(bytes));
    },
  );

  it('counts nothing of a body with a checksum that did not come whole', async () => {
    const bytes = pattern(1000);
    const path = await tus.create(1000);
    const socket = connect({ port: tus.port, host: '127.0.0.1' });
    sockets.push(socket);
    socket.write(
      `PATCH ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nTus-Resumable: 1.0.0\r\n` +
        `Content-Type: ${patchType}\r\nUpload-Offset: 0\r\nContent-Length: 1000\r\n` +
        `Upload-Checksum: sha256 ${sha256(bytes)}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 600));
    await until(() => engine.uploads.load.writers === 1);
    reset(socket);
    await until(() => engine.uploads.load.writers === 0);
    expect(offsetOf(await tus.head(path))).toBe('0');
  });

  it('tells who still sends to come back when the program stops', async () => {
    const path = await tus.create(1_000_000);
    const old = halfOpen(path, 1_000_000, pattern(1000));
    await until(() => engine.uploads.head(idOf(path), alice).offset === 1000);
    await engine.uploads.stop();
    await until(() => old.answer().includes('\r\n\r\n'));
    expect(old.answer()).toMatch(/^HTTP\/1\.1 503 /);
  });
});
