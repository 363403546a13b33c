import { describe, expect, it } from 'vitest';
import { ListenerMissing, ListenFailed } from '../../src/http/errors.ts';
import { listen } from '../../src/http/listen.ts';
import { loadUws } from '../../src/http/listeners/uws-binary.ts';
import { kinds, preferred } from './kinds.ts';
import { rememberingLog, settled } from './subject.ts';

const options = { host: '127.0.0.1', port: 0, handler: () => {} };
const withoutBinary = () =>
  loadUws(() => Promise.reject(new Error('This version of uWS.js supports only …')));

describe('listening', () => {
  it('takes uWebSockets.js where it can be loaded, and node:http elsewhere', async () => {
    const log = rememberingLog();
    const listener = await listen({ ...options, log });
    expect(listener.kind).toBe(preferred);
    expect(log.events).toHaveLength(preferred === 'uws' ? 0 : 1);
    await listener.stop(AbortSignal.abort());
  });

  it('falls back to node:http where it cannot, and says so once', async () => {
    const log = rememberingLog();
    const listener = await listen({ ...options, log }, withoutBinary);
    expect(listener.kind).toBe('node-http');
    expect(log.events).toEqual([{ level: 'warn', event: 'http.listener-fallback' }]);
    await listener.stop(AbortSignal.abort());
  });

  it('does not fall back when it was asked for by name', async () => {
    const asked = listen({ ...options, listener: 'uws', log: rememberingLog() }, withoutBinary);
    expect(await settled(asked)).toBeInstanceOf(ListenerMissing);
  });

  it.for(kinds)('fails on a port that is taken (%s)', async (kind) => {
    const first = await listen({ ...options, listener: kind, log: rememberingLog() });
    const second = listen({ ...options, port: first.port, listener: kind, log: rememberingLog() });
    const error = await settled(second);
    expect(error).toBeInstanceOf(ListenFailed);
    expect((error as ListenFailed).facts).toEqual({ host: '127.0.0.1', port: first.port });
    await first.stop(AbortSignal.abort());
    await first.stop(AbortSignal.abort());
  });
});
