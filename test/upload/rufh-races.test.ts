import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/state/ids.ts';
import { keys } from '../../src/state/keys.ts';
import { UploadClaimed } from '../../src/upload/errors.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { until } from '../support/until.ts';
import { alice, pattern } from './engine.ts';
import { digest, partialUpload, RufhServer, stateOf } from './rufh-client.ts';
import { base64, idOf } from './tus-client.ts';

/** A transfer, of which only the id matters here. */
const transfer = newId();

describe.each(kinds)('Resumable Uploads for HTTP, cut and doubled, on %s', (kind) => {
  let server: RufhServer;

  beforeEach(async () => {
    server = await RufhServer.open(kind, { settings: { checkpointMs: 20 } });
  });
  afterEach(() => server.close());

  const append = (offset: number, length: number, complete = '?1'): Record<string, string> => ({
    'Content-Type': partialUpload,
    'Upload-Offset': String(offset),
    'Upload-Complete': complete,
    'Content-Length': String(length),
  });
  const offsetOf = (location: string): number => server.engine.uploads.head(idOf(location), alice).offset;

  it('keeps what arrived when the socket is reset, and is completed from there, once', async () => {
    const bytes = pattern(4_000_000);
    const location = await server.create(bytes.byteLength);
    const socket = server.begin('PATCH', location, append(0, bytes.byteLength));
    socket.write(bytes.subarray(0, 1_500_000));
    await until(() => offsetOf(location) === 1_500_000);
    socket.resetAndDestroy();
    await until(() => server.engine.uploads.load.writers === 0);
    expect(stateOf(await server.head(location))).toEqual([204, '1500000', '?0']);
    const last = await server.patch(location, 1_500_000, bytes.subarray(1_500_000), { complete: '?1' });
    expect(stateOf(last)).toEqual([201, '4000000', '?1']);
    expect(server.engine.received).toEqual([idOf(location)]);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('is not complete when the request that was to complete it is cut in its last byte', async () => {
    const location = await server.create();
    const socket = server.begin('PATCH', location, append(0, 1000));
    socket.write(pattern(999));
    await until(() => offsetOf(location) === 999);
    socket.destroy();
    await until(() => server.engine.uploads.load.writers === 0);
    expect(stateOf(await server.head(location))).toEqual([204, '999', '?0']);
    expect(server.engine.received).toEqual([]);
  });

  it('takes nothing of a body with a Content-Digest that is cut', async () => {
    const bytes = pattern(300_000);
    const location = await server.create(bytes.byteLength);
    const headers = { ...append(0, bytes.byteLength), 'Content-Digest': digest(bytes) };
    const socket = server.begin('PATCH', location, headers);
    socket.write(bytes.subarray(0, 200_000));
    await until(() => server.engine.uploads.load.writers === 1);
    socket.resetAndDestroy();
    await until(() => server.engine.uploads.load.writers === 0);
    expect(stateOf(await server.head(location))).toEqual([204, '0', '?0']);
  });

  it('keeps nothing of a creation that is cut, since its client never learned where it is', async () => {
    const socket = server.begin('POST', uploadsPath, { 'Upload-Complete': '?1', 'Content-Length': '1000' });
    socket.write(pattern(500));
    await until(() => server.engine.published.some(({ offset }) => offset === 500));
    socket.resetAndDestroy();
    await until(() => server.engine.uploads.load.open === 0);
    expect(server.engine.received).toEqual([]);
  });

  it.each([
    ['is over with the transfer that it opened', `from ${base64('a')},to ${base64('b')}`, 0],
    ['stays where the transfer was there before it', `transfer ${base64(transfer)}`, 1],
  ])('a claimed upload whose creation is cut %s', async (_, metadata, left) => {
    const removed: string[] = [];
    const claiming = await RufhServer.open(kind, {
      settings: { checkpointMs: 20 },
      hooks: {
        claims: (tx, upload) => tx.put(keys.uploads, upload.id, { ...upload, transfer: transfer }),
        terminable: () => {
          throw new UploadClaimed();
        },
        expired: (__, { id }) => void removed.push(id),
      },
    });
    try {
      const headers = { 'Upload-Complete': '?1', 'Content-Length': '1000', 'Upload-Metadata': metadata };
      const socket = claiming.begin('POST', uploadsPath, headers);
      socket.write(pattern(500));
      await until(() => claiming.engine.published.some(({ offset }) => offset === 500));
      const [{ id } = { id: '' }] = claiming.engine.published;
      socket.resetAndDestroy();
      await until(() => claiming.engine.uploads.load.writers === 0);
      await until(() => claiming.engine.uploads.load.open === left);
      expect(removed).toEqual(left === 0 ? [id] : []);
      expect((await claiming.head(`${uploadsPath}/${id}`)).status).toBe(left === 0 ? 404 : 204);
    } finally {
      await claiming.close();
    }
  });

  it('mixes nothing of two writers at the same offset, and is completed once', async () => {
    for (let round = 0; round < 10; round++) {
      const location = await server.create(1000);
      const bodies = [pattern(1000, 1), pattern(1000, 2)];
      const replies = await Promise.all(
        bodies.map((body) => server.patch(location, 0, body, { complete: '?1' })),
      );
      // Both have lost when the one took over from the other, which had sent its last byte by then.
      const won = replies.filter(({ status }) => status === 201);
      expect(won.length).toBeLessThanOrEqual(1);
      for (const reply of replies) {
        expect([201, 409]).toContain(reply.status);
      }
      const [, told, isComplete] = stateOf(await server.head(location));
      const offset = Number(told);
      const kept = await server.engine.bytes(idOf(location));
      const body = bodies.find((one) => one.subarray(0, offset).equals(kept)) ?? pattern(0);
      expect(body.byteLength).toBe(1000);
      if (isComplete === '?0') {
        expect((await server.patch(location, offset, body.subarray(offset), { complete: '?1' })).status).toBe(
          201,
        );
      }
      expect(server.engine.received.filter((id) => id === idOf(location))).toHaveLength(1);
      expect((await server.engine.bytes(idOf(location))).equals(body)).toBe(true);
    }
  });

  it('replaces a client that is half gone, tells it 409 with the true state, and HEAD never waits', async () => {
    const bytes = pattern(1_000_000);
    const location = await server.create(bytes.byteLength);
    const socket = server.begin('PATCH', location, append(0, bytes.byteLength));
    let answered = '';
    socket.on('data', (chunk: Buffer) => {
      answered += chunk.toString('latin1');
    });
    socket.write(bytes.subarray(0, 300_000));
    await until(() => offsetOf(location) === 300_000);
    expect(stateOf(await server.head(location))).toEqual([204, '300000', '?0']);
    const last = await server.patch(location, 300_000, bytes.subarray(300_000), { complete: '?1' });
    expect(stateOf(last)).toEqual([201, '1000000', '?1']);
    await until(() => answered.includes('\r\n\r\n'));
    expect(answered).toMatch(/^HTTP\/1\.1 409 /);
    expect(answered).toMatch(/upload-offset: (300000|1000000)\r\n/i);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
    socket.destroy();
  });

  it('ends a request that is under way when its upload is cancelled', async () => {
    const location = await server.create(1000);
    const socket = server.begin('PATCH', location, append(0, 1000));
    let answered = '';
    socket.on('data', (chunk: Buffer) => {
      answered += chunk.toString('latin1');
    });
    socket.write(pattern(500));
    await until(() => offsetOf(location) === 500);
    expect((await server.call('DELETE', location)).status).toBe(204);
    await until(() => answered.includes('\r\n\r\n'));
    expect(answered).toMatch(/^HTTP\/1\.1 4(04|09) /);
    expect((await server.head(location)).status).toBe(404);
    socket.destroy();
  });

  it('is complete, once, when only the answer was lost', async () => {
    const bytes = pattern(1000);
    const location = await server.create(1000);
    const socket = server.begin('PATCH', location, append(0, 1000));
    // Its answer comes, and nobody reads it.
    socket.pause();
    socket.write(bytes);
    await until(() => server.engine.uploads.head(idOf(location), alice).state === 'received');
    socket.destroy();
    expect(stateOf(await server.head(location))).toEqual([204, '1000', '?1']);
    expect(stateOf(await server.patch(location, 0, bytes, { complete: '?1' }))).toEqual([409, '1000', '?1']);
    expect(stateOf(await server.patch(location, 1000, pattern(0), { complete: '?1' }))).toEqual([
      400,
      '1000',
      '?1',
    ]);
    expect(server.engine.received).toEqual([idOf(location)]);
  });
});
