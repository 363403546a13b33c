import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { BodySink } from '../../src/http/exchange.ts';
import { bodyLimits } from '../../src/http/limits.ts';
import { httpCounts } from '../../src/http/metrics.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import { kinds } from './kinds.ts';
import { MiB, pausedBody, subject, until } from './subject.ts';

/**
 * Sends bodies as fast as the kernel takes them, from a thread of its own, so many after one another on each
 * connection; answers with the statuses it got. Every byte is its position, modulo a prime.
 */
const sender = `
const { connect } = require('node:net');
const { parentPort, workerData: { port, bodies, bytes, each = 1 } } = require('node:worker_threads');
const piece = Buffer.from(Uint8Array.from({ length: 251 << 12 }, (_, at) => at % 251));
const send = () => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1');
  let left = 0;
  let more = each;
  let answer = '';
  const go = () => {
    while (left > 0) {
      const part = piece.subarray(0, Math.min(left, piece.length));
      left -= part.length;
      if (!socket.write(part)) return void socket.once('drain', go);
    }
  };
  socket.on('data', (text) => { answer += text; more > 0 ? request() : socket.end(); });
  socket.on('error', (error) => { answer = error.message; });
  socket.on('close', () => resolve(answer.match(/(?<=HTTP.1.1 )\\d+/g)?.join(' ') ?? answer));
  const request = () => {
    more -= 1;
    left = bytes;
    socket.write('PATCH / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: ' + bytes + '\\r\\n\\r\\n');
    go();
  };
  request();
});
Promise.all(Array.from({ length: bodies }, send)).then((answers) => parentPort.postMessage(answers));
`;

/** A store for all bodies that takes `bytesPerSecond`; what comes synchronously it takes at once, as a page cache does. */
function slowStore(bytesPerSecond: number): () => BodySink & { written: number } {
  let freeAt = performance.now();
  return () => {
    const sink = {
      written: 0,
      async write(bytes: Uint8Array) {
        freeAt = Math.max(freeAt, performance.now()) + (bytes.length / bytesPerSecond) * 1_000;
        await sleep(freeAt - performance.now());
        sink.written += bytes.length;
      },
      writeSync(bytes: Uint8Array) {
        sink.written += bytes.length;
      },
    };
    return sink;
  };
}

describe.each(kinds)('a flood at %s', (kind) => {
  it.for([
    { bodies: 1, bytes: 48 * MiB, bytesPerSecond: 20_000_000 },
    { bodies: 20, bytes: 6 * MiB, bytesPerSecond: 60_000_000 },
  ])(
    'of $bodies bodies waits in at most 8 MiB each, loses none, and others are answered meanwhile',
    async ({ bodies, bytes, bytesPerSecond }, { onTestFinished }) => {
      const store = slowStore(bytesPerSecond);
      const written: number[] = [];
      const { listener, connect, slabs } = await subject(kind, onTestFinished, async (exchange) => {
        if (exchange.method === 'HEAD') return exchange.answer({ status: 200 });
        const sink = store();
        await exchange.body.drainTo(sink);
        written.push(sink.written);
        exchange.answer({ status: 204 });
      });
      httpCounts.bodyQueueBytesPeak = 0;
      const flood = new Worker(sender, { eval: true, workerData: { port: listener.port, bodies, bytes } });
      onTestFinished(async () => void (await flood.terminate()));
      let answers: string[] | undefined;
      flood.once('message', (got: string[]) => {
        answers = got;
      });
      const client = await connect();
      let answered = 0;
      for (; answers === undefined; answered += 1) {
        await client.head('HEAD /');
        expect((await client.answer(true))?.status).toBe(200);
        await sleep(5);
      }
      expect(answers).toEqual(Array(bodies).fill('204'));
      expect(written).toEqual(Array(bodies).fill(bytes));
      expect(answered).toBeGreaterThan(10);
      expect(httpCounts.bodyQueueBytesPeak).toBeGreaterThan(bodyLimits.queueBytesCrowded);
      expect(httpCounts.bodyQueueBytesPeak).toBeLessThanOrEqual(bodyLimits.queueBytesHard + MiB / 2);
      expect(slabs.bytesInUse).toBe(0);
    },
  );

  it.for([
    { connections: 300, each: 1, bytes: 800_000 },
    // The second body of a connection finds its receive buffer grown, and comes in one burst.
    { connections: 20, each: 2, bytes: 7_000_000 },
  ])(
    'of $connections times $each bodies whose handlers ask late, while memory is short, is cut nowhere',
    async ({ connections, each, bytes }, { onTestFinished }) => {
      const slabs = new SlabPool(bodyLimits.slabBytesMax);
      const wrong: number[] = [];
      const { listener } = await subject(
        kind,
        onTestFinished,
        async (exchange) => {
          await sleep(200);
          const check = (run: Uint8Array, position: number) => {
            for (let at = 0; at < run.length; at += 1_009) {
              if (run[at] !== (position + at) % 251) wrong.push(position + at);
            }
          };
          const sink = { write: async (run: Uint8Array, at: number) => check(run, at), writeSync: check };
          const got = await exchange.body.drainTo(sink);
          exchange.answer({ status: got === bytes ? 204 : 500 });
        },
        { slabs },
      );
      const workerData = { port: listener.port, bodies: connections, bytes, each };
      const flood = new Worker(sender, { eval: true, workerData });
      onTestFinished(async () => void (await flood.terminate()));
      const [answers] = (await once(flood, 'message')) as [string[]];
      expect(answers).toEqual(Array(connections).fill(Array(each).fill('204').join(' ')));
      expect(wrong).toEqual([]);
      expect(slabs.bytesInUse).toBe(0);
    },
  );

  it.for([
    { how: 'reset', bytes: 24 * MiB },
    { how: 'end', bytes: 6 * MiB },
  ] as const)(
    'whose paused peer is gone notices within 3 s, though its bytes are unread: $how',
    async ({ how, bytes }, { onTestFinished }) => {
      const sent = Buffer.alloc(bytes);
      const { client, exchange, sink, open, drained } = await pausedBody(kind, onTestFinished, sent);
      expect(sink.inFlight).toBe(bodyLimits.writesInFlight);
      if (how === 'reset') client.socket.resetAndDestroy();
      else client.socket.end();
      const late = sleep(3_000, 'late');
      expect(await Promise.race([until(() => exchange.gone.aborted), late])).not.toBe('late');
      open();
      await drained;
    },
  );
});
