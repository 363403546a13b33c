import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Fatal } from '../../src/ops/error.ts';
import { openLog } from '../../src/ops/log.ts';
import { Metrics } from '../../src/ops/metrics.ts';
import { OpsServer, type OpsServerOptions } from '../../src/ops/ops-server.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function started(options: Partial<OpsServerOptions> = {}) {
  const server = new OpsServer({
    host: '127.0.0.1',
    port: 0,
    metrics: new Metrics({ version: '0', commit: 'none' }),
    ready: () => ({ ready: true, parts: {} }),
    log: openLog('silent'),
    ...options,
  });
  await server.start();
  stops.push(() => server.stop(AbortSignal.abort()));
  return { server, url: `http://127.0.0.1:${server.port.toString()}` };
}

describe('the ops server', () => {
  it('shows metrics in the text format', async () => {
    const { url } = await started();
    const answer = await fetch(`${url}/metrics`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toMatch(/^sluis_build_info\{/m);
  });

  it('is healthy while not ready, and says which part is not', async () => {
    let readiness = { ready: false, parts: { state: 'ready', work: 'starting' } };
    const { url } = await started({ ready: () => readiness });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const starting = await fetch(`${url}/readyz`);
    expect(starting.status).toBe(503);
    expect(await starting.json()).toEqual(readiness);
    readiness = { ready: true, parts: { state: 'ready', work: 'ready' } };
    expect((await fetch(`${url}/readyz?from=probe`)).status).toBe(200);
  });

  it('answers 404 elsewhere, 405 to what changes, and HEAD without a body', async () => {
    const { url } = await started();
    expect((await fetch(`${url}/metrics/x`)).status).toBe(404);
    const posted = await fetch(`${url}/metrics`, { method: 'POST', body: 'x' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${url}/healthz`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('answers 500 when a reading fails, and goes on', async () => {
    const metrics = { contentType: 'text/plain', text: () => Promise.reject(new Error('broken')) };
    const { url } = await started({ metrics });
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('refuses a header that is larger than a scraper sends', async () => {
    const { url } = await started();
    const answer = await fetch(`${url}/healthz`, { headers: { x: 'x'.repeat(9_000) } });
    expect(answer.status).toBe(431);
  });

  it('ends with a sentence when its port is taken', async () => {
    const { server } = await started();
    const second = started({ port: server.port });
    await expect(second).rejects.toThrow(Fatal);
    await expect(second).rejects.toThrow(/another program has it; give another with --ops-port/);
  });

  it('lets a running answer end when it stops, and cuts it at the deadline', async () => {
    let answerMetrics: ((text: string) => void) | undefined;
    const asked = () => vi.waitFor(() => expect(answerMetrics).toBeDefined(), { timeout: 60_000 });
    const text = () =>
      new Promise<string>((resolve) => {
        answerMetrics = resolve;
      });
    const first = await started({ metrics: { contentType: 'text/plain', text } });
    const answered = fetch(`${first.url}/metrics`).then((answer) => answer.text());
    await asked();
    const stopped = first.server.stop(new AbortController().signal);
    answerMetrics?.('the last words');
    expect(await answered).toBe('the last words');
    await stopped;

    answerMetrics = undefined;
    const second = await started({ metrics: { contentType: 'text/plain', text } });
    const cut = fetch(`${second.url}/metrics`);
    const failed = expect(cut).rejects.toThrow();
    await asked();
    await second.server.stop(AbortSignal.abort());
    await failed;
  });

  it('closes a connection that is not HTTP', async () => {
    const { server } = await started();
    const socket = connect(server.port, '127.0.0.1');
    socket.end('\x16\x03\x01 this is TLS\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect(createServer().listening).toBe(false);
    expect((await fetch(`http://127.0.0.1:${server.port.toString()}/healthz`)).status).toBe(200);
  });
});
