import { Readable } from 'node:stream';
import { type HttpRequest, Upload, type UploadOptions } from 'tus-js-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../src/http/exchange.ts';
import { listen } from '../../src/http/listen.ts';
import { tusHandler, uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { openFaultProxy } from '../support/fault-proxy.ts';
import { until } from '../support/until.ts';
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

  const idOf = ({ url }: Upload): string => new URL(url ?? '').pathname.slice(uploadsPath.length + 1);

  function send(bytes: Buffer | Readable, options: Partial<UploadOptions>): Promise<string> {
    return new Promise((resolve, reject) => {
      const upload = new Upload(bytes, {
        endpoint: `http://127.0.0.1:${listener.port}${uploadsPath}`,
        retryDelays: [10, 20, 50, 100],
        metadata: { filename: 'study.dcm', filetype: 'application/dicom' },
        ...options,
        onError: reject,
        onSuccess: () => resolve(idOf(upload)),
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

  it('uploads in four parts at once, which become one upload', async () => {
    const bytes = pattern(5_300_007);
    const id = await send(bytes, { parallelUploads: 4 });
    expect((await engine.bytes(id)).equals(bytes)).toBe(true);
    const { content, filetype, length } = engine.record(id);
    expect([content.of === 'parts' && content.parts.length, filetype, length]).toEqual([
      4,
      'application/dicom',
      5_300_007,
    ]);
    expect(engine.received).toContain(id);
  });

  it.each([
    ['of what it holds', (bytes: Buffer) => bytes],
    ['of a stream', (bytes: Buffer) => Readable.from(slices(bytes, 70_000), { objectMode: false })],
  ])('uploads a length that it tells at the end, %s', async (_what, source) => {
    const bytes = pattern(2_300_007);
    const id = await send(source(bytes), { uploadLengthDeferred: true, chunkSize: 1_000_000 });
    expect((await engine.bytes(id)).equals(bytes)).toBe(true);
    expect(engine.record(id).length).toBe(2_300_007);
    expect(engine.received).toEqual([id]);
  });

  it.each([
    ['one upload', {}, 1],
    ['four parts', { parallelUploads: 4 }, 4],
  ])('goes on with %s after it was aborted', async (_what, options, parts) => {
    const target = { host: '127.0.0.1', port: listener.port };
    // Slow enough that it is aborted before the end.
    const line = await openFaultProxy({ target, bytesPerSecondUp: 8_000_000 });
    const bytes = pattern(16_000_000);
    const begun: number[] = [];
    const finished = outcome();
    const upload = new Upload(bytes, {
      ...options,
      endpoint: `http://127.0.0.1:${line.port}${uploadsPath}`,
      retryDelays: null,
      onBeforeRequest: (request: HttpRequest) => {
        if (request.getMethod() === 'PATCH') {
          begun.push(Number(request.getHeader('Upload-Offset')));
        }
      },
      onError: finished.reject,
      onSuccess: finished.resolve,
    });
    try {
      upload.start();
      await until(() => new Set(engine.published.map(({ id }) => id)).size === parts);
      // What has left the client by then must not arrive behind its back.
      line.stall();
      await upload.abort();
      line.cutAll('reset');
      line.unstall();
      await until(() => engine.uploads.load.writers === 0);
      expect(engine.uploads.load.open).toBeGreaterThan(0);
      upload.start();
      await finished.promise;
    } finally {
      await line.close();
    }
    expect((await engine.bytes(idOf(upload))).equals(bytes)).toBe(true);
    expect(engine.received).toContain(idOf(upload));
    // Nothing was begun anew.
    expect(begun.filter((offset) => offset === 0)).toHaveLength(parts);
    expect(begun.length).toBeGreaterThan(parts);
  });

  it('terminates what it started', async () => {
    const id = await send(pattern(1000), {});
    await Upload.terminate(`http://127.0.0.1:${listener.port}${uploadsPath}/${id}`);
    expect(() => engine.uploads.head(id, alice)).toThrow('no such upload');
  });
});

function* slices(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

/** A promise and who settles it. */
function outcome(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
}
