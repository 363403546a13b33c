import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../http/kinds.ts';
import { fuzz, pattern } from './engine.ts';
import { codeOf, idOf, locationOf, openPatch, patchType, TusServer } from './tus-client.ts';

const hello = Buffer.from('hello world');
const sha1 = (bytes: Uint8Array): string => `sha1 ${createHash('sha1').update(bytes).digest('base64')}`;
const bigEndian = (value: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
};

describe.each(kinds)('tus checksum on %s', (kind) => {
  let tus: TusServer;

  beforeEach(async () => {
    // Checkpoints come as often as they can: none may count a byte that is not verified.
    tus = await TusServer.open(kind, { settings: { checkpointBytes: 4096, checkpointMs: 1 } });
  });
  afterEach(() => tus.close());

  it.each([
    ['md5', createHash('md5').update(hello).digest('base64')],
    // The example of the specification.
    ['sha1', 'Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    ['sha256', createHash('sha256').update(hello).digest('base64')],
    ['sha512', createHash('sha512').update(hello).digest('base64')],
    ['crc32', bigEndian(crc32(hello))],
    // Computed bit by bit with the polynomial of RFC 3720, 12.1.
    ['crc32c', bigEndian(0xc9_94_65_aa)],
  ])('takes a body that has its %s, and none that differs in a bit', async (algorithm, value) => {
    const path = await tus.create(hello.byteLength);
    const flipped = Buffer.from(hello);
    flipped.writeUInt8(flipped.readUInt8(5) ^ 1, 5);
    const refused = await tus.patch(path, 0, flipped, { 'Upload-Checksum': `${algorithm} ${value}` });
    expect([refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([
      460,
      'SLUIS_UPLOAD_CHECKSUM_MISMATCH',
      '0',
    ]);
    expect((await tus.head(path)).headers['upload-offset']).toBe('0');
    const taken = await tus.patch(path, 0, hello, { 'Upload-Checksum': `${algorithm} ${value}` });
    expect([taken.status, taken.headers['upload-offset']]).toEqual([204, '11']);
    expect((await tus.engine.bytes(idOf(path))).equals(hello)).toBe(true);
    expect(tus.engine.received).toEqual([idOf(path)]);
  });

  it('discards the whole of a large body, keeps what was there before it, and goes on from there', async () => {
    const bytes = pattern(3_000_000);
    const path = await tus.create(bytes.byteLength);
    const [first, second] = [bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)];
    await tus.patch(path, 0, first, { 'Upload-Checksum': sha1(first) });
    const wrong = Buffer.from(second);
    wrong.writeUInt8(wrong.readUInt8(1_999_999) ^ 0x80, 1_999_999);
    const refused = await tus.patch(path, 1_000_000, wrong, { 'Upload-Checksum': sha1(second) });
    expect([refused.status, refused.headers['upload-offset']]).toEqual([460, '1000000']);
    expect(tus.engine.received).toEqual([]);
    expect((await tus.call('GET', path)).body.equals(first)).toBe(true);
    expect((await tus.patch(path, 1_000_000, second, { 'Upload-Checksum': sha1(second) })).status).toBe(204);
    expect((await tus.engine.bytes(idOf(path))).equals(bytes)).toBe(true);
  });

  it('verifies an empty body too', async () => {
    const path = await tus.create(5);
    const refused = await tus.patch(path, 0, pattern(0), { 'Upload-Checksum': sha1(hello) });
    expect([refused.status, refused.headers['upload-offset']]).toEqual([460, '0']);
    const taken = await tus.patch(path, 0, pattern(0), { 'Upload-Checksum': sha1(pattern(0)) });
    expect([taken.status, taken.headers['upload-offset']]).toEqual([204, '0']);
  });

  it('verifies the body of a creation; one that differs leaves an upload to go on with', async () => {
    const headers = { 'Upload-Length': '11', 'Content-Type': patchType, 'Upload-Checksum': sha1(hello) };
    const taken = await tus.post(headers, hello);
    expect(taken.headers['upload-offset']).toBe('11');
    expect(tus.engine.received).toEqual([idOf(locationOf(taken))]);
    const refused = await tus.post(headers, pattern(11));
    expect([refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([
      460,
      'SLUIS_UPLOAD_CHECKSUM_MISMATCH',
      '0',
    ]);
    const { location = '' } = refused.headers;
    expect((await tus.head(location)).headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '11' });
    expect((await tus.patch(location, 0, hello)).status).toBe(204);
    expect((await tus.engine.bytes(idOf(location))).equals(hello)).toBe(true);
  });

  const sha1Value = 'Kq5sNclPz7QV2+lfQIuc6R7oRu0=';
  const malformed: [string, string | string[]][] = [
    ['an algorithm that nobody has', `sha3 ${sha1Value}`],
    ['an algorithm in capitals', `SHA1 ${sha1Value}`],
    ['the name of a property', `constructor ${sha1Value}`],
    ['no algorithm', sha1Value],
    ['no value', 'sha1'],
    ['an empty value', 'sha1 '],
    ['nothing', ''],
    ['two spaces', `sha1  ${sha1Value}`],
    ['something behind it', `sha1 ${sha1Value} x`],
    ['a value of another algorithm', `md5 ${sha1Value}`],
    ['too few bytes', 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRg=='],
    ['hexadecimal digits', `sha1 ${createHash('sha1').update(hello).digest('hex')}`],
    ['Base64 of hexadecimal digits', `sha1 ${Buffer.from('2aae6c35c94fcfb415dbe95f').toString('base64')}`],
    ['Base64 for URLs', `sha1 ${sha1Value.replace('+', '-')}`],
    ['no padding', `sha1 ${sha1Value.replace('=', '')}`],
    ['bits behind the last byte', `sha1 ${sha1Value.replace('0=', '1=')}`],
    ['a character of no Base64', `sha1 ${sha1Value.replace('N', '*')}`],
    ['two headers', [`sha1 ${sha1Value}`, `sha1 ${sha1Value}`]],
  ];

  it.each(malformed)('refuses %s before the body, and changes nothing', async (_what, value) => {
    const path = await tus.create(11);
    const refused = await tus.patch(path, 0, hello, { 'Upload-Checksum': value });
    expect([refused.status, codeOf(refused), refused.headers['upload-offset']]).toEqual([
      400,
      'SLUIS_UPLOAD_HEADER_INVALID',
      '0',
    ]);
    expect(refused.body.toString()).not.toContain(sha1Value.slice(0, 10));
    const headers = { 'Upload-Length': '11', 'Content-Type': patchType, 'Upload-Checksum': value };
    const created = await tus.post(headers, hello);
    expect([created.status, created.headers.location]).toEqual([400, undefined]);
    expect(tus.engine.uploads.load.open).toBe(1);
  });

  it('refuses any other value with 400, without a fault of its own', async () => {
    const path = await tus.create(11);
    // What an HTTP client lets through as the value of a header.
    const value = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          value,
          value.map((text) => `crc32 ${text}`),
        ),
        async (text) => {
          // Four bytes in Base64, by chance, are a checksum.
          fc.pre(!/^crc32c? [A-Za-z0-9+/]{6}==$/.test(text.trim()));
          const { status, headers } = await tus.patch(path, 0, hello, { 'Upload-Checksum': text });
          expect([status, headers['upload-offset']]).toEqual([400, '0']);
        },
      ),
      fuzz,
    );
  });

  it('refuses a checksum of a body that is not there', async () => {
    const refused = await tus.post({ 'Upload-Length': '11', 'Upload-Checksum': sha1(hello) });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'SLUIS_UPLOAD_HEADER_INVALID']);
  });

  it('refuses trailers before the body: a checksum behind it would be ignored', async () => {
    const path = await tus.create(11);
    const client = await openPatch(tus.port, path, {
      Trailer: 'Upload-Checksum',
      ...(kind === 'uws' ? { 'Content-Length': 11 } : { 'Transfer-Encoding': 'chunked' }),
    });
    const refused = await client.answer();
    client.socket.destroy();
    expect(refused?.status).toBe(400);
    expect(refused?.body.toString()).toContain('trailers');
    expect((await tus.head(path)).headers['upload-offset']).toBe('0');
  });
});
