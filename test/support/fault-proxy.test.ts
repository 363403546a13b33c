import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as tick } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type FaultProxy, type FaultProxyOptions, openFaultProxy } from './fault-proxy.ts';
import { until } from './until.ts';

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** A server that does `serve` with every connection; its port. */
async function listen(serve: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function proxyTo(port: number, options: Omit<FaultProxyOptions, 'target'> = {}): Promise<FaultProxy> {
  const proxy = await openFaultProxy({ target: { host: '127.0.0.1', port }, ...options });
  cleanUp.push(() => proxy.close());
  return proxy;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  cleanUp.push(() => {
    socket.destroy();
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const echo = (socket: Socket): void => {
  socket.pipe(socket);
};

/** Everything until the end; how it ended. */
async function readAll(socket: Socket): Promise<{ bytes: Buffer; ended: 'fin' | 'reset' }> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = await new Promise<'fin' | 'reset'>((resolve) => {
    socket.on('end', () => resolve('fin'));
    socket.on('error', () => resolve('reset'));
  });
  return { bytes: Buffer.concat(chunks), ended };
}

const random = (bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 31) ^ (at >> 7)));

describe('a fault proxy', () => {
  it('passes bytes and half-closed connections both ways and counts them', async () => {
    const proxy = await proxyTo(await listen(echo));
    const socket = await dial(proxy.port);
    const body = random(700_000);
    const answer = readAll(socket);
    socket.end(body);
    expect((await answer).bytes.equals(body)).toBe(true);
    expect((await answer).ended).toBe('fin');
    expect([proxy.bytesUp, proxy.bytesDown]).toEqual([body.byteLength, body.byteLength]);
    await until(() => proxy.connections === 0);
    expect(proxy.connectionsAccepted).toBe(1);
    expect(proxy.cuts).toBe(0);
  });

  it('never passes more than its rate', async () => {
    const port = await listen((socket) => socket.resume().on('end', () => socket.end()));
    const seconds = async (bytesPerSecondUp: number): Promise<number> => {
      const proxy = await proxyTo(port, { bytesPerSecondUp });
      const socket = await dial(proxy.port);
      const start = performance.now();
      socket.resume().end(Buffer.alloc(600_000));
      await once(socket, 'end');
      expect(proxy.bytesUp).toBe(600_000);
      return (performance.now() - start) / 1000;
    };
    // But for the last slice; how near it comes is the token bucket's, which has a clock of its own in its test.
    expect(600_000 / (await seconds(600_000))).toBeLessThan(600_000 * 1.06);
    expect(600_000 / (await seconds(1_200_000))).toBeLessThan(1_200_000 * 1.06);
  });

  it('shares one rate over all connections', async () => {
    const port = await listen((socket) => socket.resume().on('end', () => socket.end()));
    const proxy = await proxyTo(port, { bytesPerSecondUp: 1_000_000 });
    const start = performance.now();
    const sockets = await Promise.all([dial(proxy.port), dial(proxy.port), dial(proxy.port)]);
    await Promise.all(
      sockets.map(async (socket) => {
        socket.resume().end(Buffer.alloc(150_000));
        await once(socket, 'end');
      }),
    );
    expect(450_000 / ((performance.now() - start) / 1000)).toBeLessThan(1_100_000);
  });

  it('delays both ways by its latency without slowing the stream behind', async () => {
    const proxy = await proxyTo(await listen(echo), { latencyMs: 40 });
    const socket = await dial(proxy.port);
    const start = performance.now();
    socket.write('?');
    await once(socket, 'data');
    const roundTrip = performance.now() - start;
    expect(roundTrip).toBeGreaterThanOrEqual(80);

    const body = random(3_000_000);
    const began = performance.now();
    const answer = readAll(socket);
    socket.end(body);
    expect((await answer).bytes.equals(body)).toBe(true);
    // 46 chunks of 64 KiB one behind the other would take 46 round trips.
    expect((performance.now() - began) / roundTrip).toBeLessThan(20);
  });

  it('holds back a sender whose receiver does not read', async () => {
    let reader: Socket | undefined;
    const port = await listen((socket) => {
      reader = socket.pause();
    });
    const proxy = await proxyTo(port);
    const socket = await dial(proxy.port);
    const body = 64 * 1024 * 1024;
    let flushed = false;
    socket.end(Buffer.alloc(body), () => {
      flushed = true;
    });
    // Until nothing moves any more: the kernel's buffers are full.
    for (let last = -1; last !== proxy.bytesUp || last === 0; ) {
      last = proxy.bytesUp;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(flushed).toBe(false);
    expect(proxy.bytesUp).toBeLessThan(body / 2);
    let got = 0;
    reader?.on('data', (chunk: Buffer) => {
      got += chunk.byteLength;
    });
    reader?.resume();
    await until(() => got === body);
    expect(flushed).toBe(true);
  });

  it.each(['reset', 'fin'] as const)(
    'cuts with a %s on both sides and takes new connections after it',
    async (how) => {
      const ends: string[] = [];
      let arrived = 0;
      const port = await listen((socket) => {
        socket.on('data', () => {
          arrived += 1;
        });
        void readAll(socket).then(({ ended }) => ends.push(ended));
      });
      const proxy = await proxyTo(port);
      const sockets = [await dial(proxy.port), await dial(proxy.port)];
      const seen = sockets.map(readAll);
      for (const socket of sockets) socket.write('x');
      // Not bytesUp: a reset that comes before the server accepted looks like an end to it.
      await until(() => arrived === 2);
      proxy.cutAll(how);
      expect((await Promise.all(seen)).map(({ ended }) => ended)).toEqual([how, how]);
      await until(() => ends.length === 2);
      expect(ends).toEqual([how, how]);
      await until(() => proxy.connections === 0);
      expect(proxy.cuts).toBe(1);
      const again = await dial(proxy.port);
      again.write('y');
      await until(() => proxy.bytesUp === 3);
    },
  );

  it('cuts after exactly the bytes it was told, once', async () => {
    let got = 0;
    const port = await listen((socket) =>
      socket.on('data', (chunk: Buffer) => {
        got += chunk.byteLength;
      }),
    );
    const proxy = await proxyTo(port);
    proxy.cutAfterBytesUp(100_001);
    const first = await dial(proxy.port);
    const end = readAll(first);
    first.write(Buffer.alloc(500_000));
    expect((await end).ended).toBe('reset');
    expect(proxy.bytesUp).toBe(100_001);
    await until(() => got === 100_001);
    const second = await dial(proxy.port);
    second.write(Buffer.alloc(500_000));
    await until(() => got === 600_001);
    expect(proxy.cuts).toBe(1);
  });

  it('cuts an answer after so many bytes down', async () => {
    const proxy = await proxyTo(await listen((socket) => socket.end(Buffer.alloc(200_000))));
    proxy.cutAfterBytesDown(70_000, 'fin');
    const { bytes, ended } = await readAll(await dial(proxy.port));
    expect(bytes.byteLength).toBe(70_000);
    expect(ended).toBe('fin');
    expect(proxy.bytesDown).toBe(70_000);
  });

  it('moves nothing while it is stalled and everything afterwards', async () => {
    const proxy = await proxyTo(await listen(echo));
    const socket = await dial(proxy.port);
    proxy.stall();
    const body = random(100_000);
    const answer = readAll(socket);
    socket.end(body);
    const late = await dial(proxy.port);
    late.write('z');
    for (let turn = 0; turn < 200; turn += 1) await tick();
    expect([proxy.bytesUp, proxy.bytesDown]).toEqual([0, 0]);
    expect(proxy.connections).toBe(2);
    proxy.unstall();
    expect((await answer).bytes.equals(body)).toBe(true);
  });

  it('sends new connections to another target, and resets them when nobody listens there', async () => {
    const one = await listen((socket) => socket.end('one'));
    const two = await listen((socket) => socket.end('two'));
    const proxy = await proxyTo(one);
    expect((await readAll(await dial(proxy.port))).bytes.toString()).toBe('one');
    proxy.setTarget(two);
    expect((await readAll(await dial(proxy.port))).bytes.toString()).toBe('two');
    proxy.setTarget(1);
    const refused = await readAll(await dial(proxy.port));
    expect(refused).toMatchObject({ ended: 'reset' });
  });

  it('closes while it is stalled with connections open', async () => {
    const proxy = await proxyTo(await listen(echo));
    const socket = await dial(proxy.port);
    proxy.stall();
    socket.write('x');
    const end = readAll(socket);
    await proxy.close();
    expect((await end).ended).toBe('reset');
  });
});
