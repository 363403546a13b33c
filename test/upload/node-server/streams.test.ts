import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BodyStopped, PeerGone } from '../../../src/http/errors.ts';
import { httpCounts } from '../../../src/http/metrics.ts';
import { BodyStream } from '../../../src/upload/node-server/body-stream.ts';
import { ReadableBody } from '../../../src/upload/node-server/readable-body.ts';
import { deferred, MemorySink, MiB, randomBytes, subject, untilStill } from '../../http/subject.ts';
import { until } from '../../support/until.ts';

describe('a Node stream as a body', () => {
  it('hands over every byte in order, with at most two writes in flight', async () => {
    const bytes = randomBytes(3 * MiB);
    const sink = new MemorySink(bytes.length, () => sleep(1));
    const pieces = Array.from({ length: 48 }, (_, at) => bytes.subarray(at * 65_536, (at + 1) * 65_536));
    const body = new ReadableBody(Readable.from(pieces, { objectMode: false }), bytes.length);
    expect(await body.drainTo(sink)).toBe(bytes.length);
    expect(sink.bytes.equals(bytes)).toBe(true);
    expect(sink.inFlightPeak).toBe(2);
  });

  it('is stopped only after what had arrived was written', async () => {
    const stream = new PassThrough();
    const stop = new AbortController();
    const sink = new MemorySink(10_000);
    const drained = new ReadableBody(stream, 10_000).drainTo(sink, stop.signal);
    stream.write(Buffer.alloc(5000, 1));
    stop.abort(new Error('enough'));
    await expect(drained).rejects.toBeInstanceOf(BodyStopped);
    expect(sink.written).toBe(5000);
  });

  it('rejects what its sink does, and does not go on', async () => {
    const stream = new PassThrough();
    const full = new Error('full');
    let writes = 0;
    const drained = new ReadableBody(stream, undefined).drainTo({
      write: () => {
        writes++;
        return Promise.reject(full);
      },
      writeSync: () => undefined,
    });
    stream.write(Buffer.alloc(10));
    await expect(drained).rejects.toBe(full);
    stream.write(Buffer.alloc(10));
    await sleep(5);
    expect(writes).toBe(1);
  });

  it('rejects the error of the stream, and says of an end that came too early that nothing more comes', async () => {
    const broken = new PassThrough();
    const failed = new ReadableBody(broken, 10).drainTo(new MemorySink(10));
    broken.destroy(new Error('broken'));
    await expect(failed).rejects.toThrow('broken');
    const sink = new MemorySink(10);
    const short = new ReadableBody(Readable.from([Buffer.alloc(4)]), 10);
    await expect(short.drainTo(sink)).rejects.toBeInstanceOf(PeerGone);
    expect(sink.written).toBe(4);
    expect(await new ReadableBody(Readable.from([Buffer.alloc(4)]), undefined).bytes(4)).toHaveLength(4);
    await expect(new ReadableBody(Readable.from([Buffer.alloc(4)]), undefined).bytes(3)).rejects.toThrow('3');
  });
});

describe('a body as a web stream', () => {
  it('is read no faster than the stream, and comes whole', async () => {
    const bytes = randomBytes(64 * MiB);
    const reading = deferred<void>();
    const got: Uint8Array[] = [];
    const { connect } = await subject('node-http', onTestFinished, async (exchange) => {
      const reader = new BodyStream(exchange.body).stream.getReader();
      got.push((await reader.read()).value ?? new Uint8Array());
      await reading.promise;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        got.push(value);
      }
      exchange.answer({ status: 204 });
    });
    const before = httpCounts.bodyBytes;
    const client = await connect();
    await client.head('POST /', { 'Content-Length': bytes.length });
    const sending = client.send(bytes);
    await until(() => got.length === 1);
    const taken = await untilStill(() => httpCounts.bodyBytes - before, 300);
    // What the body's own queue holds, and a slab here and there; not the 64 MiB.
    expect(taken).toBeLessThan(16 * MiB);
    reading.resolve();
    await sending;
    expect((await client.answer())?.status).toBe(204);
    expect(Buffer.concat(got).equals(bytes)).toBe(true);
  });

  it('leaves a body alone that nobody reads', async () => {
    const { connect } = await subject('node-http', onTestFinished, async (exchange) => {
      const stream = new BodyStream(exchange.body);
      await sleep(20);
      stream.end();
      // Not taken: it can still be read otherwise.
      exchange.answer({ status: 200, body: await exchange.body.bytes(100) });
    });
    const client = await connect();
    await client.head('POST /', { 'Content-Length': 5 });
    await client.send('hello');
    expect((await client.answer())?.body.toString()).toBe('hello');
  });

  it.each(['cancel', 'end'] as const)('lets the body go when the reader is gone (%s)', async (how) => {
    const ended = deferred<number>();
    const { connect } = await subject('node-http', onTestFinished, async (exchange) => {
      const stream = new BodyStream(exchange.body);
      const reader = stream.stream.getReader();
      await reader.read();
      if (how === 'cancel') await reader.cancel();
      else stream.end();
      exchange.answer({ status: 204 });
      ended.resolve(1);
    });
    const client = await connect();
    await client.head('POST /', { 'Content-Length': 20 * MiB });
    void client.send(Buffer.alloc(20 * MiB));
    await ended.promise;
    expect((await client.answer())?.status).toBe(204);
    await client.closed();
  });

  it('ends with what had arrived when the peer is gone', async () => {
    const got = deferred<number>();
    const { connect } = await subject('node-http', onTestFinished, async (exchange) => {
      let bytes = 0;
      for await (const chunk of new BodyStream(exchange.body).stream) bytes += chunk.byteLength;
      got.resolve(bytes);
      exchange.answer({ status: 204 });
    });
    const client = await connect();
    await client.head('POST /', { 'Content-Length': 100_000 });
    await client.send(Buffer.alloc(70_000));
    await sleep(50);
    client.socket.destroy();
    expect(await got.promise).toBe(70_000);
  });
});
