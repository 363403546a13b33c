import { afterEach, describe, expect, it } from 'vitest';
import type { Authorize } from '../../src/access/principal.ts';
import type { Listener } from '../../src/http/exchange.ts';
import { listen } from '../../src/http/listen.ts';
import { tusHandler, uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { alice, Engine, silent } from '../upload/engine.ts';
import { checks } from './checks/index.ts';
import { deviationsOf, idsOf } from './report.ts';
import { conformance, type Report } from './suite.ts';

const authorize: Authorize = (headers) =>
  headers.get('authorization') === 'Bearer a' ? alice : { refused: 'unknown-token' };
/** Stands for AES-GCM: what is stored is not what was sent. */
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff);

describe.each(kinds)('this server on %s', (kind) => {
  let engine: Engine;
  let listener: Listener;

  async function start(expiry: { readonly expiryMs?: number } = {}): Promise<void> {
    engine = await Engine.open({ settings: { bytesMax: 50_000_000, checkpointMs: 20, ...expiry } });
    const { uploads } = engine;
    const handler = tusHandler({ uploads, authorize, seal: flip, unseal: flip, log: silent });
    listener = await listen({ host: '127.0.0.1', port: 0, handler, log: silent, listener: kind });
  }
  afterEach(async () => {
    await listener.stop(AbortSignal.timeout(200));
    await engine.remove();
  });

  const look = (isWanted: (id: string) => boolean = () => true): Promise<Report> =>
    conformance({
      url: new URL(`http://127.0.0.1:${String(listener.port)}${uploadsPath}`),
      headers: [['Authorization', 'Bearer a']],
      bytes: 65_536,
      waitMs: 10_000,
      isWanted,
    });

  it('does all that tus 1.0.0 says', async () => {
    await start();
    const report = await look();
    expect(report.results).toHaveLength(checks.length);
    expect(deviationsOf(report)).toEqual({
      fail: [],
      warn: [],
      // Both listeners let a body come before anybody has looked at the offset.
      note: ['core/expect-continue-refused-before-body'],
      notOffered: [
        // 411, so that no body is without a length.
        ...(kind === 'uws'
          ? ['core/patch-chunked', 'core/patch-chunked-beyond-length-refused', 'creation-with-upload/chunked']
          : []),
        // Three days are too long to wait for.
        ...['expiration/expired-404-410', 'expiration/expired-410'],
        ...['checksum/trailer-advertised', 'checksum/trailer-match', 'checksum/trailer-mismatch'],
      ],
    });
  });

  it('lets unfinished uploads expire when it said', async () => {
    await start({ expiryMs: 1500 });
    // As the program does each minute.
    const janitor = setInterval(() => void engine.uploads.expire(), 100);
    try {
      const report = await look((id) => id.startsWith('expiration/'));
      expect(idsOf(report, 'pass')).toEqual(
        // 404: no record is kept of what has expired.
        report.results.map(({ id }) => id).filter((id) => id !== 'expiration/expired-410'),
      );
    } finally {
      clearInterval(janitor);
    }
  });
});
