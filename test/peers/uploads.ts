import { execFile } from 'node:child_process';
import { createReadStream, writeFileSync } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Upload, type UploadOptions } from 'tus-js-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../src/http/exchange.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { pattern } from '../upload/engine.ts';
import type { Store } from '../upload/failures/cases.ts';
import { idOf, TusServer } from '../upload/tus-client.ts';

const script = fileURLToPath(new URL('tuspy-upload.py', import.meta.url));
const run = promisify(execFile);

/** The clients that others wrote, on one store and one listener. */
export function foreignClients(store: Store, kind: Listener['kind']): void {
  const bytes = pattern(5_300_007);
  let server: TusServer;
  let folder: TempFolder;
  let file: string;

  beforeEach(async () => {
    folder = await openTempFolder('sluis-clients');
    file = folder.file('study.dcm');
    writeFileSync(file, bytes);
    server = await TusServer.open(kind, { openStorage: (at) => store.openStorage(at) });
  });
  afterEach(async () => {
    await server.close();
    await folder.remove();
  });

  const endpoint = (): string => `http://127.0.0.1:${server.port.toString()}${uploadsPath}`;
  const isWhole = async (id: string): Promise<boolean> => (await server.engine.bytes(id)).equals(bytes);
  const idIn = (url: string | null): string => idOf(new URL(url ?? '').pathname);

  describe('tuspy', () => {
    const tuspy = async (...args: string[]): Promise<{ url: string; offset: number }> => {
      // Debian's own, whatever else is called python3 here.
      const { stdout } = await run('/usr/bin/python3', [script, endpoint(), 'a', file, ...args]);
      const [url = '', offset = ''] = stdout.trim().split(' ');
      return { url, offset: Number(offset) };
    };

    it('uploads with a checksum of each body', async () => {
      const { url, offset } = await tuspy('1000000');
      expect(offset).toBe(bytes.byteLength);
      expect(await isWhole(idIn(url))).toBe(true);
    });

    it('goes on where it stopped', async () => {
      const { url, offset } = await tuspy('500000', '2000000');
      expect(offset).toBe(2_000_000);
      const again = await tuspy('700000', String(bytes.byteLength), url);
      expect(again).toEqual({ url, offset: bytes.byteLength });
      expect(await isWhole(idIn(url))).toBe(true);
      expect(server.engine.received).toEqual([idIn(url)]);
    });
  });

  describe('tus-js-client', () => {
    const options = (more: Partial<UploadOptions>): UploadOptions => ({
      endpoint: endpoint(),
      headers: { Authorization: 'Bearer a' },
      retryDelays: [10, 20, 50, 100],
      ...more,
    });
    const send = (source: Buffer | Readable, more: Partial<UploadOptions>): Promise<string> =>
      new Promise((resolve, reject) => {
        const upload = new Upload(source, {
          ...options(more),
          onError: reject,
          onSuccess: () => resolve(idIn(upload.url)),
        });
        upload.start();
      });

    it.each([
      ['in one body', {}],
      ['in four parts at once', { parallelUploads: 4, chunkSize: 700_000 }],
      ['with the creation', { uploadDataDuringCreation: true, chunkSize: 1_000_000 }],
    ])('uploads %s', async (_how, more) => {
      const id = await send(bytes, more);
      expect(await isWhole(id)).toBe(true);
      expect(server.engine.received.filter((one) => one === id)).toEqual([id]);
    });

    it('uploads a stream whose length it does not know', async () => {
      const id = await send(createReadStream(file).pipe(new PassThrough()), {
        uploadLengthDeferred: true,
        chunkSize: 600_000,
      });
      expect(await isWhole(id)).toBe(true);
    });

    it('goes on after it was aborted', async () => {
      let url: string | null = null;
      await new Promise<void>((resolve, reject) => {
        const upload = new Upload(bytes, {
          ...options({ chunkSize: 500_000 }),
          onError: reject,
          onChunkComplete: (_size, accepted) => {
            if (accepted < 2_000_000 || url !== null) return;
            url = upload.url;
            upload.abort().then(resolve, reject);
          },
        });
        upload.start();
      });
      const from: number[] = [];
      const id = await send(bytes, {
        uploadUrl: url,
        onBeforeRequest: (request) => void from.push(Number(request.getHeader('Upload-Offset') ?? 0)),
      });
      expect(await isWhole(id)).toBe(true);
      // Not from the beginning.
      expect(Math.max(...from)).toBeGreaterThanOrEqual(2_000_000);
    });
  });
}
