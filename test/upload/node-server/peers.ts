import { once } from 'node:events';
import { statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { uploadsPath } from '../../../src/upload/address.ts';
import { openTempFolder } from '../../support/temp-folder.ts';
import { alice, type EngineOptions } from '../engine.ts';
import { idOf, patchType, type Reply, send, TusServer } from '../tus-client.ts';
import { openNodeServer } from './open.ts';

export const bytesMax = 1_000_000;
const expiryMs = 3_600_000;

export type GivenHeaders = Readonly<Record<string, string | null>>;

/** One of the three that are compared, and a client that says to each the same. */
export class Peer {
  readonly port: number;
  /** Bytes of an upload that it has stored, without asking it. */
  readonly stored: (path: string) => number;
  readonly close: () => Promise<void>;

  constructor(port: number, stored: (path: string) => number, close: () => Promise<void>) {
    this.port = port;
    this.stored = stored;
    this.close = close;
  }

  static of(tus: TusServer): Peer {
    const stored = (path: string): number => tus.engine.uploads.head(idOf(path), alice).offset;
    return new Peer(tus.port, stored, () => tus.close());
  }

  /** Headers that are null are left out. */
  call(
    method: string,
    path: string,
    headers: GivenHeaders = {},
    body?: Uint8Array,
    isChunked = false,
  ): Promise<Reply> {
    const usual: GivenHeaders = { Authorization: 'Bearer a', 'Tus-Resumable': '1.0.0' };
    const all = Object.entries({ ...usual, ...headers });
    return send(this.port, {
      method,
      path,
      headers: Object.fromEntries(all.flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
      ...(body === undefined ? {} : { body }),
      isChunked,
    });
  }

  post(headers: GivenHeaders, body?: Uint8Array, isChunked = false): Promise<Reply> {
    return this.call('POST', uploadsPath, headers, body, isChunked);
  }

  patch(
    path: string,
    offset: number | string,
    body: Uint8Array,
    more: GivenHeaders = {},
    isChunked = false,
  ): Promise<Reply> {
    const headers = { 'Content-Type': patchType, 'Upload-Offset': String(offset), ...more };
    return this.call('PATCH', path, headers, body, isChunked);
  }

  head(path: string, headers: GivenHeaders = {}): Promise<Reply> {
    return this.call('HEAD', path, headers);
  }

  /** A new upload of so many bytes, of which some are there. */
  async begun(length: number | 'deferred', bytes: Uint8Array = Buffer.alloc(0)): Promise<string> {
    const told = length === 'deferred' ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) };
    const { headers } = await this.post(told);
    const path = String(headers.location);
    if (bytes.byteLength > 0) await this.patch(path, 0, bytes);
    return path;
  }
}

/** Our dialect, @tus/server on our store, and @tus/server as it comes, with files. In this order everywhere. */
export async function openPeers(): Promise<readonly [own: Peer, node: Peer, reference: Peer]> {
  const options: EngineOptions = {
    settings: { checkpointMs: 20, openMax: 1000, bytesMax, expiryMs, expiryMsMax: expiryMs },
  };
  const own = await TusServer.open('node-http', options);
  const node = await openNodeServer(options);
  return [Peer.of(own), Peer.of(node), await openReference()];
}

/**
 * A Response that is made of a Node stream, as FileStore gives it, is closed once more by undici after a client
 * that goes at once has cancelled it, and nothing catches that: it would end these tests, now and then.
 */
class Files extends FileStore {
  override read(id: string): ReturnType<FileStore['read']> {
    return Readable.toWeb(super.read(id)) as unknown as ReturnType<FileStore['read']>;
  }
}

async function openReference(): Promise<Peer> {
  const folder = await openTempFolder('sluis-reference');
  const server = new Server({
    path: uploadsPath,
    datastore: new Files({ directory: folder.path, expirationPeriodInMilliseconds: expiryMs }),
    relativeLocation: true,
    maxSize: bytesMax,
    lockDrainTimeout: 50,
  });
  const listening = server.listen({ host: '127.0.0.1', port: 0 });
  await once(listening, 'listening');
  const stored = (path: string): number => statSync(folder.file(idOf(path))).size;
  return new Peer((listening.address() as AddressInfo).port, stored, async () => {
    listening.closeAllConnections();
    await new Promise((resolve) => listening.close(resolve));
    await folder.remove();
  });
}
