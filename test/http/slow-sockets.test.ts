import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { PeerGone } from '../../src/http/errors.ts';
import type { Exchange, Handler } from '../../src/http/exchange.ts';
import { bodyTimers } from '../../src/http/limits.ts';
import { httpCounts } from '../../src/http/metrics.ts';
import { kinds } from './kinds.ts';
import { deferred, MemorySink, randomBytes, settled, subject, until } from './subject.ts';

/** What the report says that this process may open; each connection of a test takes two. */
function descriptorsMax(): number {
  const report = process.report.getReport() as unknown as {
    userLimits: { open_files: { soft: number | 'unlimited' } };
  };
  const { soft } = report.userLimits.open_files;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

const idleConnections = 2_000;

describe.each(kinds)('slow peers of %s', (kind) => {
  /** Drains each body and answers with its length. */
  const draining =
    (ends: (error: unknown) => void = () => {}): Handler =>
    async (exchange: Exchange) => {
      const sink = new MemorySink(Number(exchange.headers.get('content-length') ?? 0));
      const bytes = await settled(exchange.body.drainTo(sink));
      if (typeof bytes === 'number') exchange.answer({ status: 200, body: bytes.toString() });
      else ends(bytes);
    };

  it.concurrent('are cut when they trickle below the least rate', async ({ onTestFinished, expect }) => {
    const ended = deferred<unknown>();
    const { connect } = await subject(kind, onTestFinished, draining(ended.resolve), {
      bodyTimers: { ...bodyTimers, rateMs: 300, rateBytes: 1_000 },
      sweepMs: 50,
    });
    const before = httpCounts.rateCuts;
    const client = await connect();
    await client.head('PATCH /', { 'Content-Length': 1_000_000 });
    let over = false;
    void client.closed().then(() => (over = true));
    let sent = 0;
    for (; !over; sent += 1) {
      await client.send('x');
      await sleep(20);
    }
    const error = await ended.promise;
    expect(error).toBeInstanceOf(PeerGone);
    // What it did bring is kept.
    expect((error as PeerGone).bytes).toBeGreaterThan(0);
    expect((error as PeerGone).bytes).toBeLessThanOrEqual(sent);
    expect(httpCounts.rateCuts).toBeGreaterThan(before);
  });

  it.concurrent('live through many windows above the least rate', async ({ onTestFinished, expect }) => {
    const { connect } = await subject(kind, onTestFinished, draining(), {
      bodyTimers: { ...bodyTimers, rateMs: 1_000, rateBytes: 200 },
      sweepMs: 50,
    });
    const client = await connect();
    await client.head('PATCH /', { 'Content-Length': 60 * 1024 });
    for (let part = 0; part < 60; part += 1) {
      await client.send(randomBytes(1024));
      await sleep(50);
    }
    expect((await client.answer())?.body.toString()).toBe('61440');
  });

  it.concurrent('may send head and body in segments of one byte', async ({ onTestFinished, expect }) => {
    const { connect } = await subject(kind, onTestFinished, draining());
    const client = await connect();
    // uWS answers 505 to a request line of which ` HTTP/1.1` has come in part.
    const [line, rest] = ['PATCH / HTTP/1.1\r\n', `Host: a\r\nContent-Length: 300\r\n\r\n${'y'.repeat(300)}`];
    for (const segment of kind === 'uws' ? [line, ...Array.from(rest)] : Array.from(line + rest)) {
      await client.send(segment);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await client.answer())?.body.toString()).toBe('300');
  });

  it.concurrent('are cut when their head never ends, and hold up nobody', async ({
    onTestFinished,
    expect,
  }) => {
    let served = 0;
    const { connect } = await subject(kind, onTestFinished, (exchange) => {
      served += 1;
      exchange.answer({ status: 200 });
    });
    const slow = await Promise.all(Array.from({ length: 50 }, connect));
    let open = slow.length;
    for (const client of slow) {
      void client.closed().then(() => (open -= 1));
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n');
    }
    for (let turn = 0; open > 0; turn += 1) {
      const other = await connect();
      await other.head('HEAD /');
      expect((await other.answer(true))?.status).toBe(200);
      other.socket.destroy();
      expect(served).toBe(turn + 1);
      // A byte now and then keeps no head alive.
      for (const client of slow) if (!client.socket.destroyed) client.socket.write('X');
      await sleep(1_000);
    }
  });

  const enough = descriptorsMax() > 2 * idleConnections + 500;
  it.runIf(enough).concurrent(
    `hold no memory: ${idleConnections.toString()} idle bodies, and others are served (skipped below ${(2 * idleConnections + 500).toString()} descriptors)`,
    async ({ onTestFinished, expect }) => {
      let live = 0;
      const { connect, slabs } = await subject(kind, onTestFinished, async (exchange) => {
        if (exchange.method === 'HEAD') return exchange.answer({ status: 200 });
        live += 1;
        await settled(exchange.body.drainTo(new MemorySink(1_000)));
      });
      for (let n = 0; n < idleConnections; n += 1) {
        const client = await connect();
        await client.head('PATCH /', { 'Content-Length': 1_000 });
        await client.send('z');
      }
      await until(() => live === idleConnections && slabs.bytesInUse === 0);
      const other = await connect();
      await other.head('HEAD /');
      expect((await other.answer(true))?.status).toBe(200);
      expect(live).toBe(idleConnections);
    },
  );
});
