import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../http/kinds.ts';
import { pattern } from './engine.ts';
import { codeOf, idOf, locationOf, patchType, type Reply, TusServer } from './tus-client.ts';

const hour = 3_600_000;
// A whole second, as the header tells no less.
const start = Date.UTC(2026, 0, 1, 12);

describe.each(kinds)('tus expiration on %s', (kind) => {
  let tus: TusServer;
  let now: number;

  beforeEach(async () => {
    now = start;
    const settings = { expiryMs: 2 * hour, expiryMsMax: 5 * hour, unclaimedMs: 24 * hour };
    tus = await TusServer.open(kind, { settings, now: () => now });
  });
  afterEach(() => tus.close());

  const expires = ({ headers }: Reply): string | undefined => headers['upload-expires'] as string | undefined;

  it('tells the date in the format of HTTP, from the creation on', async () => {
    const created = await tus.post({ 'Upload-Length': '100' });
    expect(expires(created)).toBe('Thu, 01 Jan 2026 14:00:00 GMT');
    const path = locationOf(created);
    expect(expires(await tus.head(path))).toBe('Thu, 01 Jan 2026 14:00:00 GMT');
  });

  it('lives on with every body, but not for ever', async () => {
    const path = await tus.create(100);
    now += hour;
    expect(expires(await tus.patch(path, 0, pattern(10)))).toBe('Thu, 01 Jan 2026 15:00:00 GMT');
    now += hour;
    expect(expires(await tus.patch(path, 10, pattern(10)))).toBe('Thu, 01 Jan 2026 16:00:00 GMT');
    now += 1.5 * hour;
    expect(expires(await tus.patch(path, 20, pattern(10)))).toBe('Thu, 01 Jan 2026 17:00:00 GMT');
    expect(expires(await tus.head(path))).toBe('Thu, 01 Jan 2026 17:00:00 GMT');
  });

  it('tells it with a refusal too', async () => {
    const path = await tus.create(100);
    const when = 'Thu, 01 Jan 2026 14:00:00 GMT';
    expect(expires(await tus.patch(path, 5, pattern(10)))).toBe(when);
    expect(expires(await tus.patch(path, 0, pattern(10), { 'Content-Type': 'text/plain' }))).toBe(when);
    const headers = { 'Upload-Length': '10', 'Content-Type': patchType, 'Upload-Checksum': 'crc32 AAAAAA==' };
    expect(expires(await tus.post(headers, pattern(10)))).toBe(when);
  });

  it('tells no date of an upload that is finished, and keeps it', async () => {
    const path = await tus.create(10);
    expect(expires(await tus.patch(path, 0, pattern(10)))).toBeUndefined();
    now += 6 * hour;
    await tus.engine.uploads.expire();
    const head = await tus.head(path);
    expect([head.status, expires(head), head.headers['upload-offset']]).toEqual([200, undefined, '10']);
  });

  it('answers 404 to everything once it is over', async () => {
    const path = await tus.create(100);
    await tus.patch(path, 0, pattern(10));
    now += 2 * hour - 1;
    expect(await tus.engine.uploads.expire()).toBe(0);
    expect((await tus.head(path)).status).toBe(200);
    now += 1;
    expect(await tus.engine.uploads.expire()).toBe(1);
    expect((await tus.head(path)).status).toBe(404);
    const patched = await tus.patch(path, 10, pattern(10));
    expect([patched.status, codeOf(patched), patched.headers['upload-offset']]).toEqual([
      404,
      'SLUIS_UPLOAD_NOT_FOUND',
      undefined,
    ]);
    expect((await tus.call('GET', path)).status).toBe(404);
    expect((await tus.call('DELETE', path)).status).toBe(404);
  });

  it('says of a final upload that its parts are not whole yet, and until when', async () => {
    const part = await tus.create(10, { 'Upload-Concat': 'partial' });
    const final = await tus.post({ 'Upload-Concat': `final;${part}` });
    expect(expires(final)).toBe('Thu, 01 Jan 2026 17:00:00 GMT');
    await tus.patch(part, 0, pattern(10));
    expect(expires(await tus.head(locationOf(final)))).toBeUndefined();
    expect(tus.engine.received).toContain(idOf(locationOf(final)));
  });
});
