import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePorts } from '../support/ports.ts';
import { checks } from './checks/index.ts';
import { idsOf, linesOf, markdownOf, summaryOf } from './report.ts';
import { conformance, type Report, Unusable } from './suite.ts';

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

const options = { 'Tus-Version': '1.0.0', 'Tus-Extension': 'creation' };

describe('the conformance suite', () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  async function serve(answer: Serve): Promise<URL> {
    server = createServer((request, response) => {
      request.resume();
      answer(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new URL(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/files`);
  }
  const look = (url: URL, only: RegExp, waitMs = 2000): Promise<Report> =>
    conformance({ url, bytes: 1024, waitMs, isWanted: (id) => only.test(id) });

  it('names each check once, and the sentence it looks at', () => {
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
    expect(checks.filter(({ says }) => says.length < 10)).toEqual([]);
  });

  it('says what is missing when nobody can be tested', async () => {
    const [port = 0] = await freePorts(1);
    const nobody = look(new URL(`http://127.0.0.1:${String(port)}/files`), /./);
    await expect(nobody).rejects.toThrow(Unusable);
    await expect(nobody).rejects.toThrow('is not reachable: ECONNREFUSED');
    const hints: [status: number, hint: RegExp][] = [
      [401, /POST answered 401: --token-file or --header/],
      [400, /POST answered 400: perhaps it needs --metadata/],
      [404, /POST answered 404: --url is the URL/],
    ];
    for (const [status, hint] of hints) {
      const url = await serve(({ method }, response) => {
        response.writeHead(method === 'OPTIONS' ? 204 : status, method === 'OPTIONS' ? options : {}).end();
      });
      await expect(look(url, /./)).rejects.toThrow(hint);
      server?.close();
    }
  });

  it('offers nothing to a server that offers nothing, and fails nobody for it', async () => {
    const url = await serve((_, response) => response.writeHead(204, { 'Tus-Version': '1.0.0' }).end());
    const report = await look(url, /./);
    expect(report.extensions).toEqual([]);
    expect(idsOf(report, 'fail')).toEqual([]);
    expect(idsOf(report, 'warn')).toEqual(['options/feature-detection', 'creation/offered']);
  });

  it('finds an answer that does not come, and goes on', async () => {
    const url = await serve(({ method }, response) => {
      if (method === 'OPTIONS') response.writeHead(204, options).end();
      else if (method === 'POST') response.writeHead(201, { Location: 'files/a' }).end();
      else if (method === 'HEAD') response.writeHead(200, { 'Upload-Offset': '0' }).end();
    });
    const report = await look(url, /^core\/(patch-204|head-offset-zero)$/, 300);
    expect(report.results.map(({ id, outcome, seen }) => [id, outcome, seen])).toEqual([
      ['core/head-offset-zero', 'pass', undefined],
      ['core/patch-204', 'fail', 'PATCH: no answer within 0.3 s'],
    ]);
    expect(linesOf(report)).toMatch(/^FAIL {2}MUST {4}core\/patch-204 +PATCH: no answer within 0.3 s$/m);
    expect(summaryOf(report)).toBe('MUST 1/2; SHOULD –; MAY –; EXTRA –');
  });

  it('takes no yes for an answer', async () => {
    const all = [
      ...['creation', 'creation-with-upload', 'creation-defer-length', 'expiration', 'termination'],
      ...['checksum', 'checksum-trailer', 'concatenation', 'concatenation-unfinished'],
    ];
    let uploads = 0;
    // Says yes to everything, knows everything, and remembers nothing.
    const url = await serve((request, response) => {
      request.on('end', () => {
        const { method } = request;
        if (method === 'OPTIONS')
          response
            .writeHead(204, { ...options, 'Tus-Extension': all.join(), 'Tus-Max-Size': '1000000' })
            .end();
        else if (method === 'POST') response.writeHead(201, { Location: `files/${String(++uploads)}` }).end();
        else if (method === 'HEAD') response.writeHead(200, { 'Upload-Offset': '3' }).end();
        else response.writeHead(204, { 'Upload-Expires': 'tomorrow' }).end();
      });
    });
    const report = await look(url, /^(?!options)/, 300);
    const passed = report.results.filter(({ outcome, level }) => outcome === 'pass' && level === 'MUST');
    // These ask for no more than a yes.
    expect(passed.map(({ id }) => id).filter((id) => !id.endsWith('advertised'))).toEqual([
      ...['core/head-offset-integer', 'core/patch-204', 'core/offset-within-what-was-sent'],
      ...['creation/post-201', 'creation/post-location', 'creation/length-known-not-deferred'],
      ...['creation-defer-length/post-201', 'creation-with-upload/depends-on-creation'],
      ...['expiration/patch-tells-expiry', 'termination/unfinished-204', 'termination/complete-204'],
      ...['concatenation/partial-201', 'concatenation/final-201'],
      ...['concatenation/partials-metadata-not-transferred', 'concatenation/unfinished-201'],
    ]);
  });

  it('finds an extension that is there and not named', async () => {
    const url = await serve((request, response) => {
      request.on('end', () => {
        const { method, headers } = request;
        if (method === 'OPTIONS') response.writeHead(204, options).end();
        else if (method === 'POST') response.writeHead(201, { Location: 'files/a' }).end();
        else if (method === 'HEAD')
          response.writeHead(200, { 'Upload-Offset': '3', 'Upload-Concat': 'partial' }).end();
        else if (headers['upload-checksum'] !== undefined) response.writeHead(460).end();
        else response.writeHead(204, { 'Upload-Expires': 'tomorrow' }).end();
      });
    });
    const report = await look(url, /advertised$/);
    expect(idsOf(report, 'fail')).toEqual([
      'creation-defer-length/advertised',
      'creation-with-upload/advertised',
      'expiration/advertised',
      'checksum/advertised',
      'termination/advertised',
      'concatenation/advertised',
    ]);
  });

  it('finds what is wrong with an answer to OPTIONS', async () => {
    const wrong: [status: number, headers: Record<string, string>, fails: string[]][] = [
      [403, options, ['status', 'ignores-tus-resumable']],
      [200, {}, ['tus-version', 'tus-version-list', 'ignores-tus-resumable']],
      [200, { ...options, 'Tus-Version': '0.2.2' }, ['tus-version-list']],
      [200, { ...options, 'Tus-Version': '1.0' }, ['tus-version-list']],
      [200, { ...options, 'Tus-Extension': 'creation expiration' }, ['tus-extension-list']],
      [200, { ...options, 'Tus-Extension': '' }, ['tus-extension-list']],
      [200, { ...options, 'Tus-Max-Size': '1GB' }, ['tus-max-size-integer']],
    ];
    for (const [status, headers, fails] of wrong) {
      const url = await serve(({ method }, response) => {
        if (method === 'OPTIONS') response.writeHead(status, headers).end();
        else response.writeHead(201, { Location: 'files/a' }).end();
      });
      const report = await look(url, /^options\//);
      expect([headers, idsOf(report, 'fail')]).toEqual([headers, fails.map((name) => `options/${name}`)]);
      server?.close();
    }
  });

  it('puts servers side by side', () => {
    const result = { id: 'core/a', section: 'core', level: 'MUST', says: 'a', ms: 1 } as const;
    const report = { url: '', versions: [], extensions: [], algorithms: [], maxSize: null };
    const table = markdownOf([
      ['one', { ...report, results: [{ ...result, outcome: 'fail', seen: 'HEAD tells a|b: secret' }] }],
      ['other', { ...report, results: [{ ...result, outcome: 'pass' }] }],
    ]);
    expect(table).toContain('| core | 0/1 · – · – · – | 1/1 · – · – · – |\n');
    expect(table).toContain('| core/a (MUST) | **fail**: HEAD tells a\\|b | ok |\n');
  });
});
