import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UploadClaimed } from '../../src/upload/errors.ts';
import { kinds } from '../http/kinds.ts';
import { until } from '../support/until.ts';
import { alice, pattern } from './engine.ts';
import { codeOf, idOf, openPatch, TusServer } from './tus-client.ts';

describe.each(kinds)('tus termination on %s', (kind) => {
  let tus: TusServer;
  const claimed = new Set<string>();

  beforeEach(async () => {
    const terminable = ({ id }: { readonly id: string }): void => {
      if (claimed.has(id)) {
        throw new UploadClaimed();
      }
    };
    tus = await TusServer.open(kind, { settings: { checkpointMs: 5 }, hooks: { terminable } });
  });
  afterEach(() => tus.close());

  it.each([
    ['unfinished', 50],
    ['finished', 100],
  ])('removes an %s upload: 204, and 404 from then on', async (_what, bytes) => {
    const path = await tus.create(100);
    await tus.patch(path, 0, pattern(bytes));
    const gone = await tus.call('DELETE', path);
    expect([gone.status, gone.headers['tus-resumable'], gone.body.byteLength]).toEqual([204, '1.0.0', 0]);
    expect((await tus.head(path)).status).toBe(404);
    expect((await tus.call('GET', path)).status).toBe(404);
    expect((await tus.patch(path, bytes, pattern(1))).status).toBe(404);
    expect((await tus.call('DELETE', path)).status).toBe(404);
    const objects = [];
    for await (const object of tus.engine.storage.list()) {
      objects.push(object);
    }
    expect(objects).toEqual([]);
  });

  it('refuses what a transfer has claimed, and says what to do instead', async () => {
    const path = await tus.create(100);
    claimed.add(idOf(path));
    const refused = await tus.call('DELETE', path);
    expect([refused.status, codeOf(refused)]).toEqual([403, 'SLUIS_UPLOAD_CLAIMED']);
    expect((await tus.head(path)).status).toBe(200);
  });

  it('hides what is of another organization', async () => {
    const path = await tus.create(100);
    const refused = await tus.call('DELETE', path, {}, undefined, { token: 'm' });
    expect([refused.status, codeOf(refused)]).toEqual([404, 'SLUIS_UPLOAD_NOT_FOUND']);
    expect((await tus.head(path)).status).toBe(200);
  });

  it('ends a PATCH that is under way', async () => {
    const path = await tus.create(1_000_000);
    const client = await openPatch(tus.port, path, { 'Content-Length': 1_000_000 });
    await client.send(pattern(200_000));
    await until(() => tus.engine.uploads.head(idOf(path), alice).offset === 200_000);
    expect((await tus.call('DELETE', path)).status).toBe(204);
    const ended = await client.answer();
    // It is told that it was replaced, or already that there is nothing to go on with.
    expect([404, 409]).toContain(ended?.status);
    expect((await tus.head(path)).status).toBe(404);
    expect(tus.engine.uploads.load.writers).toBe(0);
    client.socket.destroy();
  });
});
