import { createHash } from 'node:crypto';
import { uploadsPath } from '../../../src/upload/address.ts';
import type { RawClient } from '../../http/raw-client.ts';
import { until } from '../../support/until.ts';
import { pattern } from '../engine.ts';
import { base64, openPatch, patchType, type Reply } from '../tus-client.ts';
import { bytesMax, type GivenHeaders, type Peer } from './peers.ts';

const bytes = pattern(1000);
const sha1 = (of: Uint8Array): string => `sha1 ${createHash('sha1').update(of).digest('base64')}`;
const unknown = `${uploadsPath}/01890a5d-ac96-774b-bcce-b302099a8057`;
const named = `filename ${base64('study.dcm')},secret,filetype ${base64('application/dicom')}`;

/** The requests that are said to each of the three. Each step begins with uploads of its own. */
export const script: Readonly<Record<string, (peer: Peer) => Promise<Reply>>> = {
  OPTIONS: (peer) => peer.call('OPTIONS', uploadsPath),

  POST: (peer) => peer.post({ 'Upload-Length': '1000' }),
  'POST of nothing': (peer) => peer.post({ 'Upload-Length': '0' }),
  'POST, length deferred': (peer) => peer.post({ 'Upload-Defer-Length': '1' }),
  'POST, Upload-Defer-Length: 2': (peer) => peer.post({ 'Upload-Defer-Length': '2' }),
  'POST without a length': (peer) => peer.post({}),
  'POST with a length and none': (peer) => peer.post({ 'Upload-Length': '1', 'Upload-Defer-Length': '1' }),
  'POST, Upload-Length: 5x': (peer) => peer.post({ 'Upload-Length': '5x' }),
  'POST, Upload-Length: -1': (peer) => peer.post({ 'Upload-Length': '-1' }),
  'POST, Upload-Length: 007': (peer) => peer.post({ 'Upload-Length': '007' }),
  'POST of more than may be': (peer) => peer.post({ 'Upload-Length': String(bytesMax + 1) }),
  'POST without Tus-Resumable': (peer) => peer.post({ 'Upload-Length': '1', 'Tus-Resumable': null }),
  'POST of another version': (peer) => peer.post({ 'Upload-Length': '1', 'Tus-Resumable': '0.2.2' }),
  'POST, trailing slash': (peer) => peer.call('POST', `${uploadsPath}/`, { 'Upload-Length': '1' }),
  'POST to an upload': async (peer) => peer.call('POST', await peer.begun(1), { 'Upload-Length': '1' }),

  'HEAD after POST with metadata': async (peer) => peer.head(await created(peer, named)),
  'HEAD after POST with a value that is no UTF-8': async (peer) =>
    peer.head(await created(peer, 'name /////w==')),
  'POST, metadata empty': (peer) => peer.post({ 'Upload-Length': '1', 'Upload-Metadata': '' }),
  'POST, metadata with a space after a comma': (peer) =>
    peer.post({ 'Upload-Length': '1', 'Upload-Metadata': 'a YQ==, b YQ==' }),
  'POST, metadata no Base64': (peer) => peer.post({ 'Upload-Length': '1', 'Upload-Metadata': 'a !!!' }),
  'POST, metadata key twice': (peer) =>
    peer.post({ 'Upload-Length': '1', 'Upload-Metadata': 'a YQ==,a YQ==' }),
  'POST, priority that is none': (peer) =>
    peer.post({ 'Upload-Length': '1', 'Upload-Metadata': `priority ${base64('now')}` }),

  'POST with all bytes': (peer) => peer.post({ 'Upload-Length': '1000', 'Content-Type': patchType }, bytes),
  'POST with some bytes': (peer) => peer.post({ 'Upload-Length': '1001', 'Content-Type': patchType }, bytes),
  'POST with too many bytes': (peer) =>
    peer.post({ 'Upload-Length': '999', 'Content-Type': patchType }, bytes),
  'POST with chunks': (peer) =>
    peer.post({ 'Upload-Length': '1000', 'Content-Type': patchType }, bytes, true),
  'POST with bytes, length deferred': (peer) =>
    peer.post({ 'Upload-Defer-Length': '1', 'Content-Type': patchType }, bytes),
  'POST with bytes of another type': (peer) =>
    peer.post({ 'Upload-Length': '1000', 'Content-Type': 'text/plain' }, bytes),
  'POST with bytes of no type': (peer) => peer.post({ 'Upload-Length': '1000' }, bytes),
  'POST with wrong bytes': (peer) =>
    peer.post(
      { 'Upload-Length': '1000', 'Content-Type': patchType, 'Upload-Checksum': sha1(pattern(9)) },
      bytes,
    ),

  HEAD: async (peer) => peer.head(await peer.begun(2000, bytes)),
  'HEAD, length deferred': async (peer) => peer.head(await peer.begun('deferred', bytes)),
  'HEAD of a whole upload': async (peer) => peer.head(await peer.begun(1000, bytes)),
  'HEAD of none': (peer) => peer.head(unknown),
  'HEAD of what is no id': (peer) => peer.head(`${uploadsPath}/..%2f..`),
  'HEAD with a query': async (peer) => peer.head(`${await peer.begun(10)}?a=b`),
  'HEAD without Tus-Resumable': async (peer) => peer.head(await peer.begun(10), { 'Tus-Resumable': null }),
  'HEAD through two proxies': async (peer) =>
    peer.head(await peer.begun(10), { 'X-Forwarded-Proto': 'https,http' }),

  PATCH: async (peer) => peer.patch(await peer.begun(2000), 0, bytes),
  'PATCH to the end': async (peer) => peer.patch(await peer.begun(1000), 0, bytes),
  'PATCH going on': async (peer) => peer.patch(await peer.begun(2000, bytes), 1000, bytes),
  'PATCH with chunks': async (peer) => peer.patch(await peer.begun(2000), 0, bytes, {}, true),
  'PATCH of nothing': async (peer) => peer.patch(await peer.begun(2000, bytes), 1000, pattern(0)),
  'PATCH of nothing at the end': async (peer) => peer.patch(await peer.begun(1000, bytes), 1000, pattern(0)),
  'PATCH of more at the end': async (peer) => peer.patch(await peer.begun(1000, bytes), 1000, bytes),
  'PATCH too early': async (peer) => peer.patch(await peer.begun(2000, bytes), 999, bytes),
  'PATCH too late': async (peer) => peer.patch(await peer.begun(2000, bytes), 1001, bytes),
  'PATCH too long': async (peer) => peer.patch(await peer.begun(999), 0, bytes),
  'HEAD after PATCH too long': async (peer) => afterPatch(peer, await peer.begun(999), {}, false),
  'PATCH too long, with chunks': async (peer) => peer.patch(await peer.begun(999), 0, bytes, {}, true),
  'HEAD after PATCH too long, with chunks': async (peer) => afterPatch(peer, await peer.begun(999), {}, true),
  'PATCH without an offset': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Upload-Offset': null }),
  'PATCH, Upload-Offset: 0x': async (peer) => peer.patch(await peer.begun(1000), '0x', bytes),
  'PATCH, Upload-Offset: -0': async (peer) => peer.patch(await peer.begun(1000), '-0', bytes),
  'PATCH of no type': async (peer) => peer.patch(await peer.begun(1000), 0, bytes, { 'Content-Type': null }),
  'PATCH of another type': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Content-Type': 'text/plain' }),
  'PATCH of the type with a parameter': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Content-Type': `${patchType}; a=b` }),
  'PATCH without Tus-Resumable': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Tus-Resumable': null }),
  'PATCH of another version': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Tus-Resumable': '2.0.0' }),
  'PATCH of none': (peer) => peer.patch(unknown, 0, bytes),
  'PATCH of the collection': (peer) => peer.patch(uploadsPath, 0, bytes),

  'PATCH with the length': async (peer) =>
    peer.patch(await peer.begun('deferred'), 0, bytes, { 'Upload-Length': '1000' }),
  'PATCH without the length': async (peer) => peer.patch(await peer.begun('deferred'), 0, bytes),
  'PATCH with a length that is passed already': async (peer) =>
    peer.patch(await peer.begun('deferred', bytes), 1000, bytes, { 'Upload-Length': '999' }),
  'PATCH with a length above what may be': async (peer) =>
    peer.patch(await peer.begun('deferred'), 0, bytes, { 'Upload-Length': String(bytesMax + 1) }),
  'PATCH with the length that is known': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Upload-Length': '1000' }),
  'PATCH with another length': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Upload-Length': '1001' }),
  'HEAD after PATCH with the length': async (peer) =>
    afterPatch(peer, await peer.begun('deferred'), { 'Upload-Length': '2000' }, false),

  'PATCH with its checksum': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Upload-Checksum': sha1(bytes) }),
  'PATCH with another checksum': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Upload-Checksum': sha1(pattern(9)) }),
  'HEAD after PATCH with another checksum': async (peer) =>
    afterPatch(peer, await peer.begun(1000), { 'Upload-Checksum': sha1(pattern(9)) }, false),
  'PATCH with a checksum of no known kind': async (peer) =>
    peer.patch(await peer.begun(1000), 0, bytes, { 'Upload-Checksum': 'crc8 AA==' }),

  'POST of a partial upload': (peer) => peer.post({ 'Upload-Length': '1', 'Upload-Concat': 'partial' }),
  'POST of a final upload': async (peer) =>
    peer.post({ 'Upload-Concat': `final;${await peer.begun(1, pattern(1))}` }),

  DELETE: async (peer) => peer.call('DELETE', await peer.begun(2000, bytes)),
  'DELETE of a whole upload': async (peer) => peer.call('DELETE', await peer.begun(1000, bytes)),
  'DELETE of none': (peer) => peer.call('DELETE', unknown),
  'HEAD after DELETE': async (peer) => peer.head(await deleted(peer)),
  'PATCH after DELETE': async (peer) => peer.patch(await deleted(peer), 0, bytes),

  GET: async (peer) => peer.call('GET', await peer.begun(1000, bytes)),
  'GET without Tus-Resumable': async (peer) =>
    peer.call('GET', await peer.begun(1000, bytes), { 'Tus-Resumable': null }),
  'GET of an unfinished upload': async (peer) => peer.call('GET', await peer.begun(1001, bytes)),
  'GET of none': (peer) => peer.call('GET', unknown),

  'POST as PATCH': async (peer) =>
    peer.call(
      'POST',
      await peer.begun(1000),
      { 'X-HTTP-Method-Override': 'PATCH', 'Content-Type': patchType, 'Upload-Offset': '0' },
      bytes,
    ),
  PUT: async (peer) => peer.call('PUT', await peer.begun(1000), {}, bytes),

  'a PATCH that stalls, after another came': async (peer) => {
    const path = await peer.begun(1000);
    const stalled = await halfOpen(peer, path);
    await peer.patch(path, 600, bytes.subarray(600));
    return answerOf(stalled);
  },
  'a PATCH that goes on, after a HEAD': async (peer) => {
    const path = await peer.begun(1000);
    const going = await halfOpen(peer, path);
    await peer.head(path);
    await going.send(bytes.subarray(600));
    return answerOf(going);
  },
};

async function created(peer: Peer, metadata: string): Promise<string> {
  const { headers } = await peer.post({ 'Upload-Length': '1', 'Upload-Metadata': metadata });
  return String(headers.location);
}

async function afterPatch(
  peer: Peer,
  path: string,
  headers: GivenHeaders,
  isChunked: boolean,
): Promise<Reply> {
  await peer.patch(path, 0, bytes, headers, isChunked);
  return peer.head(path);
}

async function deleted(peer: Peer): Promise<string> {
  const path = await peer.begun(2000, bytes);
  await peer.call('DELETE', path);
  return path;
}

/** A PATCH of 1000 bytes of which 600 are stored, and whose client says nothing more. */
async function halfOpen(peer: Peer, path: string): Promise<RawClient> {
  const client = await openPatch(peer.port, path, { 'Content-Length': 1000 });
  await client.send(bytes.subarray(0, 600));
  await until(() => peer.stored(path) === 600);
  return client;
}

async function answerOf(client: RawClient): Promise<Reply> {
  const answer = await client.answer();
  client.socket.destroy();
  return {
    status: answer?.status ?? 0,
    headers: Object.fromEntries(
      [...(answer?.headers ?? [])].map(([name, values]) => [name, values.join(', ')]),
    ),
    body: answer?.body ?? Buffer.alloc(0),
  };
}

/** What of an answer is compared: its status, what tus says, and of a GET the bytes. */
export function seen(step: string, { status, headers, body }: Reply): Readonly<Record<string, string>> {
  const told = Object.entries(headers).filter(([name]) => /^(tus-|upload-|location$)/.test(name));
  const content = step.startsWith('GET') && status === 200 ? { bytes: String(body.equals(bytes)) } : {};
  return {
    status: String(status),
    ...content,
    ...Object.fromEntries(told.map(([name, value]) => [name, plain(name, String(value))])),
  };
}

/** Ids differ by nature, and so do dates, by a second. */
function plain(name: string, value: string): string {
  if (name === 'upload-expires') return Number.isNaN(Date.parse(value)) ? value : 'a date';
  return value.replaceAll(/\/v1\/uploads\/[0-9a-f-]{32,36}/g, '/v1/uploads/ID');
}
