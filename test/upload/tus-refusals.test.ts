import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { StorageBehind, StorageFull } from '../../src/storage/errors.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { type EngineOptions, fuzz, pattern } from './engine.ts';
import { codeOf, patchType, type SentHeaders, TusServer } from './tus-client.ts';
import { withWriter } from './wrapped-storage.ts';

const retryAfter = /^[1-9]\d*$/;

describe.each(kinds)('what tus refuses on %s', (kind) => {
  let tus: TusServer;

  const open = async (options: EngineOptions): Promise<void> => {
    tus = await TusServer.open(kind, options);
  };
  afterEach(() => tus.close());

  it('is a creation above the quota: 429, when to ask again, and finished uploads make room', async () => {
    await open({ settings: { openMax: 2 } });
    const path = await tus.create(10);
    await tus.create(10);
    const refused = await tus.post({ 'Upload-Length': '10' });
    expect([refused.status, codeOf(refused)]).toEqual([429, 'SLUIS_UPLOAD_QUOTA_EXCEEDED']);
    expect(refused.headers['retry-after']).toMatch(retryAfter);
    const other = { token: 'm' };
    expect((await tus.call('POST', uploadsPath, { 'Upload-Length': '1' }, undefined, other)).status).toBe(
      201,
    );
    expect((await tus.patch(path, 0, pattern(10))).status).toBe(204);
    expect((await tus.post({ 'Upload-Length': '10' })).status).toBe(201);
  });

  it('is a creation that the disk is too full for: bulk before routine before acute', async () => {
    await open({ settings: { watermarks: { bulk: 0, routine: 0, urgent: 2, acute: 2 } } });
    const ask = (priority: string) => {
      const metadata = `priority ${Buffer.from(priority).toString('base64')}`;
      return tus.post({ 'Upload-Length': '10', 'Upload-Metadata': metadata });
    };
    for (const priority of ['bulk', 'routine']) {
      const refused = await ask(priority);
      expect([refused.status, codeOf(refused)]).toEqual([503, 'SLUIS_UPLOAD_PRIORITY_REFUSED']);
      expect(refused.headers['retry-after']).toMatch(retryAfter);
    }
    for (const priority of ['urgent', 'acute']) {
      expect((await ask(priority)).status).toBe(201);
    }
  });

  it('is a creation that does not fit: 507', async () => {
    await open({ settings: { reserveBytes: Number.MAX_SAFE_INTEGER / 2 } });
    const refused = await tus.post({ 'Upload-Length': '10' });
    expect([refused.status, codeOf(refused)]).toEqual([507, 'SLUIS_STORAGE_FULL']);
    expect(refused.headers['retry-after']).toMatch(retryAfter);
  });

  it.each([
    [new StorageBehind({}), 503, 'SLUIS_STORAGE_BEHIND'],
    [new StorageFull('full'), 507, 'SLUIS_STORAGE_FULL'],
  ])('is a body that there is no room for, with the true offset: %s', async (error, status, code) => {
    let isFull = false;
    await open({
      wrap: (storage) =>
        withWriter(storage, (writer) => ({
          write: (bytes, position) => (isFull ? Promise.reject(error) : writer.write(bytes, position)),
        })),
    });
    const path = await tus.create(100);
    await tus.patch(path, 0, pattern(40));
    isFull = true;
    const refused = await tus.patch(path, 40, pattern(60));
    expect([refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([status, code, '40']);
    expect(refused.headers['retry-after']).toMatch(retryAfter);
    isFull = false;
    expect((await tus.patch(path, 40, pattern(60))).headers['upload-offset']).toBe('100');
  });

  it('is a body while the program stops: 503, the true offset, and when to ask again', async () => {
    await open({});
    const path = await tus.create(100);
    await tus.patch(path, 0, pattern(40));
    await tus.engine.uploads.stop();
    const refused = await tus.patch(path, 40, pattern(60));
    expect([refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([
      503,
      'SLUIS_UPLOADS_STOPPING',
      '40',
    ]);
    expect(refused.headers['retry-after']).toMatch(retryAfter);
  });

  it('is a body of another type, with the true offset', async () => {
    await open({});
    const path = await tus.create(100);
    await tus.patch(path, 0, pattern(40));
    for (const type of [
      '',
      'text/plain',
      'application/octet-stream',
      `${patchType}x`,
      `${patchType}, text/plain`,
    ]) {
      const refused = await tus.patch(path, 40, pattern(10), { 'Content-Type': type });
      expect([type, refused.status, refused.headers['upload-offset']]).toEqual([type, 415, '40']);
    }
    expect(
      (await tus.patch(path, 40, pattern(1), { 'Content-Type': `${patchType.toUpperCase()} ; a=b` })).status,
    ).toBe(204);
  });

  // What an HTTP client lets through as the value of a header.
  const value = fc.oneof(
    fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
    fc.constantFrom('0', '1', '10', '-1', '1e1', '0x1', '1.0.0', 'partial', 'final;', 'PATCH', patchType),
  );
  const names = [
    'Content-Type',
    'Tus-Resumable',
    'Upload-Checksum',
    'Upload-Concat',
    'Upload-Defer-Length',
    'Upload-Length',
    'Upload-Metadata',
    'Upload-Offset',
    'X-HTTP-Method-Override',
  ];
  const garbage = fc.dictionary(fc.constantFrom(...names), fc.oneof(value, fc.tuple(value, value)), {
    maxKeys: 3,
  });

  it('is never a fault of its own, whatever the headers say, and what is refused changes nothing', async () => {
    await open({ settings: { openMax: 1_000_000 } });
    const known = await tus.create(1_000_000);
    await tus.patch(known, 0, pattern(4));
    const statuses = new Set<number>();
    const request = fc.tuple(fc.constantFrom('POST', 'PATCH', 'HEAD', 'GET'), garbage);
    await fc.assert(
      fc.asyncProperty(request, async ([method, headers]) => {
        const path = method === 'POST' ? uploadsPath : known;
        const before = await tus.head(known);
        const offset = Number(before.headers['upload-offset']);
        // Right, but for what is put in the place of some.
        const right: SentHeaders =
          method === 'PATCH'
            ? { 'Content-Type': patchType, 'Upload-Offset': String(offset) }
            : { 'Upload-Length': '10' };
        const sent = { ...right, ...headers };
        const { status, headers: answered } = await tus.call(method, path, sent, pattern(1));
        statuses.add(status);
        expect(status).toBeLessThan(500);
        const after = await tus.head(known);
        expect(Number(after.headers['upload-offset'])).toBe(status === 204 ? offset + 1 : offset);
        if (status >= 400 && method === 'PATCH' && 'upload-offset' in answered) {
          expect(answered['upload-offset']).toBe(String(offset));
        }
      }),
      fuzz,
    );
    expect([...statuses]).toEqual(expect.arrayContaining([200, 204, 400, 405, 412, 415]));
  });
});
