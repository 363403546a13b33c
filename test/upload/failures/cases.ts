import { createHash } from 'node:crypto';
import { type ClientRequest, request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../../src/http/exchange.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { openFaultProxy } from '../../support/fault-proxy.ts';
import { until } from '../../support/until.ts';
import { alice, Engine, pattern } from '../engine.ts';
import { idOf, patchType, type Reply, send, TusServer } from '../tus-client.ts';
import { withWriter } from '../wrapped-storage.ts';

/** A byte store, as a subject of these cases. */
export interface Store {
  readonly name: string;
  openStorage(folder: string): Promise<Storage>;
}

/** A PATCH whose body the test sends, or does not. */
function openPatch(port: number, path: string, offset: number, bytes: number): ClientRequest {
  const request = httpRequest({
    ...{ host: '127.0.0.1', port, method: 'PATCH', path, agent: false },
    headers: {
      Authorization: 'Bearer a',
      'Tus-Resumable': '1.0.0',
      'Content-Type': patchType,
      'Upload-Offset': String(offset),
      'Content-Length': String(bytes),
    },
  });
  request.on('error', () => undefined);
  return request;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * What uploads have to survive, on one store and one listener. Slow and stalling clients, floods and hostile
 * HTTP are the listener's (test/http); full disks and kill -9 need a process of their own.
 */
export function failureCases(store: Store, kind: Listener['kind']): void {
  let server: TusServer;
  let gate: Promise<void> | undefined;

  beforeEach(async () => {
    gate = undefined;
    server = await TusServer.open(kind, {
      settings: { checkpointBytes: 256 * 1024, checkpointMs: 20 },
      openStorage: (folder) => store.openStorage(folder),
      wrap: (storage) =>
        withWriter(storage, (writer) => ({
          write: async (bytes, position) => {
            await gate;
            await writer.write(bytes, position);
          },
        })),
    });
  });
  afterEach(() => server.close());

  const offsetOf = async (path: string): Promise<number> =>
    Number((await server.head(path)).headers['upload-offset']);
  const stored = async (path: string): Promise<string> => sha256(await server.engine.bytes(idOf(path)));

  it('1: a half-open connection never keeps its own client out, and its late bytes never arrive', async () => {
    const bytes = pattern(6_000_000, 1);
    const line = await openFaultProxy({ target: { host: '127.0.0.1', port: server.port } });
    try {
      const path = await server.create(bytes.byteLength);
      const dead = openPatch(line.port, path, 0, bytes.byteLength);
      dead.write(bytes.subarray(0, 2_000_000));
      await until(() => server.engine.uploads.head(idOf(path), alice).offset > 0);
      line.stall();
      // Other bytes than were sent before, so that a late one would show.
      dead.write(pattern(1_000_000, 9));
      // What the dead one had still received may be kept meanwhile: each 409 says where to go on.
      let [offset, status] = [await offsetOf(path), 0];
      for (let tries = 0; tries < 20 && status !== 204; tries += 1) {
        const answer = await server.patch(path, offset, bytes.subarray(offset));
        expect([204, 409]).toContain(answer.status);
        const next = Number(answer.headers['upload-offset']);
        expect(next).toBeGreaterThanOrEqual(offset);
        [offset, status] = [next, answer.status];
      }
      expect(status).toBe(204);
      line.unstall();
      await until(() => server.engine.uploads.load.writers === 0);
      expect(await stored(path)).toBe(sha256(bytes));
      dead.destroy();
    } finally {
      await line.close();
    }
  });

  it('2: a client that is reset while the server is paused frees its upload', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const path = await server.create(40_000_000);
    const dead = openPatch(server.port, path, 0, 40_000_000);
    dead.write(pattern(1_000_000));
    dead.write(Buffer.alloc(30_000_000));
    await until(() => server.engine.uploads.load.writers === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    dead.socket?.resetAndDestroy();
    open();
    gate = undefined;
    await until(() => server.engine.uploads.load.writers === 0);
    const offset = await offsetOf(path);
    expect((await server.patch(path, offset, new Uint8Array(10))).status).toBe(204);
  });

  it('4: a disk that fills up in the middle is 507 with the offset that is safe, and others go on', async () => {
    await server.close();
    let isFull = false;
    server = await TusServer.open(kind, {
      openStorage: (folder) => store.openStorage(folder),
      wrap: (storage) =>
        withWriter(storage, (writer) => ({
          write: async (bytes, position) => {
            if (isFull && position >= 1_000_000) {
              throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
            }
            await writer.write(bytes, position);
          },
        })),
    });
    const bytes = pattern(3_000_000);
    const [path, other] = [await server.create(bytes.byteLength), await server.create(500_000)];
    isFull = true;
    const full = await server.patch(path, 0, bytes);
    expect(full.status).toBe(507);
    const safe = Number(full.headers['upload-offset']);
    // The last write that was taken began below 1,000,000, and is a slab at most.
    expect(safe).toBeLessThanOrEqual(1_000_000 + 1024 * 1024);
    expect(await offsetOf(path)).toBe(safe);
    expect((await server.patch(other, 0, pattern(500_000))).status).toBe(204);
    isFull = false;
    expect((await server.patch(path, safe, bytes.subarray(safe))).status).toBe(204);
    expect(await stored(path)).toBe(sha256(bytes));
  });

  it('7: a lost last answer costs nothing: HEAD says it is complete, and it was received once', async () => {
    const bytes = pattern(2_000_000);
    const path = await server.create(bytes.byteLength);
    const line = await openFaultProxy({ target: { host: '127.0.0.1', port: server.port } });
    try {
      // Not one byte of the answer comes through.
      line.cutAfterBytesDown(0);
      const usual = { Authorization: 'Bearer a', 'Tus-Resumable': '1.0.0' };
      const lost = send(line.port, {
        ...{ method: 'PATCH', path, body: bytes },
        headers: { ...usual, 'Content-Type': patchType, 'Upload-Offset': '0' },
      });
      await expect(lost).rejects.toThrow();
    } finally {
      await line.close();
    }
    await until(() => server.engine.received.length === 1);
    expect(await offsetOf(path)).toBe(bytes.byteLength);
    for (let n = 0; n < 3; n += 1) {
      expect((await server.patch(path, bytes.byteLength, new Uint8Array())).status).toBe(204);
    }
    expect(server.engine.received).toEqual([idOf(path)]);
    expect(await stored(path)).toBe(sha256(bytes));
  });

  it('8: of fifty writers at one offset one wins, and no two are mixed', async () => {
    const length = 300_000;
    const path = await server.create(length);
    const bodies = Array.from({ length: 50 }, (_, n) => pattern(length, n + 1));
    const replies: Reply[] = await Promise.all(
      bodies.map((body) =>
        server.patch(path, 0, body).catch(() => ({ status: 0, headers: {}, body: Buffer.alloc(0) })),
      ),
    );
    for (const { status, headers } of replies) {
      expect([204, 409]).toContain(status);
      expect(headers['upload-offset']).toMatch(/^\d+$/);
    }
    let offset = await offsetOf(path);
    const found = await server.engine.bytes(idOf(path));
    const winner = bodies.findIndex((body) => body.subarray(0, offset).equals(found));
    expect(offset === 0 || winner >= 0).toBe(true);
    expect(replies.filter(({ status }) => status === 204).length).toBeLessThanOrEqual(1);
    if (offset < length) {
      const rest = (bodies[Math.max(0, winner)] ?? Buffer.alloc(0)).subarray(offset);
      expect((await server.patch(path, offset, rest)).status).toBe(204);
      offset = length;
    }
    expect(server.engine.received).toEqual([idOf(path)]);
  });

  it('8: a DELETE ends the PATCH that runs, and nothing of it is left', async () => {
    const path = await server.create(5_000_000);
    const running = openPatch(server.port, path, 0, 5_000_000);
    const ended = new Promise<number>((resolve) => {
      running.on('response', ({ statusCode = 0 }) => resolve(statusCode));
      running.on('close', () => resolve(0));
    });
    running.write(pattern(1_000_000));
    await until(() => server.engine.uploads.head(idOf(path), alice).offset > 0);
    expect((await server.call('DELETE', path)).status).toBe(204);
    expect([0, 404, 409]).toContain(await ended);
    expect((await server.head(path)).status).toBe(404);
    const left: string[] = [];
    for await (const object of server.engine.storage.list()) left.push(object);
    expect(left).toEqual([]);
    running.destroy();
  });

  it('8: a final upload that is asked for while its part is written is whole when that is', async () => {
    const bytes = pattern(1_000_000);
    const path = await server.create(bytes.byteLength, { 'Upload-Concat': 'partial' });
    const running = openPatch(server.port, path, 0, bytes.byteLength);
    running.write(bytes.subarray(0, 400_000));
    await until(() => server.engine.uploads.head(idOf(path), alice).offset > 0);
    const { headers } = await server.post({ 'Upload-Concat': `final;${path}` });
    const final = headers.location ?? '';
    expect((await server.head(final)).headers['upload-offset']).toBeUndefined();
    running.end(bytes.subarray(400_000));
    await until(() => server.engine.published.some(({ id }) => id === idOf(final)));
    expect(await stored(final)).toBe(sha256(bytes));
  });

  it('9: a bit that flips on the way at fifty places is refused each time, and counts for nothing', async () => {
    const chunkBytes = 20_000;
    const bytes = pattern(50 * chunkBytes);
    const path = await server.create(bytes.byteLength);
    const line = await openFaultProxy({ target: { host: '127.0.0.1', port: server.port } });
    const algorithms = ['md5', 'sha1', 'sha256', 'sha512'] as const;
    try {
      for (let n = 0; n < 50; n += 1) {
        const [from, algorithm] = [n * chunkBytes, algorithms[n % algorithms.length] ?? 'md5'];
        const chunk = bytes.subarray(from, from + chunkBytes);
        const digest = createHash(algorithm).update(chunk).digest('base64');
        const patch = (): Promise<Reply> =>
          send(line.port, {
            ...{ method: 'PATCH', path, body: chunk },
            headers: {
              Authorization: 'Bearer a',
              'Tus-Resumable': '1.0.0',
              'Content-Type': patchType,
              'Upload-Offset': String(from),
              'Upload-Checksum': `${algorithm} ${digest}`,
            },
          });
        // The head of the request is below 1,000 bytes: what is flipped is of the body.
        line.flipAfterBytesUp(1_000 + ((n * 7919) % (chunkBytes - 1_000)));
        const refused = await patch();
        expect(refused.status).toBe(460);
        expect(refused.headers['upload-offset']).toBe(String(from));
        expect(await offsetOf(path)).toBe(from);
        expect((await patch()).status).toBe(204);
      }
    } finally {
      await line.close();
    }
    expect(await stored(path)).toBe(sha256(bytes));
  });

  it('3: what was acknowledged is there after the process is gone, and not one byte more counts', async () => {
    const bytes = pattern(2_000_000);
    const path = await server.create(bytes.byteLength);
    expect((await server.patch(path, 0, bytes.subarray(0, 1_200_000))).status).toBe(204);
    const { folder } = server.engine;
    const storage = (at: string): Promise<Storage> => store.openStorage(at);
    await server.engine.close();
    const again = await Engine.open({ folder, openStorage: storage });
    await again.uploads.resumeAfterStart();
    expect(again.uploads.head(idOf(path), alice).offset).toBe(1_200_000);
    expect(sha256(await again.bytes(idOf(path)))).toBe(sha256(bytes.subarray(0, 1_200_000)));
    await again.close();
    server = await TusServer.open(kind, { folder, openStorage: storage });
    expect((await server.patch(path, 1_200_000, bytes.subarray(1_200_000))).status).toBe(204);
    expect(await stored(path)).toBe(sha256(bytes));
  });
}

/** Each of them, for each of these. */
export function failureCasesOn(stores: readonly Store[], kinds: readonly Listener['kind'][]): void {
  describe.each(stores)('on $name', (store) => {
    describe.each(kinds)('with %s', (kind) => {
      failureCases(store, kind);
    });
  });
}
