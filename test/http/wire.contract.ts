import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyTooLarge } from '../../src/http/errors.ts';
import type { Exchange, Handler, Listener } from '../../src/http/exchange.ts';
import { subject } from './subject.ts';

const fuzzMs = Number(process.env.FUZZ_SECONDS ?? 2) * 1_000;

/** What both listeners do with requests that are wrong, hostile or odd. */
export function wireContract(kind: Listener['kind']): void {
  describe.concurrent(`what comes over the wire to ${kind}`, () => {
    /** Serves what it gets and remembers it. */
    const remembering = () => {
      const seen: Exchange[] = [];
      const handler: Handler = (exchange) => {
        seen.push(exchange);
        exchange.answer({ status: 200, body: 'served' });
      };
      return { seen, handler };
    };

    it.for([
      { lines: ['Content-Length: 1', 'Content-Length: 60'] },
      { lines: ['Content-Length: 60', 'Content-Length: 60'] },
      { lines: ['Content-Length: 1', 'Transfer-Encoding: chunked'] },
      { lines: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], onUws: 411 },
      { lines: ['Transfer-Encoding: gzip, chunked'], onUws: 411 },
      { lines: ['Content-Length: +1'] },
      { lines: ['Content-Length: 1, 1'] },
      { lines: ['Host: other'] },
      { lines: ['Authorization: Bearer a', 'Authorization: Bearer b'] },
      { lines: ['Upload-Offset: 1', 'upload-offset: 2'] },
      { lines: ['Upload-Length: 1', 'Upload-Length: 1'] },
      { lines: ['Transfer-Encoding: chunked', 'Trailer: Upload-Checksum'] },
      { lines: ['Content-Length: 1', 'Trailer: Upload-Checksum'] },
      { lines: ['Content-Length: -1'] },
      { lines: ['Content-Length: 0x10'] },
      { lines: ['Content-Length: 18446744073709551617'] },
      // uWS takes a line of which it finds no name for a head that is not whole yet, and cuts when its time is over.
      { lines: ['Content-Length : 60'], onUws: undefined },
      { lines: ['Content-Length: 1', 'Content-Length : 60'], onUws: undefined },
      { lines: ['Content-Length: 1', ' Content-Length: 60'], onUws: undefined },
      { lines: ['Transfer-Encoding : chunked'], onUws: undefined },
      { lines: ['Transfer-Encoding: xchunked'], onUws: 411 },
      { lines: ['Content-Length: 1', 'Transfer-Encoding:\tchunked'] },
    ])(
      'refuses $lines, closes, and serves nothing behind it',
      async ({ lines, ...on }, { onTestFinished }) => {
        const { seen, handler } = remembering();
        const { connect } = await subject(kind, onTestFinished, handler);
        const head = `POST /first HTTP/1.1\r\nHost: sluis.test\r\n${lines.join('\r\n')}\r\n\r\n`;
        const alone = await connect();
        await alone.send(head);
        expect((await alone.answer())?.status).toBe(kind === 'uws' && 'onUws' in on ? on.onUws : 400);
        await alone.closed();

        const smuggler = await connect();
        await smuggler.send(`${head}xGET /smuggled HTTP/1.1\r\nHost: sluis.test\r\n\r\n`);
        await smuggler.closed();
        expect(seen.map(({ path }) => path)).toEqual([]);
      },
    );

    it.for(['GET /n\xe9e', 'OPTIONS *', 'GET http://other/'])(
      'answers %j with an error',
      async (line, { onTestFinished }) => {
        const { seen, handler } = remembering();
        const { connect } = await subject(kind, onTestFinished, handler);
        const client = await connect();
        await client.head(line);
        const answer = await client.answer();
        expect(answer?.status ?? 400).toBeGreaterThanOrEqual(400);
        await client.closed();
        expect(seen).toEqual([]);
      },
    );

    it('names what it refused', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, remembering().handler);
      const client = await connect();
      await client.send('PATCH / HTTP/1.1\r\nHost: a\r\nUpload-Offset: 1\r\nUpload-Offset: 2\r\n\r\n');
      const answer = await client.answer();
      expect(answer?.headers.get('content-type')).toEqual(['application/problem+json']);
      expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({
        status: 400,
        code: 'SLUIS_HTTP_HEADER_REPEATED',
        remedy: 'fix-request',
        facts: { header: 'upload-offset' },
      });
    });

    it('serves heads up to 16 KiB and answers 431 above', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const client = await connect();
      await client.head('GET /', { 'Upload-Metadata': 'a'.repeat(12 * 1024) });
      expect((await client.answer())?.status).toBe(200);
      expect(seen[0]?.headers.get('upload-metadata')).toHaveLength(12 * 1024);
      await client.head('GET /', { 'Upload-Metadata': 'a'.repeat(20 * 1024) });
      expect((await client.answer())?.status).toBe(431);
      await client.closed();
    });

    it('lives through a head of 100 KiB', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const giant = await connect();
      await giant.send(`GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(100 * 1024)}\r\n\r\n`);
      // Closed with the rest of it unread, it can be reset before the 431 is read.
      expect((await giant.answer())?.status ?? 431).toBe(431);
      await giant.closed();
      const client = await connect();
      await client.head('GET /after');
      expect((await client.answer())?.status).toBe(200);
      expect(seen.map(({ path }) => path)).toEqual(['/after']);
    });

    it('serves 98 headers, Host included, and answers 431 to more', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      for (const [headers, status] of [
        [97, 200],
        [98, 200],
        [99, 431],
        [100, 431],
        [101, 431],
        [200, 431],
      ] as const) {
        const client = await connect();
        await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(headers - 1)}\r\n`);
        expect([headers, (await client.answer())?.status]).toEqual([headers, status]);
        if (status === 431) await client.closed();
      }
      expect(seen).toHaveLength(2);
    });

    it('answers 417 to an expectation that nobody knows', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const client = await connect();
      await client.head('POST /', { 'Content-Length': 2, Expect: 'miracles' });
      const answer = await client.answer();
      expect(answer?.status).toBe(417);
      expect(answer?.headers.get('content-type')).toEqual(['application/problem+json']);
      expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({
        code: 'SLUIS_HTTP_EXPECTATION_UNKNOWN',
      });
      await client.closed();
      expect(seen).toEqual([]);
    });

    it('joins other headers that come twice, and reads their bytes as UTF-8', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const client = await connect();
      const name = Buffer.from('née', 'utf8').toString('latin1');
      await client.send(
        `GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nX-One: 2\r\nX-Name: ${name}\r\nX-Latin: n\xe9e\r\n\r\n`,
      );
      expect((await client.answer())?.status).toBe(200);
      expect(seen[0]?.headers.get('x-one')).toBe('1, 2');
      expect(seen[0]?.headers.get('x-name')).toBe('née');
      expect(seen[0]?.headers.get('x-latin')).toBe('n\ufffde');
      expect(seen[0]?.remoteAddress).toBe('127.0.0.1');
    });

    it('lets no header value begin a header of its own', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, (exchange) => {
        const headers = { 'X-Echo': 'a\r\nX-Evil: 1\0é', 'Content-Length': '99', Connection: 'upgrade' };
        exchange.answer({ status: 200, headers, body: 'ok' });
      });
      const client = await connect();
      await client.head('GET /');
      const answer = await client.answer();
      expect(answer?.headers.get('x-echo')).toEqual(['a??X-Evil: 1??']);
      expect(answer?.headers.has('x-evil')).toBe(false);
      expect(answer?.headers.get('content-length')).toEqual(['2']);
      expect(answer?.headers.get('server')).toBeUndefined();
      expect(answer?.headers.get('uwebsockets')).toBeUndefined();
    });

    it('turns what handlers throw into problem answers, and says nothing of what it did not expect', async ({
      onTestFinished,
    }) => {
      const { connect, log } = await subject(kind, onTestFinished, async (exchange) => {
        if (exchange.path === '/ours') throw new BodyTooLarge(5);
        if (exchange.path === '/theirs') throw new TypeError('Jansen, 999990019');
      });
      const client = await connect();
      const answers = [];
      for (const path of ['/ours', '/theirs', '/silent']) {
        await client.head(`GET ${path}`);
        answers.push(JSON.parse((await client.answer())?.body.toString() ?? ''));
      }
      expect(answers.map(({ status, code }) => [status, code])).toEqual([
        [413, 'SLUIS_HTTP_BODY_TOO_LARGE'],
        [500, 'SLUIS_INTERNAL'],
        [500, 'SLUIS_HTTP_UNANSWERED'],
      ]);
      expect(JSON.stringify(answers)).not.toContain('Jansen');
      expect(log.events.filter(({ level }) => level === 'error')).toHaveLength(2);
    });

    it('gives paths and forwarding headers to the handler as they came', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const client = await connect();
      const paths = [
        '/files/../../etc/passwd',
        '/files/..%2f..%2fetc%2fpasswd',
        '/files/%00',
        '//other/files',
      ];
      for (const path of paths) {
        await client.head(`GET ${path}`, { 'X-Forwarded-Proto': 'https,http' });
        expect((await client.answer())?.status).toBe(200);
      }
      expect(seen.map(({ path }) => path)).toEqual(paths);
      expect(seen.map(({ headers }) => headers.get('x-forwarded-proto'))).toEqual(
        paths.map(() => 'https,http'),
      );
    });

    it.for([
      [409, 'Conflict'],
      [423, 'Locked'],
      [429, 'Too Many Requests'],
      [460, 'Checksum Mismatch'],
      [507, 'Insufficient Storage'],
    ] as const)('names status %i %s', async ([status, phrase], { onTestFinished }) => {
      const { listener } = await subject(kind, onTestFinished, (exchange) => exchange.answer({ status }));
      const [answer] = (await once(get({ port: listener.port, host: '127.0.0.1' }), 'response')) as [
        IncomingMessage,
      ];
      answer.resume();
      expect([answer.statusCode, answer.statusMessage]).toEqual([status, phrase]);
    });

    it('answers requests that come in one packet, in their order', async ({ onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const client = await connect();
      await client.send(
        ['/one', '/two', '/three'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''),
      );
      for (let n = 0; n < 3; n += 1) expect((await client.answer())?.status).toBe(200);
      expect(seen.map(({ path }) => path)).toEqual(['/one', '/two', '/three']);
    });

    it('takes a peer that has ended its side before its answer for gone', async ({ onTestFinished }) => {
      let gone = false;
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        await new Promise((resolve) => exchange.gone.addEventListener('abort', resolve));
        gone = true;
        exchange.answer({ status: 200 });
      });
      const client = await connect();
      await client.head('GET /');
      client.socket.end();
      expect(await client.answer()).toBeUndefined();
      await client.closed();
      expect(gone).toBe(true);
    });

    it.for([
      // Undefined: cut when the time for a head is over.
      { name: 'the preface of HTTP/2', text: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', uws: 505, node: 400 },
      { name: 'HTTP/1.0', text: 'GET /old HTTP/1.0\r\n\r\n', uws: 505, node: 200 },
      { name: 'HTTP/3.7', text: 'GET / HTTP/3.7\r\nHost: a\r\n\r\n', uws: 505, node: 400 },
      { name: 'a TLS greeting', text: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', uws: 505, node: 400 },
      { name: 'an SSH greeting', text: 'SSH-2.0-x\r\n', uws: undefined, node: 400 },
    ])('answers $name, and closes', async ({ text, uws, node }, { onTestFinished }) => {
      const { seen, handler } = remembering();
      const { connect } = await subject(kind, onTestFinished, handler);
      const client = await connect();
      await client.send(text);
      const status = (await client.answer())?.status;
      expect(status).toBe(kind === 'uws' ? uws : node);
      await client.closed();
      expect(seen).toHaveLength(status === 200 ? 1 : 0);
    });

    it('answers 100-continue before the body', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        exchange.answer({ status: 200, body: await exchange.body.bytes(10) });
      });
      const client = await connect();
      await client.head('POST /', { 'Content-Length': 2, Expect: '100-continue' });
      await sleep(50);
      await client.send('ok');
      expect((await client.answer())?.body.toString()).toBe('ok');
    });

    it('outlives garbage and answers the next request', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        await exchange.body.bytes(1_000);
        exchange.answer({ status: 200, body: 'alive' });
      });
      const piece = fc.oneof(
        fc.constantFrom(
          'GET / HTTP/1.1\r\n',
          'Host: a\r\n',
          '\r\n',
          '\r\n\r\n',
          'HTTP/1.1',
          ' ',
          ':',
          '\0',
          '\n',
        ),
        fc.constantFrom(
          'Content-Length: 5\r\n',
          'Transfer-Encoding: chunked\r\n',
          'Expect: 100-continue\r\n',
        ),
        fc.constantFrom(
          'POST /x?y HTTP/1.1\r\n',
          '5\r\nhello\r\n',
          '0\r\n\r\n',
          'ffffffffffffffff\r\n',
          '-1\r\n',
        ),
        fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.boolean(), async (pieces, reset) => {
          const vandal = await connect();
          for (const one of pieces) await vandal.send(one);
          if (reset) vandal.socket.resetAndDestroy();
          else vandal.socket.destroy();
          const client = await connect();
          await client.head('POST /', { 'Content-Length': 2 });
          await client.send('ok');
          expect((await client.answer())?.body.toString()).toBe('alive');
          client.socket.destroy();
        }),
        { numRuns: 100_000, interruptAfterTimeLimit: fuzzMs, markInterruptAsFailure: false },
      );
    });
  });
}
