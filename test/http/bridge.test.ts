import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { BodyBudget } from '../../src/http/body-budget.ts';
import { fetchBridge } from '../../src/http/bridge.ts';
import { bridgeLimits } from '../../src/http/limits.ts';
import { kinds, preferred } from './kinds.ts';
import { MiB, randomBytes, subject, until } from './subject.ts';

describe.concurrent('a fetch program on the bridge', () => {
  it('sees method, address, headers and body as they came', async ({ onTestFinished }) => {
    const app = new Hono();
    app.post('/v1/transfers/:id', async (context) =>
      context.json({
        id: context.req.param('id'),
        q: context.req.query('q'),
        header: context.req.header('x-name'),
        body: await context.req.json<unknown>(),
      }),
    );
    const { connect } = await subject(preferred, onTestFinished, fetchBridge(app.fetch));
    const client = await connect();
    const name = Buffer.from('née').toString('latin1');
    await client.head('POST /v1/transfers/a%20b?q=1%262', { 'Content-Length': 7, 'X-Name': name });
    await client.send('{"a":1}');
    const answer = await client.answer();
    expect(answer?.headers.get('content-length')).toHaveLength(1);
    expect(JSON.parse(answer?.body.toString() ?? '')).toEqual({
      id: 'a b',
      q: '1&2',
      header: name,
      body: { a: 1 },
    });
    await client.head('HEAD /nowhere');
    expect((await client.answer(true))?.status).toBe(404);
    await client.head('GET /nowhere');
    expect((await client.answer())?.status).toBe(404);
  });

  it('streams a Response as it comes, with backpressure', async ({ onTestFinished }) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let asked = 0;
    const handler = fetchBridge(() => {
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        asked += 1;
        if (asked > 640) controller.close();
        else controller.enqueue(chunk);
      };
      return new Response(new ReadableStream({ pull }), { status: 201, headers: { 'X-Kind': 'stream' } });
    });
    const { connect } = await subject(preferred, onTestFinished, handler);
    const client = await connect();
    await client.head('GET /');
    await until(() => asked > 10);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked).toBeLessThan(256);
    const answer = await client.answer();
    expect([answer?.status, answer?.headers.get('x-kind'), answer?.whole]).toEqual([201, ['stream'], true]);
    expect(answer?.body.length).toBe(40 * MiB);
  });

  it('sends the first event of a stream before there is a second', async ({ onTestFinished }) => {
    const handler = fetchBridge(() => {
      const start = (controller: ReadableStreamDefaultController<Uint8Array>) =>
        controller.enqueue(Buffer.from('first'));
      return new Response(new ReadableStream({ start }));
    });
    const { listener } = await subject(preferred, onTestFinished, handler);
    const response = await fetch(`http://127.0.0.1:${listener.port.toString()}/`);
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe('first');
    await reader?.cancel();
  });

  it('answers 413 to a body above the limit, told or not', async ({ onTestFinished }) => {
    const handler = fetchBridge(() => new Response('served'), { bodyBytesMax: 1_000 });
    // Only there are chunked bodies taken.
    const { connect } = await subject('node-http', onTestFinished, handler);
    const told = await connect();
    await told.head('POST /', { 'Content-Length': 1_001 });
    const answer = await told.answer();
    expect(answer?.status).toBe(413);
    expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({
      code: 'SLUIS_HTTP_BODY_TOO_LARGE',
      facts: { bytesMax: 1_000 },
    });
    const untold = await connect();
    await untold.head('POST /', { 'Transfer-Encoding': 'chunked' });
    await untold.send('3e9\r\n');
    await untold.send(randomBytes(1_001));
    expect((await untold.answer())?.status).toBe(413);
    await untold.closed();
  });

  it.for(kinds)(
    'holds no more bodies at once than its budget, and answers 503 beyond (%s)',
    async (kind, { onTestFinished }) => {
      const bodies = new BodyBudget({ small: 1_500, large: 0 });
      const handler = fetchBridge(async (request) => new Response(await request.text()), { bodies });
      const { connect } = await subject(kind, onTestFinished, handler);
      const [first, second, third] = [await connect(), await connect(), await connect()];
      await first.head('POST /', { 'Content-Length': 1_000 });
      await first.send('a'.repeat(500));
      await until(() => bodies.bytesInUse === 1_000);
      await second.head('POST /', { 'Content-Length': 1_000 });
      const refused = await second.answer();
      expect(refused?.status).toBe(503);
      expect(refused?.headers.get('retry-after')).toEqual([bridgeLimits.retryAfterSeconds.toString()]);
      expect(JSON.parse(refused?.body.toString() ?? '')).toMatchObject({
        code: 'SLUIS_HTTP_BODIES_FULL',
        remedy: 'retry',
      });
      await third.head('POST /', { 'Content-Length': 2 });
      await third.send('ok');
      expect((await third.answer())?.body.toString()).toBe('ok');
      expect(bodies.bytesInUse).toBe(1_000);
      await first.send('a'.repeat(500));
      expect((await first.answer())?.body.toString()).toBe('a'.repeat(1_000));
      expect(bodies.bytesInUse).toBe(0);
    },
  );

  it('gives back the room of a body whose peer leaves, and of one that is refused', async ({
    onTestFinished,
  }) => {
    const bodies = new BodyBudget({ small: 2_000, large: 0 });
    const handler = fetchBridge(() => new Response('served'), { bodies, bodyBytesMax: 1_000 });
    const { connect } = await subject(preferred, onTestFinished, handler);
    const [leaving, large] = [await connect(), await connect()];
    await leaving.head('POST /', { 'Content-Length': 1_000 });
    await until(() => bodies.bytesInUse === 1_000);
    await large.head('POST /', { 'Content-Length': 1_001 });
    expect((await large.answer())?.status).toBe(413);
    expect(bodies.bytesInUse).toBe(1_000);
    leaving.socket.resetAndDestroy();
    await until(() => bodies.bytesInUse === 0);
  });

  it('takes a large body that is alone whatever its size, and small ones in a share of their own', () => {
    const { bodyBytesMax } = bridgeLimits;
    const bodies = new BodyBudget({ small: 2 * bodyBytesMax, large: 8 * bodyBytesMax });
    expect(bodies.take(100 * bodyBytesMax)).toBe(true);
    expect(bodies.take(2 * bodyBytesMax)).toBe(false);
    expect(bodies.take(bodyBytesMax)).toBe(true);
    expect(bodies.take(bodyBytesMax)).toBe(true);
    expect(bodies.take(1)).toBe(false);
    // A request without a body.
    expect(bodies.take(0)).toBe(true);
    bodies.give(100 * bodyBytesMax);
    expect(bodies.take(4 * bodyBytesMax)).toBe(true);
    expect(bodies.take(4 * bodyBytesMax)).toBe(true);
    expect(bodies.take(2 * bodyBytesMax)).toBe(false);
    expect(bodies.bytesInUse).toBe(10 * bodyBytesMax);
  });

  it('gives one holder at most half a share, so that it stalls nobody but itself', () => {
    const bodies = new BodyBudget({ small: 1_000, large: 0 });
    expect(bodies.take(300, 'a')).toBe(true);
    expect(bodies.take(201, 'a')).toBe(false);
    expect(bodies.take(200, 'a')).toBe(true);
    expect(bodies.take(1, 'a')).toBe(false);
    expect(bodies.take(500, 'b')).toBe(true);
    expect(bodies.take(1, 'c')).toBe(false);
    bodies.give(300, 'a');
    bodies.give(200, 'a');
    // Alone of its holder, but all together are over the share.
    expect(bodies.take(600, 'a')).toBe(false);
    expect(bodies.take(500, 'a')).toBe(true);
    expect(bodies.bytesInUse).toBe(1_000);
  });

  it('aborts the request’s signal, and cancels the Response, when the peer leaves', async ({
    onTestFinished,
  }) => {
    let request: Request | undefined;
    let cancelled = false;
    const handler = fetchBridge((given) => {
      request = given;
      const cancel = () => {
        cancelled = true;
      };
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) =>
        new Promise<void>((resolve) => {
          setTimeout(() => {
            if (!cancelled) controller.enqueue(Buffer.alloc(10));
            resolve();
          }, 10);
        });
      return new Response(new ReadableStream({ pull, cancel }));
    });
    const { connect } = await subject(preferred, onTestFinished, handler);
    const client = await connect();
    await client.head('GET /');
    await until(() => request !== undefined);
    client.socket.resetAndDestroy();
    await until(() => request?.signal.aborted === true && cancelled);
  });

  it('answers 400 to what cannot be a Request', async ({ onTestFinished }) => {
    const { connect } = await subject(
      'node-http',
      onTestFinished,
      fetchBridge(() => new Response('served')),
    );
    for (const head of ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a b:c\r\n\r\n']) {
      const client = await connect();
      await client.send(head);
      expect((await client.answer())?.status).toBe(400);
    }
  });
});
