import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BodyStopped, BodyTooLarge, PeerGone } from '../../src/http/errors.ts';
import type { Exchange, Listener } from '../../src/http/exchange.ts';
import {
  deferred,
  MemorySink,
  MiB,
  pausedBody,
  randomBytes,
  settled,
  subject,
  until,
  untilStill,
} from './subject.ts';

/**
 * What both listeners promise of request bodies and answers. Where they differ: chunked bodies are taken on
 * node-http only, and refused with 411 on uws (here); what each answers to a head that its own parser refuses
 * (wire.contract.ts).
 */
export function exchangeContract(kind: Listener['kind']): void {
  describe.concurrent(`request bodies on ${kind}`, () => {
    it('carries a body of 20 MB to a slow sink with at most 8 MiB waiting', async ({ onTestFinished }) => {
      const sent = randomBytes(20_000_000);
      const sink = new MemorySink(sent.length, () => sleep(10));
      const { connect, slabs } = await subject(kind, onTestFinished, async (exchange) => {
        const bytes = await exchange.body.drainTo(sink);
        exchange.answer({ status: 200, body: bytes.toString() });
      });
      const client = await connect();
      await client.head('PATCH /', { 'Content-Length': sent.length });
      await client.send(sent);
      const answer = await client.answer();
      expect(answer?.body.toString()).toBe('20000000');
      expect(sink.bytes.equals(sent)).toBe(true);
      expect(sink.inFlightPeak).toBe(2);
      // 8 MiB queued, one read of 512 KiB, and what the two slabs being written and the one being filled leave unused.
      expect(slabs.bytesInUsePeak).toBeLessThanOrEqual(11.5 * MiB);
      expect(slabs.bytesInUse).toBe(0);
    });

    it('notices a reset while the peer is paused', async ({ onTestFinished }) => {
      const sent = randomBytes(6 * MiB);
      const { client, exchange, sink, open, drained } = await pausedBody(kind, onTestFinished, sent);
      client.socket.resetAndDestroy();
      await until(() => exchange.gone.aborted);
      expect(sink.inFlight).toBeGreaterThan(0);
      open();
      const error = await drained;
      expect(error).toBeInstanceOf(PeerGone);
      expect((error as PeerGone).bytes).toBe(sink.written);
      expect(sink.bytes.subarray(0, sink.written).equals(sent.subarray(0, sink.written))).toBe(true);
    });

    it('writes every byte that arrived before the client was cut', async ({ onTestFinished }) => {
      const drained = deferred<unknown>();
      const sink = new MemorySink(300_000, () => sleep(50));
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        drained.resolve(await settled(exchange.body.drainTo(sink)));
      });
      const client = await connect();
      const sent = randomBytes(300_000);
      await client.head('PATCH /', { 'Content-Length': 1_000_000 });
      await client.send(sent);
      client.socket.end();
      const error = await drained.promise;
      expect(error).toBeInstanceOf(PeerGone);
      expect((error as PeerGone).bytes).toBe(300_000);
      expect(sink.bytes.equals(sent)).toBe(true);
    });

    it('writes what arrived when reading is stopped, and then can still answer', async ({
      onTestFinished,
    }) => {
      const stop = new AbortController();
      const sink = new MemorySink(100_000);
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        const error = await settled(exchange.body.drainTo(sink, stop.signal));
        const bytes = error instanceof BodyStopped ? error.bytes : -1;
        exchange.answer({ status: 409, body: bytes.toString() });
      });
      const client = await connect();
      await client.head('PATCH /', { 'Content-Length': 1_000_000 });
      await client.send(randomBytes(100_000));
      await until(() => sink.written === 100_000);
      stop.abort();
      const answer = await client.answer();
      expect([answer?.status, answer?.body.toString()]).toEqual([409, '100000']);
      await client.closed();
    });

    it('holds the body for a handler that asks 200 ms late', async ({ onTestFinished }) => {
      const sent = randomBytes(4 * MiB);
      let held = 0;
      const { connect, slabs } = await subject(kind, onTestFinished, async (exchange) => {
        await sleep(200);
        held = slabs.bytesInUse;
        const got = Buffer.from(await exchange.body.bytes(4 * MiB));
        exchange.answer({ status: 200, body: got.equals(sent) ? 'same' : 'different' });
      });
      const client = await connect();
      await client.head('POST /', { 'Content-Length': sent.length });
      await client.send(sent);
      expect((await client.answer())?.body.toString()).toBe('same');
      expect(held).toBeGreaterThan(0);
      expect(held).toBeLessThanOrEqual(MiB);
      expect(slabs.bytesInUse).toBe(0);
    });

    const whereChunked = it.runIf(kind === 'node-http');
    const whereNotChunked = it.runIf(kind === 'uws');

    whereChunked(
      'takes a chunked body, and refuses it above the reader’s limit',
      async ({ onTestFinished }) => {
        const { connect } = await subject(kind, onTestFinished, async (exchange) => {
          expect(exchange.body.length).toBeUndefined();
          const body = await settled(exchange.body.bytes(10));
          if (body instanceof BodyTooLarge) throw body;
          exchange.answer({ status: 200, body: body as Uint8Array });
        });
        const client = await connect();
        for (const parts of ['5;a=b\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n', '3\r\nabc\r\n0\r\n\r\n']) {
          await client.head('POST /', { 'Transfer-Encoding': 'chunked' });
          await client.send(parts);
        }
        expect((await client.answer())?.body.toString()).toBe('helloworld');
        expect((await client.answer())?.body.toString()).toBe('abc');
        await client.head('POST /', { 'Transfer-Encoding': 'chunked' });
        await client.send('5\r\nhello\r\n6\r\nworld!\r\n');
        expect((await client.answer())?.status).toBe(413);
        await client.closed();
      },
    );

    whereChunked.for(['g\r\nhello\r\n0\r\n\r\n', '5\r\nhelloxx0\r\n\r\n'])(
      'takes no framing for bytes of a chunked body: %j',
      async (parts, { onTestFinished }) => {
        const drained = deferred<unknown>();
        const { connect } = await subject(kind, onTestFinished, async (exchange) => {
          drained.resolve(await settled(exchange.body.bytes(100)));
        });
        const client = await connect();
        await client.head('PATCH /', { 'Transfer-Encoding': 'chunked' });
        await client.send(parts);
        expect(await drained.promise).toBeInstanceOf(PeerGone);
      },
    );

    whereNotChunked.for([
      '5\r\nhello\r\n0\r\n\r\n',
      '5;a=b\r\nhello\r\n0\r\n\r\n',
      'g\r\nhello\r\n0\r\n\r\n',
      '5\r\nhelloxx0\r\n\r\n',
    ])(
      'refuses a chunked body, closes, and gives no byte of it to a handler: %j',
      async (parts, { onTestFinished }) => {
        let served = 0;
        const { connect } = await subject(kind, onTestFinished, (exchange) => {
          served += 1;
          exchange.answer({ status: 200 });
        });
        for (const together of [true, false]) {
          const client = await connect();
          const head = 'PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
          await client.send(together ? head + parts : head);
          if (!together) await client.send(parts);
          const answer = await client.answer();
          expect(answer?.status).toBe(411);
          expect(answer?.headers.get('content-type')).toEqual(['application/problem+json']);
          expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({
            code: 'SLUIS_HTTP_LENGTH_REQUIRED',
            remedy: 'fix-request',
          });
          await client.closed();
        }
        expect(served).toBe(0);
      },
    );

    it('keeps a body alive that comes at 2 KiB/s, for longer than uWS would', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        const bytes = await exchange.body.drainTo(new MemorySink(64 * 512));
        exchange.answer({ status: 200, body: bytes.toString() });
      });
      const client = await connect();
      await client.head('PATCH /', { 'Content-Length': 64 * 512 });
      for (let part = 0; part < 64; part += 1) {
        await client.send(randomBytes(512));
        await sleep(250);
      }
      expect((await client.answer())?.body.toString()).toBe('32768');
    });

    it('closes after an answer to a body that was not read', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, (exchange) => {
        exchange.answer({ status: 413, headers: { 'Upload-Offset': '7' } });
      });
      const client = await connect();
      await client.head('PATCH /', { 'Content-Length': 10_000_000 });
      await client.send(randomBytes(1_000));
      const answer = await client.answer();
      expect(answer?.status).toBe(413);
      expect(answer?.headers.get('upload-offset')).toEqual(['7']);
      expect(answer?.headers.get('connection')).toEqual(['close']);
      await client.closed();
    });

    it('lets a client that sends 4 MB with a wrong token read its 401, 20 times in a row', async ({
      onTestFinished,
    }) => {
      const { connect } = await subject(kind, onTestFinished, (exchange) => {
        const known = exchange.headers.get('authorization') === 'Bearer right';
        exchange.answer({ status: known ? 204 : 401, ...(known ? {} : { body: 'not known here' }) });
      });
      const piece = randomBytes(200_000);
      for (let round = 0; round < 20; round += 1) {
        const client = await connect();
        await client.head('PATCH /', { Authorization: 'Bearer wrong', 'Content-Length': 4_000_000 });
        for (let sent = 0; sent < 4_000_000; sent += piece.length) {
          client.socket.write(piece);
          await sleep(1);
        }
        // Blind for the answer so far. What a reset leaves of it depends on the client's kernel.
        expect([round, client.socket.destroyed, client.socket.errored]).toEqual([round, false, null]);
        const answer = await client.answer();
        expect([answer?.status, answer?.body.toString()]).toEqual([401, 'not known here']);
        client.socket.destroy();
      }
    });

    it.for([413, 204])(
      'reads no further once it has answered %i early, and closes',
      async (status, { onTestFinished }) => {
        const { connect } = await subject(kind, onTestFinished, (exchange) => exchange.answer({ status }));
        const client = await connect();
        await client.head('PATCH /', { 'Content-Length': 65 * MiB });
        await client.send(randomBytes(MiB));
        const answer = await client.answer();
        expect([answer?.status, answer?.headers.get('connection')]).toEqual([status, ['close']]);
        const cut = deferred<boolean>();
        // More than the kernel holds for the two of them, so it can only be sent if it is read.
        client.socket.write(Buffer.alloc(64 * MiB), (error) => {
          cut.resolve(error instanceof Error || client.socket.destroyed);
        });
        await client.closed();
        expect(await cut.promise).toBe(true);
      },
    );
  });

  describe.concurrent(`answers on ${kind}`, () => {
    it('answers requests one after the other on one connection', async ({ onTestFinished }) => {
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        const body = Buffer.from(await exchange.body.bytes(100)).toString();
        exchange.answer({
          status: 200,
          body: `${exchange.method} ${exchange.path} ${exchange.query} ${body}`,
        });
      });
      const client = await connect();
      await client.head('GET /a%2Fb/../c?x=1&y=%20');
      expect((await client.answer())?.body.toString()).toBe('GET /a%2Fb/../c x=1&y=%20 ');
      await client.head('POST /d', { 'Content-Length': 4 });
      await client.send('body');
      const answer = await client.answer();
      expect(answer?.body.toString()).toBe('POST /d  body');
      expect(answer?.headers.get('content-length')).toEqual(['13']);
      expect(answer?.headers.get('date')).toHaveLength(1);
    });

    it.for([204, 304, 200])(
      'answers %i to HEAD and GET as HTTP frames it',
      async (status, { onTestFinished }) => {
        const { connect } = await subject(kind, onTestFinished, (exchange) => {
          exchange.answer({
            status,
            headers: { 'Upload-Offset': '5' },
            ...(status === 200 ? { body: 'hello' } : {}),
          });
        });
        const client = await connect();
        for (const method of ['HEAD', 'GET', 'HEAD']) {
          await client.head(`${method} /`);
          const answer = await client.answer(method === 'HEAD');
          expect(answer?.status).toBe(status);
          expect(answer?.headers.get('upload-offset')).toEqual(['5']);
          expect(answer?.headers.get('content-length')).toEqual(status === 200 ? ['5'] : undefined);
        }
      },
    );

    it.for([40 * MiB, undefined])(
      'streams no further than the reader takes (%s)',
      async (bytes, { onTestFinished }) => {
        const chunk = Buffer.alloc(64 * 1024, 'x');
        let asked = 0;
        async function* source() {
          for (; asked < 640; asked += 1) yield chunk;
        }
        let streamed = false;
        const { connect } = await subject(kind, onTestFinished, async (exchange) => {
          await exchange.stream({ status: 200, ...(bytes === undefined ? {} : { bytes }) }, source());
          streamed = true;
        });
        const client = await connect();
        await client.head('GET /');
        const ahead = await untilStill(() => asked, 300);
        expect(ahead * chunk.length).toBeLessThan(16 * MiB);
        expect(streamed).toBe(false);
        const answer = await client.answer();
        expect([answer?.whole, answer?.body.length]).toEqual([true, 40 * MiB]);
        expect(answer?.body.equals(Buffer.alloc(40 * MiB, 'x'))).toBe(true);
        await until(() => streamed);
      },
    );

    it.for(['answered', 'streamed', 'streamed in chunks'] as const)(
      'keeps an answer of one large piece whose reader is slow but moves (%s)',
      async (how, { onTestFinished }) => {
        const bytes = Buffer.alloc(40 * MiB, 'w');
        async function* source() {
          yield bytes;
        }
        const handler = async (exchange: Exchange) => {
          if (how === 'answered') exchange.answer({ status: 200, body: bytes });
          else if (how === 'streamed') await exchange.stream({ status: 200, bytes: bytes.length }, source());
          else await exchange.stream({ status: 200 }, source());
        };
        const { connect } = await subject(kind, onTestFinished, handler, { answerIdleMs: 4_000 });
        const client = await connect();
        await client.head('GET /');
        // About 3 MB/s: what the kernel does not hold of it takes longer than the limit.
        // A piece late is made up for, so that a busy machine makes it no slower.
        let due = performance.now();
        client.pace = () => {
          due += 20;
          return sleep(Math.max(0, due - performance.now()));
        };
        const answer = await client.answer();
        expect([answer?.whole, answer?.body.equals(bytes)]).toEqual([true, true]);
      },
    );

    it.for(['answered', 'streamed', 'answered early'] as const)(
      'cuts an answer of which its reader takes nothing (%s)',
      async (how, { onTestFinished }) => {
        const bytes = Buffer.alloc(48 * MiB);
        async function* source() {
          yield bytes;
        }
        let exchange: Exchange | undefined;
        const handler = async (given: Exchange) => {
          exchange = given;
          if (how === 'streamed') await given.stream({ status: 200, bytes: bytes.length }, source());
          else given.answer({ status: 200, body: bytes });
        };
        const { connect } = await subject(kind, onTestFinished, handler, { answerIdleMs: 500 });
        const client = await connect();
        await client.head('POST /', how === 'answered early' ? { 'Content-Length': 5 } : {});
        await until(() => exchange?.gone.aborted === true);
      },
    );

    it('keeps an answer whose reader stalls, and one that is long in coming, for longer than uWS would', async ({
      onTestFinished,
    }) => {
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        if (exchange.path === '/late') {
          await sleep(14_000);
          exchange.answer({ status: 200, body: 'late' });
        } else {
          exchange.answer({ status: 200, body: Buffer.alloc(24 * MiB, 'y') });
        }
      });
      const [stalled, late] = [await connect(), await connect()];
      await stalled.head('GET /large');
      await late.head('POST /late', { 'Content-Length': 2 });
      await late.send('ab');
      await sleep(14_000);
      expect((await stalled.answer())?.body.equals(Buffer.alloc(24 * MiB, 'y'))).toBe(true);
      expect((await late.answer())?.body.toString()).toBe('late');
    });

    it.for([
      { name: 'throws', bytes: 100_000, fails: 'mid way' },
      { name: 'throws in a chunked answer', bytes: undefined, fails: 'mid way' },
      { name: 'gives too little', bytes: 60_000, fails: 'announced' },
      { name: 'gives too much', bytes: 49_999, fails: 'announced' },
      { name: 'gives a chunk too much', bytes: 40_000, fails: 'announced' },
    ])('cuts the connection when the source $name', async ({ bytes, fails }, { onTestFinished }) => {
      async function* source() {
        for (let part = 0; part < 5; part += 1) yield Buffer.alloc(10_000, 'z');
        if (fails === 'mid way') throw new Error('mid way');
      }
      const ended = deferred<unknown>();
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        ended.resolve(await settled(exchange.stream({ status: 200, ...(bytes ? { bytes } : {}) }, source())));
      });
      const client = await connect();
      await client.head('GET /');
      const answer = await client.answer();
      expect(answer?.whole).not.toBe(true);
      expect(String(await ended.promise)).toContain(fails);
      await client.closed();
    });

    it('tells a streaming handler that its reader is gone', async ({ onTestFinished }) => {
      let ended = false;
      async function* source() {
        try {
          for (;;) yield Buffer.alloc(64 * 1024);
        } finally {
          ended = true;
        }
      }
      const error = deferred<unknown>();
      const { connect } = await subject(kind, onTestFinished, async (exchange) => {
        error.resolve(await settled(exchange.stream({ status: 200 }, source())));
        expect(exchange.gone.aborted).toBe(true);
      });
      const client = await connect();
      await client.head('GET /');
      await sleep(100);
      client.socket.resetAndDestroy();
      expect(await error.promise).toBeInstanceOf(PeerGone);
      expect(ended).toBe(true);
    });

    it('aborts `gone` when the peer leaves before it is answered', async ({ onTestFinished }) => {
      let exchange: Exchange | undefined;
      const { connect } = await subject(kind, onTestFinished, async (given) => {
        exchange = given;
        await new Promise((resolve) => given.gone.addEventListener('abort', resolve));
        given.answer({ status: 200 });
      });
      const client = await connect();
      await client.head('GET /');
      await until(() => exchange !== undefined);
      client.socket.destroy();
      await until(() => exchange?.answered === true);
    });
  });

  describe.concurrent(`stopping ${kind}`, () => {
    it('lets running exchanges finish and takes no new ones', async ({ onTestFinished }) => {
      const gate = deferred<void>();
      let begun = false;
      const { connect, listener } = await subject(kind, onTestFinished, async (exchange) => {
        begun = true;
        await gate.promise;
        exchange.answer({ status: 200, body: Buffer.alloc(20 * MiB, 'q') });
      });
      const [client, idle] = [await connect(), await connect()];
      await client.head('GET /');
      await until(() => begun);
      let stopped = false;
      const stop = listener.stop(new AbortController().signal).then(() => {
        stopped = true;
      });
      await sleep(100);
      await expect(connect()).rejects.toThrow('ECONNREFUSED');
      expect(stopped).toBe(false);
      gate.resolve();
      const answer = await client.answer();
      expect([answer?.whole, answer?.body.length]).toEqual([true, 20 * MiB]);
      await stop;
      await Promise.all([client.closed(), idle.closed()]);
    });

    it('cuts what still runs at its deadline', async ({ onTestFinished }) => {
      const drained = deferred<unknown>();
      let begun = false;
      const { connect, listener } = await subject(kind, onTestFinished, async (exchange) => {
        begun = true;
        drained.resolve(await settled(exchange.body.drainTo(new MemorySink(1_000))));
      });
      const client = await connect();
      await client.head('PATCH /', { 'Content-Length': 1_000 });
      await until(() => begun);
      await listener.stop(AbortSignal.timeout(100));
      expect(await drained.promise).toBeInstanceOf(PeerGone);
      await client.closed();
    });
  });
}
