import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StorageBehind } from '../../src/storage/errors.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { until } from '../support/until.ts';
import { alice, pattern } from './engine.ts';
import { codeOf, idOf, locationOf, openPatch, patchType, TusServer } from './tus-client.ts';
import { withWriter } from './wrapped-storage.ts';

describe.each(kinds)('tus creation-with-upload on %s', (kind) => {
  let tus: TusServer;
  /** What writing to the storage throws, once. */
  let failure: Error | undefined;

  const failing = (storage: Storage): Storage =>
    withWriter(storage, (writer) => ({
      write: (bytes, position) => {
        const thrown = failure;
        failure = undefined;
        return thrown === undefined ? writer.write(bytes, position) : Promise.reject(thrown);
      },
    }));

  beforeEach(async () => {
    failure = undefined;
    tus = await TusServer.open(kind, { settings: { writersMax: 1, checkpointMs: 5 }, wrap: failing });
  });
  afterEach(() => tus.close());

  const headers = (length: number) => ({ 'Upload-Length': String(length), 'Content-Type': patchType });

  it('takes the first bytes, or all of them, with the creation', async () => {
    const bytes = pattern(200_000);
    const begun = await tus.post(headers(200_000), bytes.subarray(0, 150_000));
    expect([begun.status, begun.headers['upload-offset']]).toEqual([201, '150000']);
    expect((await tus.patch(locationOf(begun), 150_000, bytes.subarray(150_000))).status).toBe(204);
    const whole = await tus.call('POST', `${uploadsPath}/`, headers(200_000), bytes);
    expect(whole.headers['upload-offset']).toBe('200000');
    expect(tus.engine.received).toEqual([idOf(locationOf(begun)), idOf(locationOf(whole))]);
    for (const reply of [begun, whole]) {
      expect((await tus.engine.bytes(idOf(locationOf(reply)))).equals(bytes)).toBe(true);
    }
  });

  it('creates nothing for a body beyond the length, or of another type', async () => {
    const beyond = await tus.post(headers(10), pattern(11));
    expect([beyond.status, codeOf(beyond)]).toEqual([413, 'SLUIS_UPLOAD_BODY_BEYOND_LENGTH']);
    const other = await tus.post({ ...headers(10), 'Content-Type': 'application/json' }, pattern(10));
    expect([other.status, codeOf(other)]).toEqual([415, 'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED']);
    expect([beyond.headers.location, other.headers.location]).toEqual([undefined, undefined]);
    expect(tus.engine.uploads.load.open).toBe(0);
  });

  it.each([
    ['is full', Object.assign(new Error('no space left'), { code: 'ENOSPC' })],
    ['does not keep up', new StorageBehind({})],
  ])('creates the upload when the storage %s, to go on with later', async (_what, error) => {
    failure = error;
    const begun = await tus.post(headers(1000), pattern(1000));
    const path = locationOf(begun);
    expect(begun.headers['upload-offset']).toBe('0');
    expect((await tus.patch(path, 0, pattern(1000))).status).toBe(204);
    expect((await tus.engine.bytes(idOf(path))).equals(pattern(1000))).toBe(true);
  });

  it('creates the upload when as many write as may, to go on with later', async () => {
    const busy = await tus.create(1000);
    const client = await openPatch(tus.port, busy, { 'Content-Length': 1000 });
    await client.send(pattern(500));
    await until(() => tus.engine.uploads.head(idOf(busy), alice).offset === 500);
    const begun = await tus.post(headers(10), pattern(10));
    const path = locationOf(begun);
    expect(begun.headers['upload-offset']).toBe('0');
    const refused = await tus.patch(path, 0, pattern(10));
    expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([
      503,
      'SLUIS_UPLOAD_TOO_MANY_WRITERS',
      '5',
    ]);
    expect(refused.headers['upload-offset']).toBe('0');
    client.socket.destroy();
    await until(() => tus.engine.uploads.load.writers === 0);
    expect((await tus.patch(path, 0, pattern(10))).status).toBe(204);
  });

  it('tells where the upload is when anything else goes wrong with its bytes', async () => {
    failure = new Error('the disk is on fire');
    const failed = await tus.post(headers(1000), pattern(1000));
    expect([failed.status, failed.headers['upload-offset']]).toEqual([500, '0']);
    expect(failed.body.toString()).not.toContain('fire');
    const { location = '' } = failed.headers;
    expect((await tus.patch(location, 0, pattern(1000))).status).toBe(204);
  });
});
