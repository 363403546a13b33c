import { type Reply, Wire } from '../lib/wire.ts';

/** Where a server takes uploads. */
export interface Target {
  readonly port: number;
  /** Path of the collection, as `/v1/uploads`. */
  readonly base: string;
  readonly token: string;
}

/** The same headers for all: who needs no token ignores it. */
export function tusHeaders({ token }: Target, more: Readonly<Record<string, string>> = {}) {
  return { 'Tus-Resumable': '1.0.0', Authorization: `Bearer ${token}`, ...more };
}

export function patchHeaders(target: Target, offset: number, bytes: number) {
  return tusHeaders(target, {
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': offset.toString(),
    'Content-Length': bytes.toString(),
  });
}

/** Makes an upload of `bytes`; resolves with its path. */
export async function createUpload(wire: Wire, target: Target, bytes: number): Promise<string> {
  const headers = tusHeaders(target, { 'Upload-Length': bytes.toString() });
  const reply = await wire.request('POST', target.base, headers);
  expect(reply, 201, 'POST');
  // tusd and @tus/server answer with a whole URL.
  return new URL(reply.headers.get('location') ?? '', 'http://127.0.0.1').pathname;
}

export async function removeUpload(wire: Wire, target: Target, path: string): Promise<void> {
  expect(await wire.request('DELETE', path, tusHeaders(target)), 204, 'DELETE');
}

/** Throws when a server has done something else than it was asked: then its figures are of something else too. */
export function expect(reply: Reply, status: number, what: string): Reply {
  if (reply.status !== status) throw new Error(`${what} was answered with ${reply.status.toString()}`);
  return reply;
}

/** A connection for as long as `use` runs. */
export async function withWire<R>(target: Target, use: (wire: Wire) => Promise<R>): Promise<R> {
  const wire = await Wire.open(target.port);
  try {
    return await use(wire);
  } finally {
    wire.close();
  }
}
