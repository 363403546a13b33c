import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { concatPartsMax } from '../../src/upload/limits.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { pattern } from './engine.ts';
import {
  base64,
  codeOf,
  idOf,
  locationOf,
  patchType,
  type Reply,
  type SentHeaders,
  TusServer,
} from './tus-client.ts';

const partial = { 'Upload-Concat': 'partial' };
const someId = '01890a5d-ac96-774b-bcce-b302099a8057';

describe.each(kinds)('tus concatenation on %s', (kind) => {
  let tus: TusServer;

  beforeEach(async () => {
    tus = await TusServer.open(kind);
  });
  afterEach(() => tus.close());

  /** A partial upload that has all its bytes. */
  async function part(bytes: Uint8Array): Promise<string> {
    const path = await tus.create(bytes.byteLength, partial);
    expect((await tus.patch(path, 0, bytes)).status).toBe(204);
    return path;
  }
  const final = (parts: readonly string[], headers: SentHeaders = {}): Promise<Reply> =>
    tus.post({ 'Upload-Concat': `final;${parts.join(' ')}`, ...headers });

  it('puts partial uploads together in the order that was asked for', async () => {
    const [one, two, three] = [pattern(100_000, 1), pattern(1, 2), pattern(70_000, 3)];
    const [a, b, c] = [await part(one), await part(two), await part(three)];
    const created = await final([c, a, b]);
    expect(created.headers['upload-offset']).toBe('170001');
    const path = locationOf(created);
    const head = await tus.head(path);
    expect(head.headers).toMatchObject({
      'upload-offset': '170001',
      'upload-length': '170001',
      'upload-concat': `final;${c} ${a} ${b}`,
    });
    expect((await tus.call('GET', path)).body.equals(Buffer.concat([three, one, two]))).toBe(true);
    expect(tus.engine.received).toContain(idOf(path));
  });

  it('tells of a partial upload that it is one, and where it is', async () => {
    const path = await tus.create(10, partial);
    await tus.patch(path, 0, pattern(4));
    expect((await tus.head(path)).headers).toMatchObject({
      'upload-concat': 'partial',
      'upload-offset': '4',
      'upload-length': '10',
    });
    expect((await tus.head(await tus.create(10))).headers['upload-concat']).toBeUndefined();
  });

  it('concatenates what is not finished yet: no offset is told until the last part is', async () => {
    const a = await tus.create(30, partial);
    const b = await part(pattern(20, 2));
    const created = await final([a, b]);
    expect(created.headers['upload-offset']).toBeUndefined();
    const path = locationOf(created);
    const before = await tus.head(path);
    expect(before.status).toBe(200);
    expect(before.headers).toMatchObject({ 'upload-length': '50', 'upload-concat': `final;${a} ${b}` });
    expect(before.headers['upload-offset']).toBeUndefined();
    await tus.patch(a, 0, pattern(10));
    expect((await tus.head(path)).headers['upload-offset']).toBeUndefined();
    await tus.patch(a, 10, pattern(30).subarray(10));
    expect((await tus.head(path)).headers).toMatchObject({ 'upload-offset': '50', 'upload-length': '50' });
    expect(tus.engine.received).toContain(idOf(path));
    const { body } = await tus.call('GET', path);
    expect(body.equals(Buffer.concat([pattern(30), pattern(20, 2)]))).toBe(true);
  });

  it('uses a part more than once', async () => {
    const a = await part(pattern(10));
    const first = locationOf(await final([a]));
    const second = locationOf(await final([a, a]));
    expect((await tus.head(first)).headers['upload-length']).toBe('10');
    expect((await tus.head(second)).headers['upload-length']).toBe('20');
    const { body } = await tus.call('GET', second);
    expect(body.equals(Buffer.concat([pattern(10), pattern(10)]))).toBe(true);
  });

  it('refuses bytes for a final upload with 403, finished or not, and changes nothing', async () => {
    const [a, b] = [await part(pattern(10)), await tus.create(10, partial)];
    for (const parts of [[a], [a, b]]) {
      const path = locationOf(await final(parts));
      const before = await tus.head(path);
      for (const offset of [0, 10]) {
        const refused = await tus.patch(path, offset, pattern(3));
        expect([refused.status, codeOf(refused)]).toEqual([403, 'SLUIS_UPLOAD_FINAL']);
      }
      const after = await tus.head(path);
      expect(after.headers['upload-offset']).toBe(before.headers['upload-offset']);
      expect(after.headers['upload-length']).toBe(before.headers['upload-length']);
    }
    expect((await tus.head(b)).headers['upload-offset']).toBe('0');
  });

  it('keeps the metadata of a final upload, and none of its parts', async () => {
    const a = await tus.create(0, { ...partial, 'Upload-Metadata': `filename ${base64('part')}` });
    const metadata = `filename ${base64('whole.dcm')},priority ${base64('urgent')}`;
    const path = locationOf(await final([a], { 'Upload-Metadata': metadata }));
    expect((await tus.head(path)).headers['upload-metadata']).toBe(metadata);
    expect(tus.engine.record(idOf(path)).priority).toBe('urgent');
    const bare = locationOf(await final([a]));
    expect((await tus.head(bare)).headers['upload-metadata']).toBeUndefined();
  });

  it('creates a partial upload with a deferred length, and with its bytes', async () => {
    const deferred = await tus.create('deferred', partial);
    expect((await tus.head(deferred)).headers).toMatchObject({
      'upload-concat': 'partial',
      'upload-defer-length': '1',
    });
    await tus.patch(deferred, 0, pattern(5), { 'Upload-Length': '5' });
    const whole = await tus.post(
      { ...partial, 'Upload-Length': '7', 'Content-Type': patchType },
      pattern(7, 2),
    );
    expect(whole.headers['upload-offset']).toBe('7');
    const path = locationOf(await final([deferred, locationOf(whole)]));
    const { body } = await tus.call('GET', path);
    expect(body.equals(Buffer.concat([pattern(5), pattern(7, 2)]))).toBe(true);
  });

  it('outlives its parts', async () => {
    const a = await part(pattern(10));
    const path = locationOf(await final([a]));
    expect((await tus.call('DELETE', a)).status).toBe(204);
    expect((await tus.call('GET', path)).body.equals(pattern(10))).toBe(true);
  });

  it.each<[string, (path: string) => string]>([
    ['a path', (path) => path],
    ['a path with a slash behind it', (path) => `${path}/`],
    ['a path beside that of the request', (path) => `uploads/${idOf(path)}`],
    ['an absolute URL', (path) => `http://127.0.0.1:1${path}`],
    ['the URL of a proxy in front', (path) => `https://uploads.hospital.example${path}`],
    ['a URL without its scheme', (path) => `//uploads.hospital.example${path}/`],
  ])('knows a part by %s', async (_what, url) => {
    const a = await part(pattern(10));
    const path = locationOf(await final([a, url(a)]));
    // "and its value as received in the upload creation request"
    expect((await tus.head(path)).headers['upload-concat']).toBe(`final;${a} ${url(a)}`);
    expect((await tus.call('GET', path)).body.equals(Buffer.concat([pattern(10), pattern(10)]))).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['a word', 'parts'],
    ['capitals', 'Partial'],
    ['partial twice', 'partial, partial'],
    ['partial with a list', `partial;${uploadsPath}/${someId}`],
    ['final without a list', 'final'],
    ['an empty list', 'final;'],
    ['another separator', `final:${uploadsPath}/${someId}`],
    ['commas', `final;${uploadsPath}/${someId},${uploadsPath}/${someId}`],
    ['two spaces', `final;${uploadsPath}/${someId}  ${uploadsPath}/${someId}`],
    ['an id alone', `final;${someId}`],
    ['another path', `final;/v1/transfers/${someId}`],
    ['a longer path', `final;${uploadsPath}/${someId}/content`],
    ['a path that goes up', `final;${uploadsPath}/../${someId}`],
    ['an encoded slash', `final;/v1%2fuploads/${someId}`],
    ['backslashes', `final;\\v1\\uploads\\${someId}`],
    ['no id', `final;${uploadsPath}/a`],
    ['an id in capitals', `final;${uploadsPath}/${someId.toUpperCase()}`],
    ['a query', `final;${uploadsPath}/${someId}?a=1`],
    ['a fragment', `final;${uploadsPath}/${someId}#1`],
    ['a password', `final;http://a:b@127.0.0.1${uploadsPath}/${someId}`],
    ['a file', `final;file://${uploadsPath}/${someId}`],
    ['another scheme', `final;data:${uploadsPath}/${someId}`],
    ['a broken URL', `final;http://[${uploadsPath}/${someId}`],
    ['the collection', `final;${uploadsPath}/`],
    ['an upload that does not exist', `final;${uploadsPath}/${someId}`],
  ])('refuses %s as Upload-Concat, and creates nothing', async (_what, value) => {
    const length = value.startsWith('final;') ? {} : { 'Upload-Length': '1' };
    const refused = await tus.post({ 'Upload-Concat': value, ...length });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'SLUIS_UPLOAD_CONCATENATION_INVALID']);
    expect(refused.headers.location).toBeUndefined();
    expect(tus.engine.uploads.load.open).toBe(0);
  });

  it('takes no part that is whole in itself, final, of an unknown length, or of another organization', async () => {
    const a = await part(pattern(10));
    const others = await tus.call('POST', uploadsPath, { ...partial, 'Upload-Length': '0' }, undefined, {
      token: 'm',
    });
    const cases = [
      await tus.create(0),
      locationOf(await final([a])),
      await tus.create('deferred', partial),
      locationOf(others),
    ];
    for (const path of cases) {
      const refused = await final([a, path]);
      expect([refused.status, codeOf(refused)]).toEqual([400, 'SLUIS_UPLOAD_CONCATENATION_INVALID']);
      expect(refused.body.toString()).toContain('part 2');
    }
  });

  it.each<[string, SentHeaders, Uint8Array | undefined]>([
    ['a length', { 'Upload-Length': '10' }, undefined],
    ['a deferred length', { 'Upload-Defer-Length': '1' }, undefined],
    ['a body', { 'Content-Type': patchType }, pattern(10)],
    ['a body of another type', { 'Content-Type': 'text/plain' }, pattern(10)],
    ['a checksum', { 'Upload-Checksum': 'crc32 AAAAAA==' }, undefined],
  ])('refuses a final upload with %s', async (_what, headers, body) => {
    const a = await part(pattern(10));
    const refused = await tus.post({ 'Upload-Concat': `final;${a}`, ...headers }, body);
    expect([refused.status, codeOf(refused)]).toEqual([400, 'SLUIS_UPLOAD_CONCATENATION_INVALID']);
  });

  it('refuses more parts than a final upload may have', async () => {
    // The shortest URL of a part, so that the list fits into a head at all.
    const refused = await tus.post({ 'Upload-Concat': `final;${'a '.repeat(concatPartsMax)}a` });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'SLUIS_UPLOAD_CONCATENATION_INVALID']);
    expect(refused.body.toString()).toContain(String(concatPartsMax));
  });
});
