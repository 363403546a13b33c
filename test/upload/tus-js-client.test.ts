import { type HttpRequest, Upload, type UploadOptions } from 'tus-js-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../src/http/exchange.ts';
import { listen } from '../../src/http/listen.ts';
import { tusHandler, uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { openFaultProxy } from '../support/fault-proxy.ts';
import { alice, Engine, pattern, silent } from './engine.ts';

describe.each(kinds)('tus-js-client with %s', (kind) => {
  let engine: Engine;
  let listener: Listener;

  beforeEach(async () => {
    engine = await Engine.open({ settings: { checkpointBytes: 256 * 1024, checkpointMs: 50 } });
    const handler = tusHandler({
      uploads: engine.uploads,
      authorize: () => alice,
      seal: (bytes) => bytes,
      unseal: (bytes) => bytes,
      log: silent,
    });
    listener = await listen({ host: '127.0.0.1', port: 0, handler, log: silent, listener: kind });
  });
  afterEach(async () => {
    await listener.stop(AbortSignal.timeout(200));
    await engine.remove();
  });

  function send(bytes: Buffer, options: Partial<UploadOptions>): Promise<string> {
    return new Promise((resolve, reject) => {
      const upload = new Upload(bytes, {
        endpoint: `http://127.0.0.1:${listener.port}${uploadsPath}`,
        retryDelays: [10, 20, 50, 100],
        metadata: { filename: 'study.dcm', filetype: 'application/dicom' },
        ...options,
        onError: reject,
        onSuccess: () => resolve(new URL(upload.url ?? '').pathname.slice(uploadsPath.length + 1)),
      });
      upload.start();
    });
  }

  it.each([
    ['in one body', {}],
    ['in bodies of 1 MB', { chunkSize: 1_000_000 }],
    ['with the creation', { uploadDataDuringCreation: true }],
    ['with the creation, in bodies of 1 MB', { uploadDataDuringCreation: true, chunkSize: 1_000_000 }],
    ['with POST in place of PATCH', { overridePatchMethod: true, chunkSize: 1_000_000 }],
  ])('uploads %s', async (_how, options) => {
    const bytes = pattern(5_300_007);
    const id = await send(bytes, options);
    expect((await engine.bytes(id)).equals(bytes)).toBe(true);
    expect(engine.received).toEqual([id]);
    expect(engine.record(id).filetype).toBe('application/dicom');
  });

  it('uploads nothing', async () => {
    const id = await send(Buffer.alloc(0), {});
    expect(engine.received).toEqual([id]);
  });

  it('goes on by itself after its connection broke', async () => {
    // Slow enough that something is published before the cut.
    const target = { host: '127.0.0.1', port: listener.port };
    const line = await openFaultProxy({ target, bytesPerSecondUp: 8_000_000 });
    line.cutAfterBytesUp(3_000_000, 'fin');
    const bytes = pattern(6_000_000);
    const offsets: number[] = [];
    try {
      const id = await send(bytes, {
        endpoint: `http://127.0.0.1:${line.port}${uploadsPath}`,
        onBeforeRequest: (request: HttpRequest) => {
          if (request.getMethod() === 'PATCH') {
            offsets.push(Number(request.getHeader('Upload-Offset')));
          }
        },
      });
      expect((await engine.bytes(id)).equals(bytes)).toBe(true);
      expect(engine.received).toEqual([id]);
    } finally {
      await line.close();
    }
    expect(line.cuts).toBe(1);
    // Each try begins at what was published by then; the broken request may still be flushing.
    const [first, ...resumed] = offsets;
    expect(first).toBe(0);
    expect(resumed.length).toBeGreaterThan(0);
    expect(Math.min(...resumed)).toBeGreaterThan(0);
    expect(resumed).toEqual([...resumed].sort((x, y) => x - y));
  });

  it('terminates what it started', async () => {
    const id = await send(pattern(1000), {});
    await Upload.terminate(`http://127.0.0.1:${listener.port}${uploadsPath}/${id}`);
    expect(() => engine.uploads.head(id, alice)).toThrow('no such upload');
  });
});
