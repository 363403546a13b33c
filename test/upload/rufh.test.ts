import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { alice, pattern } from './engine.ts';
import { partialUpload, RufhServer, stateOf } from './rufh-client.ts';
import { base64, idOf } from './tus-client.ts';

const day = 24 * 60 * 60 * 1000;

describe.each(kinds)('Resumable Uploads for HTTP on %s', (kind) => {
  let server: RufhServer;

  beforeEach(async () => {
    server = await RufhServer.open(kind, {
      settings: { bytesMax: 50_000_000, checkpointMs: 20, expiryMs: day, expiryMsMax: 2 * day },
    });
  });
  afterEach(() => server.close());

  /** Seconds that the upload has left, as an answer tells them. */
  const maxAge = (limit: unknown): number => {
    const [, seconds] = /^max-size=50000000, max-age=(\d+)$/.exec(String(limit)) ?? [];
    return Number(seconds);
  };

  it('tells anybody its media type and its limits', async () => {
    for (const more of [{}, { 'Upload-Complete': '?1' }]) {
      const { status, headers } = await server.call('OPTIONS', uploadsPath, { Authorization: '', ...more });
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        'accept-patch': 'application/partial-upload, application/offset+octet-stream',
        'upload-draft-interop-version': '8',
        'tus-version': '1.0.0',
      });
      expect(maxAge(headers['upload-limit'])).toBe(day / 1000);
    }
  });

  it('takes the whole with the creation', async () => {
    const bytes = pattern(300_000);
    const reply = await server.post('?1', { 'Content-Type': 'application/dicom' }, bytes);
    expect(stateOf(reply)).toEqual([201, '300000', '?1']);
    const location = String(reply.headers.location);
    expect(server.engine.received).toEqual([idOf(location)]);
    expect(server.engine.record(idOf(location))).toMatchObject({
      filetype: 'application/dicom',
      length: 300_000,
    });
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
    const head = await server.head(location);
    expect(stateOf(head)).toEqual([204, '300000', '?1']);
    expect(head.headers).toMatchObject({ 'upload-length': '300000', 'cache-control': 'no-store' });
  });

  it('takes a representation of no bytes', async () => {
    const reply = await server.post('?1');
    expect(stateOf(reply)).toEqual([201, '0', '?1']);
    expect(server.engine.received).toEqual([idOf(String(reply.headers.location))]);
  });

  it('creates without bytes, takes bodies, and is complete when told, not when the length is reached', async () => {
    const bytes = pattern(100_000);
    const created = await server.post('?0', { 'Upload-Length': '100000' });
    expect(stateOf(created)).toEqual([201, '0', '?0']);
    expect(maxAge(created.headers['upload-limit'])).toBeGreaterThan(0);
    const location = String(created.headers.location);
    expect(location).toMatch(/^\/v1\/uploads\/[0-9a-f-]{36}$/);
    expect(stateOf(await server.patch(location, 0, bytes.subarray(0, 60_000)))).toEqual([204, '60000', '?0']);
    expect(stateOf(await server.patch(location, 60_000, bytes.subarray(60_000)))).toEqual([
      204,
      '100000',
      '?0',
    ]);
    expect(server.engine.received).toEqual([]);
    const head = await server.head(location);
    expect(stateOf(head)).toEqual([204, '100000', '?0']);
    expect(head.headers['upload-length']).toBe('100000');
    const told = await server.patch(location, 100_000, pattern(0), { complete: '?1' });
    expect([stateOf(told), told.headers.location]).toEqual([[201, '100000', '?1'], location]);
    expect(server.engine.received).toEqual([idOf(location)]);
    expect((await server.call('GET', location)).body.equals(bytes)).toBe(true);
  });

  it('takes the first bytes with the creation, and the rest with the request that completes', async () => {
    const bytes = pattern(200_000);
    const reply = await server.post('?0', { 'Upload-Length': '200000' }, bytes.subarray(0, 150_000));
    expect(stateOf(reply)).toEqual([201, '150000', '?0']);
    const location = String(reply.headers.location);
    const last = await server.patch(location, 150_000, bytes.subarray(150_000), { complete: '?1' });
    expect(stateOf(last)).toEqual([201, '200000', '?1']);
    expect(server.engine.received).toEqual([idOf(location)]);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('learns the length from the request that completes', async () => {
    const location = await server.create();
    expect((await server.head(location)).headers['upload-length']).toBeUndefined();
    await server.patch(location, 0, pattern(70));
    expect((await server.head(location)).headers['upload-length']).toBeUndefined();
    await server.patch(location, 70, pattern(30), { complete: '?1' });
    expect((await server.head(location)).headers['upload-length']).toBe('100');
  });

  it('keeps a length that is told on the way', async () => {
    const location = await server.create();
    await server.patch(location, 0, pattern(70), { headers: { 'Upload-Length': '100' } });
    expect((await server.head(location)).headers['upload-length']).toBe('100');
    await server.patch(location, 70, pattern(0), { headers: { 'Upload-Length': '100' } });
    expect((await server.head(location)).headers['upload-length']).toBe('100');
  });

  it('takes a body of no bytes on the way', async () => {
    const location = await server.create(10);
    expect(stateOf(await server.patch(location, 0, pattern(0)))).toEqual([204, '0', '?0']);
  });

  it('tells how long it lives, and nothing of it once it belongs to a transfer', async () => {
    const location = await server.create(10);
    const before = maxAge((await server.head(location)).headers['upload-limit']);
    expect(before).toBeGreaterThan(day / 1000 - 600);
    expect(before).toBeLessThanOrEqual(day / 1000);
    const transfer = '01890a5d-ac96-774b-bcce-b302099a8058';
    const claimed = await server.post(
      '?1',
      { 'Upload-Metadata': `transfer ${base64(transfer)}` },
      pattern(5),
    );
    expect(claimed.headers['upload-limit']).toBe('max-size=50000000');
  });

  it('removes what is cancelled', async () => {
    const location = await server.create(10);
    await server.patch(location, 0, pattern(5));
    expect((await server.call('DELETE', location)).status).toBe(204);
    for (const reply of [
      await server.head(location),
      await server.patch(location, 5, pattern(5)),
      await server.call('DELETE', location),
    ]) {
      expect(stateOf(reply)).toEqual([404, undefined, undefined]);
    }
    expect(() => server.engine.record(idOf(location))).toThrow();
    const whole = String((await server.post('?1', {}, pattern(5))).headers.location);
    expect((await server.call('DELETE', whole)).status).toBe(204);
  });

  it('takes addressing from Upload-Metadata, and keeps it sealed', async () => {
    const metadata = `filename ${base64('Jansen.dcm')},priority ${base64('urgent')},to ${base64('b,c')}`;
    const location = await server.create(10, {
      'Upload-Metadata': metadata,
      'Content-Disposition': 'inline; filename="Jansen.dcm"',
    });
    const record = server.engine.record(idOf(location));
    expect(record).toMatchObject({ priority: 'urgent', to: ['b', 'c'], ends: 'when-told', filetype: null });
    expect(Buffer.from(record.metadata ?? []).includes('filename')).toBe(false);
    expect(JSON.stringify(record)).not.toContain('Jansen');
    expect(JSON.stringify((await server.head(location)).headers)).not.toContain('filename');
  });

  it('takes the media type from Content-Type, without parameters that may name a person', async () => {
    const multipart = 'multipart/related; type="application/dicom"; boundary=';
    for (const [sent, kept] of [
      [`${multipart}a/b`, `${multipart}"a/b"`],
      ['application/dicom; name="Jansen"', 'application/dicom'],
      ['Application/DICOM', 'application/dicom'],
      // Some clients label the first part of an upload like the others.
      [partialUpload, null],
      ['', null],
    ] as const) {
      const location = await server.create(10, { 'Content-Type': sent });
      expect(server.engine.record(idOf(location)).filetype).toBe(kept);
    }
  });

  it('believes a filetype in Upload-Metadata before Content-Type, which programs fill in by themselves', async () => {
    const location = await server.create(10, {
      'Content-Type': 'application/x-www-form-urlencoded',
      'Upload-Metadata': `filetype ${base64('application/dicom')}`,
    });
    expect(server.engine.record(idOf(location)).filetype).toBe('application/dicom');
  });

  it('serves clients of any iteration of the draft, since only a 104 would depend on it', async () => {
    for (const version of ['8', '6', 'x']) {
      const reply = await server.post('?1', { 'Upload-Draft-Interop-Version': version }, pattern(10));
      expect(stateOf(reply)).toEqual([201, '10', '?1']);
      expect(reply.headers['upload-draft-interop-version']).toBe('8');
    }
  });

  it('reads over parameters of the fields', async () => {
    const location = await server.create(10);
    const reply = await server.patch(location, '0;a=1', pattern(10), { complete: '?1;b' });
    expect(stateOf(reply)).toEqual([201, '10', '?1']);
  });

  it('takes an Upload-Length that is no number of bytes for none, as the draft has it', async () => {
    for (const length of ['abc', '-1', '1.0', '"10"', '10, 10', '1'.repeat(16), '']) {
      const location = await server.create(undefined, { 'Upload-Length': length });
      expect([length, server.engine.record(idOf(location)).length]).toEqual([length, null]);
    }
  });

  it('lets colleagues go on with an upload, and hides it from other organizations', async () => {
    const location = await server.create(10);
    expect(stateOf(await server.patch(location, 0, pattern(5), { token: 'a2' }))).toEqual([204, '5', '?0']);
    for (const method of ['HEAD', 'GET', 'DELETE']) {
      const reply = await server.call(method, location, {}, undefined, { token: 'm' });
      expect(stateOf(reply)).toEqual([404, undefined, undefined]);
    }
    const patched = await server.patch(location, 5, pattern(5), { token: 'm' });
    expect(stateOf(patched)).toEqual([404, undefined, undefined]);
    expect(patched.headers['upload-limit']).toBeUndefined();
    expect(server.engine.uploads.head(idOf(location), alice).offset).toBe(5);
  });

  it('serves what is there so far with its state', async () => {
    const location = await server.create(100);
    await server.patch(location, 0, pattern(40));
    const reply = await server.call('GET', location);
    expect(stateOf(reply)).toEqual([200, '40', '?0']);
    expect(reply.headers).toMatchObject({
      'upload-length': '100',
      'cache-control': 'no-store',
      'content-disposition': 'attachment',
    });
    expect(reply.body.equals(pattern(40))).toBe(true);
  });
});

describe.runIf(kinds.includes('node-http'))('chunked bodies (node-http)', () => {
  let server: RufhServer;

  beforeEach(async () => {
    server = await RufhServer.open('node-http', { settings: { bytesMax: 1_000_000, checkpointMs: 20 } });
  });
  afterEach(() => server.close());

  it('have the length that they turn out to have', async () => {
    const bytes = pattern(300_000);
    const reply = await server.post('?1', {}, bytes, { isChunked: true });
    expect(stateOf(reply)).toEqual([201, '300000', '?1']);
    const location = String(reply.headers.location);
    expect((await server.head(location)).headers['upload-length']).toBe('300000');
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('that say they complete an upload and stop short of its length do not', async () => {
    const location = await server.create(100);
    const reply = await server.patch(location, 0, pattern(60), { complete: '?1', isChunked: true });
    expect(stateOf(reply)).toEqual([400, '60', '?0']);
    expect(server.engine.received).toEqual([]);
    expect(stateOf(await server.patch(location, 60, pattern(40), { complete: '?1' }))).toEqual([
      201,
      '100',
      '?1',
    ]);
  });

  it('may be no larger than an upload may', async () => {
    const reply = await server.post('?0', {}, pattern(1_000_001), { isChunked: true });
    expect(stateOf(reply)).toEqual([413, undefined, '?0']);
    expect(reply.headers['upload-limit']).toMatch(/^max-size=1000000, /);
    expect(server.engine.uploads.load.open).toBe(0);
    const location = await server.create();
    await server.patch(location, 0, pattern(600_000));
    const beyond = await server.patch(location, 600_000, pattern(400_001), { isChunked: true });
    expect(beyond.status).toBe(413);
    expect(beyond.headers['upload-limit']).toMatch(/^max-size=1000000, /);
  });
});

describe.runIf(kinds.includes('uws'))('chunked bodies (uws)', () => {
  it('are refused before the first byte', async () => {
    const server = await RufhServer.open('uws');
    try {
      const reply = await server.post('?1', {}, pattern(10), { isChunked: true });
      expect(reply.status).toBe(411);
      expect(server.engine.uploads.load.open).toBe(0);
    } finally {
      await server.close();
    }
  });
});
