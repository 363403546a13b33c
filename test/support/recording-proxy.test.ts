import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { openRecordingProxy, type RecordingProxy } from './recording-proxy.ts';
import { referencedSopInstanceUids } from './stow-answer.ts';
import { generateStudy } from './study/study.ts';
import { until } from './until.ts';

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

const instances = [...generateStudy({ modality: 'CT', instances: 4, bytesPerInstance: 200_000, seed: 9 })];
const [one = '', two = '', three = ''] = instances.map((instance) => instance.sopInstanceUid);

const TYPE = 'multipart/related; type="application/dicom"; boundary=xyz';

function bodyOf(...which: readonly number[]): Buffer {
  const parts = which.flatMap((index) => [
    Buffer.from('--xyz\r\nContent-Type: application/dicom\r\n\r\n'),
    instances[index]?.bytes ?? Buffer.alloc(0),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from('--xyz--')]);
}

const stored = (...uids: readonly string[]): string =>
  JSON.stringify({
    '00081199': { vr: 'SQ', Value: uids.map((uid) => ({ '00081155': { vr: 'UI', Value: [uid] } })) },
  });

interface Got {
  readonly bytes: Buffer;
  readonly headers: IncomingMessage['headers'];
  readonly whole: boolean;
}

/** A proxy in front of a receiver that answers what `answers` says, request by request. */
async function proxied(
  handle: (got: Got, answer: ServerResponse, turn: number) => void,
): Promise<{ proxy: RecordingProxy; got: Got[] }> {
  const got: Got[] = [];
  const receiver = createServer((incoming, answer) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('close', () => {
      const entry = { bytes: Buffer.concat(chunks), headers: incoming.headers, whole: incoming.complete };
      got.push(entry);
      if (incoming.complete) handle(entry, answer, got.length - 1);
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const proxy = await openRecordingProxy({ target: { host: '127.0.0.1', port } });
  cleanUp.push(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  cleanUp.push(() => proxy.close());
  return { proxy, got };
}

const post = (proxy: RecordingProxy, body: Buffer, path = '/dicom-web/studies'): Promise<Response> =>
  fetch(`${proxy.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': TYPE },
    body: Uint8Array.from(body),
  });

describe('a recording proxy', () => {
  it('passes request and answer on unchanged and records both', async () => {
    const { proxy, got } = await proxied((_, answer) => {
      answer.writeHead(202, { 'content-type': 'application/dicom+json', 'set-cookie': ['a=1', 'b=2'] });
      answer.end(stored(one, two));
    });
    const body = bodyOf(0, 1, 2);
    const answer = await post(proxy, body);
    expect(answer.status).toBe(202);
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await answer.text()).toBe(stored(one, two));
    expect(got[0]?.bytes.equals(body)).toBe(true);
    expect(got[0]?.headers['content-length']).toBe(body.byteLength.toString());
    expect(proxy.stows).toHaveLength(1);
    expect(proxy.stows[0]).toMatchObject({
      path: '/dicom-web/studies',
      status: 202,
      sopInstanceUids: [one, two, three],
      parts: 3,
      bytes: body.byteLength,
      responseReferenced: [one, two],
      answered: true,
      cut: false,
    });
    expect(proxy.sentAfterConfirmed()).toEqual([]);
  });

  it.each(['gzip', 'deflate', 'br'] as const)(
    'reads an answer that comes as %s and leaves it so',
    async (encoding) => {
      const pack = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }[encoding];
      const { proxy } = await proxied((_, answer) => {
        answer.writeHead(200, { 'content-encoding': encoding }).end(pack(stored(one)));
      });
      expect(await (await post(proxy, bodyOf(0))).text()).toBe(stored(one));
      expect(proxy.stows[0]?.responseReferenced).toEqual([one]);
    },
  );

  it('accuses of sending again only what an answer had confirmed', async () => {
    const { proxy } = await proxied((_, answer, turn) =>
      answer.end(turn === 0 ? stored(one) : stored(one, two)),
    );
    await (await post(proxy, bodyOf(0, 1))).text();
    await (await post(proxy, bodyOf(1))).text();
    expect(proxy.sentAfterConfirmed()).toEqual([]);
    await (await post(proxy, bodyOf(2, 0))).text();
    expect(proxy.sentAfterConfirmed()).toEqual([one]);
  });

  it('does not accuse when two requests were under way together', async () => {
    const held: ServerResponse[] = [];
    const { proxy } = await proxied((_, answer) => {
      held.push(answer);
      if (held.length === 2) for (const each of held) each.end(stored(one));
    });
    await Promise.all([post(proxy, bodyOf(0)), post(proxy, bodyOf(0))]);
    expect(proxy.stows).toHaveLength(2);
    expect(proxy.sentAfterConfirmed()).toEqual([]);
  });

  it('records what was seen of a sender that is killed, and never completes its request', async () => {
    const { proxy, got } = await proxied((_, answer) => answer.end());
    const body = bodyOf(0, 1);
    const sender = request({
      host: '127.0.0.1',
      port: proxy.port,
      path: '/studies',
      method: 'POST',
      headers: { 'content-type': TYPE, 'content-length': body.byteLength },
    });
    sender.on('error', () => undefined);
    sender.write(body.subarray(0, 250_000));
    await until(() => (proxy.stows[0]?.sopInstanceUids.length ?? 0) === 2);
    sender.destroy();
    await until(() => got.length === 1 && proxy.stows[0]?.cut === true);
    expect(got[0]?.whole).toBe(false);
    expect(proxy.stows[0]).toMatchObject({ sopInstanceUids: [one, two], answered: false, status: undefined });
  });

  it('does not call it answered when the sender died before the answer', async () => {
    let hold: ServerResponse | undefined;
    const { proxy } = await proxied((_, answer, turn) => {
      if (turn === 0) hold = answer;
      else answer.end();
    });
    const abort = new AbortController();
    const body = Uint8Array.from(bodyOf(0));
    const sent = fetch(`${proxy.url}/studies`, {
      method: 'POST',
      headers: { 'content-type': TYPE },
      body,
      signal: abort.signal,
    });
    await until(() => hold !== undefined);
    abort.abort();
    await expect(sent).rejects.toThrow();
    await until(() => proxy.stows[0]?.cut === true);
    hold?.end(stored(one));
    await (await post(proxy, bodyOf(0))).text();
    expect(proxy.stows[0]).toMatchObject({ answered: false, sopInstanceUids: [one] });
    expect(proxy.sentAfterConfirmed()).toEqual([]);
  });

  it('resets the sender when the receiver breaks, before or in the middle of its answer', async () => {
    const { proxy } = await proxied((_, answer, turn) => {
      if (turn === 0) answer.destroy();
      else answer.writeHead(200, { 'content-length': 100 }).write('half', () => answer.destroy());
    });
    await expect(post(proxy, bodyOf(0))).rejects.toThrow();
    await expect(post(proxy, bodyOf(0)).then((answer) => answer.text())).rejects.toThrow();
    await until(() => proxy.stows[1]?.cut === true);
    expect(proxy.stows.map(({ answered, status }) => [answered, status])).toEqual([
      [false, undefined],
      [false, undefined],
    ]);
  });

  it('passes other requests on and counts them by method and path', async () => {
    const { proxy } = await proxied((_, answer) => answer.end('[]'));
    const agent = new Agent({ keepAlive: true });
    cleanUp.push(() => agent.destroy());
    expect(await (await fetch(`${proxy.url}/dicom-web/studies?limit=1`)).text()).toBe('[]');
    await (await fetch(`${proxy.url}/dicom-web/studies?limit=2`)).text();
    await (await fetch(`${proxy.url}/tools/find`, { method: 'POST', body: '{}' })).text();
    expect([...proxy.others]).toEqual([
      ['GET /dicom-web/studies', 2],
      ['POST /tools/find', 1],
    ]);
    expect(proxy.stows).toEqual([]);
  });
});

describe('a STOW answer', () => {
  it('confirms what is in (0008,1199) and not what is in (0008,1198), as JSON and as XML', () => {
    const json = { '00081198': { vr: 'SQ', Value: [{ '00081155': { vr: 'UI', Value: ['9.9'] } }] } };
    expect(
      referencedSopInstanceUids(JSON.stringify({ ...json, ...JSON.parse(stored('1.1', '1.2')) })),
    ).toEqual(['1.1', '1.2']);
    expect(referencedSopInstanceUids(`[${stored('1.1')}]`)).toEqual(['1.1']);
    const item = (tag: string, uid: string): string =>
      `<DicomAttribute tag="${tag}" vr="SQ"><Item number="1"><DicomAttribute tag="00081150" vr="UI"/>` +
      `<DicomAttribute tag="00081155" vr="UI"><Value number="1">${uid}</Value></DicomAttribute></Item>` +
      '<Value number="1" /></DicomAttribute>';
    const xml = `<?xml version="1.0"?><NativeDicomModel>${item('00081198', '9.9')}${item('00081199', '1.1')}</NativeDicomModel>`;
    expect(referencedSopInstanceUids(xml)).toEqual(['1.1']);
  });

  it.each([
    '',
    'ok',
    '{}',
    '[]',
    'null',
    '{"00081199":{"Value":[null,{"00081155":{"Value":[7]}}]}}',
    '<html>',
  ])('confirms nothing by %j', (body) => {
    expect(referencedSopInstanceUids(body)).toEqual([]);
  });
});
