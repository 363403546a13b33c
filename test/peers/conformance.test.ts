import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checks } from '../conformance/checks/index.ts';
import { deviationsOf, idsOf } from '../conformance/report.ts';
import { conformance, type Report } from '../conformance/suite.ts';
import { type Child, startChild } from '../support/child.ts';
import { goPeer } from '../support/go-peers.ts';
import { freePorts } from '../support/ports.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const tusServer = join(dirname(fileURLToPath(import.meta.url)), 'conformance-tus-server.mjs');

/** What other servers are known to do otherwise: a runner that does not find it is broken. */
describe('the conformance runner', () => {
  let folder: TempFolder;
  let server: Child | undefined;

  beforeEach(async () => {
    folder = await openTempFolder('sluis-conformance');
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await folder.remove();
  });

  const look = (port: string | number, isWanted: (id: string) => boolean = () => true): Promise<Report> =>
    conformance({
      url: new URL(`http://127.0.0.1:${String(port)}/files/`),
      bytes: 65_536,
      waitMs: 10_000,
      isWanted,
    });

  async function startTusServer(...args: readonly string[]): Promise<string> {
    server = await startChild(process.execPath, [tusServer, folder.path, ...args], {});
    return (await server.waitFor(/^listening on (\d+)$/))[1] ?? '';
  }

  const below = (...prefixes: readonly string[]): string[] =>
    checks.map(({ id }) => id).filter((id) => prefixes.some((prefix) => id.startsWith(prefix)));
  const without = (ids: readonly string[], ...others: readonly string[]): string[] =>
    ids.filter((id) => !others.includes(id));

  it('finds what tusd does otherwise', async () => {
    const [port = 0] = await freePorts(1);
    server = await startChild(
      goPeer('tusd'),
      [
        ...['-host', '127.0.0.1', '-port', String(port), '-base-path', '/files/'],
        ...['-upload-dir', folder.path, '-max-size', '1000000000'],
      ],
      {},
    );
    await server.waitFor(/You can now upload files to/);
    const report = await look(port);
    expect(deviationsOf(report)).toEqual({
      fail: [
        'core/version-unsupported-head-412',
        'core/version-unsupported-tells-versions',
        'core/method-override-actual-ignored',
        // Values that are no UTF-8 come back as U+FFFD.
        'creation/metadata-echo-binary',
        // Relative URLs of partial uploads come back absolute.
        'concatenation/final-head-concat',
      ],
      warn: ['core/patch-type-wrong-415', 'core/patch-type-missing-415'],
      note: [
        'core/version-missing-412',
        'core/patch-offset-mismatch-tells-offset',
        'core/patch-offset-odd-refused',
        'creation/length-invalid-400',
        'creation/metadata-echo-verbatim',
        'creation/metadata-invalid-400',
        'creation-defer-length/max-size-413',
        'checksum/unoffered-not-ignored',
        'concatenation/final-with-length-refused',
        'concatenation/final-of-others-refused',
      ],
      notOffered: [
        ...below('expiration/'),
        ...without(below('checksum/'), 'checksum/unoffered-not-ignored', 'checksum/not-told-elsewhere'),
        ...below('concatenation/unfinished-'),
      ],
    });
  });

  it('finds what @tus/server does otherwise', async () => {
    const report = await look(await startTusServer('3600000'));
    expect(deviationsOf(report)).toEqual({
      fail: [
        'core/version-unsupported-head-412',
        'core/version-unsupported-post-412',
        'core/version-unsupported-patch-412',
        'core/version-unsupported-tells-versions',
        'core/method-override-patch',
        'core/method-override-delete',
        'core/method-override-actual-ignored',
        'creation/metadata-echo-binary',
      ],
      warn: ['core/patch-type-wrong-415', 'core/patch-type-missing-415'],
      note: [
        'core/version-missing-412',
        'core/url-with-query',
        'core/patch-offset-mismatch-tells-offset',
        'core/patch-offset-invalid-400',
        'core/replaced-writer-not-told-success',
        'core/expect-continue-refused-before-body',
        'creation/metadata-empty-header',
        'checksum/unoffered-not-ignored',
        'termination/cancels-running-patch',
      ],
      notOffered: [
        'expiration/expired-404-410',
        'expiration/expired-410',
        ...without(below('checksum/'), 'checksum/unoffered-not-ignored', 'checksum/not-told-elsewhere'),
        ...without(below('concatenation/'), 'concatenation/unoffered-not-ignored'),
      ],
    });
  });

  it('finds that @tus/server refuses concatenation also when its store offers it', async () => {
    const report = await look(await startTusServer('0', 'says-concatenation'), (id) =>
      id.startsWith('concatenation/partial-'),
    );
    expect(idsOf(report, 'fail')).toEqual(below('concatenation/partial-'));
    expect(report.results[0]?.seen).toMatch(/^POST answered 501/);
  });

  it('waits for uploads that expire soon', async () => {
    const report = await look(await startTusServer('1500'), (id) => id.startsWith('expiration/'));
    expect(idsOf(report, 'not-offered')).toEqual([]);
    expect(idsOf(report, 'fail')).toEqual([]);
  });

  it('goes on to its end when the server dies of a check', async () => {
    const port = await startTusServer();
    const report = await conformance({
      url: new URL(`http://127.0.0.1:${port}/files/`),
      bytes: 65_536,
      waitMs: 2000,
      isWanted: (id) => id.startsWith('core/head-'),
      onResult: (_, done) => {
        if (done === 3) server?.kill('SIGKILL');
      },
    });
    expect(report.results.slice(0, 3).every(({ outcome }) => outcome === 'pass')).toBe(true);
    expect(report.results.at(-1)?.seen).toMatch(/^the server is gone since core\/head-/);
  });
});
