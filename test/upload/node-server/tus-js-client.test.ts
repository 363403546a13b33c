import { type HttpRequest, Upload, type UploadOptions } from 'tus-js-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uploadsPath } from '../../../src/upload/address.ts';
import { openFaultProxy } from '../../support/fault-proxy.ts';
import { alice, pattern } from '../engine.ts';
import type { TusServer } from '../tus-client.ts';
import { openNodeServer } from './open.ts';

describe('tus-js-client with the engine tus-node-server', () => {
  let tus: TusServer;

  beforeEach(async () => {
    tus = await openNodeServer({ settings: { checkpointBytes: 256 * 1024, checkpointMs: 50 } });
  });
  afterEach(() => tus.close());

  const headers = { Authorization: 'Bearer a' };
  function upload(bytes: Buffer, options: Partial<UploadOptions>): Promise<string> {
    return new Promise((resolve, reject) => {
      const sending = new Upload(bytes, {
        endpoint: `http://127.0.0.1:${tus.port}${uploadsPath}`,
        retryDelays: [10, 20, 50, 100],
        metadata: { filename: 'study.dcm', filetype: 'application/dicom' },
        headers,
        ...options,
        onError: reject,
        onSuccess: () => resolve(new URL(sending.url ?? '').pathname.slice(uploadsPath.length + 1)),
      });
      sending.start();
    });
  }

  it.each([
    ['in one body', {}],
    ['in bodies of 1 MB', { chunkSize: 1_000_000 }],
    ['with the creation', { uploadDataDuringCreation: true }],
    ['with the creation, in bodies of 1 MB', { uploadDataDuringCreation: true, chunkSize: 1_000_000 }],
    ['of a length that is told last', { uploadLengthDeferred: true, chunkSize: 1_000_000 }],
  ])('uploads %s', async (_how, options) => {
    const bytes = pattern(5_300_007);
    const id = await upload(bytes, options);
    expect((await tus.engine.bytes(id)).equals(bytes)).toBe(true);
    expect(tus.engine.received).toEqual([id]);
    expect(tus.engine.record(id)).toMatchObject({ filetype: 'application/dicom', length: bytes.length });
  });

  it('goes on by itself after its connection broke', async () => {
    const target = { host: '127.0.0.1', port: tus.port };
    // Slow enough that something is published before the cut.
    const line = await openFaultProxy({ target, bytesPerSecondUp: 8_000_000 });
    line.cutAfterBytesUp(3_000_000, 'fin');
    const bytes = pattern(6_000_000);
    const offsets: number[] = [];
    try {
      const id = await upload(bytes, {
        endpoint: `http://127.0.0.1:${line.port}${uploadsPath}`,
        onBeforeRequest: (request: HttpRequest) => {
          if (request.getMethod() === 'PATCH') offsets.push(Number(request.getHeader('Upload-Offset')));
        },
      });
      expect((await tus.engine.bytes(id)).equals(bytes)).toBe(true);
      expect(tus.engine.received).toEqual([id]);
    } finally {
      await line.close();
    }
    expect(line.cuts).toBe(1);
    const [first, ...resumed] = offsets;
    expect(first).toBe(0);
    expect(Math.min(...resumed)).toBeGreaterThan(0);
  });

  it('terminates what it started', async () => {
    const id = await upload(pattern(1000), {});
    await Upload.terminate(`http://127.0.0.1:${tus.port}${uploadsPath}/${id}`, { headers });
    expect(() => tus.engine.uploads.head(id, alice)).toThrow('no such upload');
  });
});
