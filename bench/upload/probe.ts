import { asError } from '../../src/ops/error.ts';
import { Wire } from '../lib/wire.ts';
import { createUpload, expect, type Target, tusHeaders, withWire } from './target.ts';

/** Between two requests of a kind. */
const PROBE_MS = 20;

/** Asks for an upload and for what the server can do while others load it. */
export interface Probe {
  /** Resolves with the milliseconds of each request. */
  stop(): Promise<{ head: number[]; options: number[] }>;
}

/**
 * Starts asking. A request that is late keeps no next one from beginning in time: it is sent on another
 * connection, as another client's would be.
 */
export async function startProbe(target: Target): Promise<Probe> {
  const path = await withWire(target, (wire) => createUpload(wire, target, 1));
  const asked = { head: [] as number[], options: [] as number[] };
  const free: Wire[] = [];
  const running = new Set<Promise<void>>();

  const ask = async (method: 'HEAD' | 'OPTIONS', status: number, into: number[]): Promise<void> => {
    const begun = performance.now();
    let wire = free.pop();
    if (wire === undefined || !wire.isOpen) wire = await Wire.open(target.port);
    const where = method === 'HEAD' ? path : target.base;
    expect(await wire.request(method, where, tusHeaders(target)), status, method);
    into.push(performance.now() - begun);
    free.push(wire);
  };
  let failure: Error | undefined;
  const begin = (work: Promise<void>): void => {
    const one = work
      .catch((error: unknown) => {
        failure ??= asError(error);
      })
      .finally(() => running.delete(one));
    running.add(one);
  };
  const timer = setInterval(() => {
    begin(ask('HEAD', 200, asked.head));
    begin(ask('OPTIONS', 204, asked.options));
  }, PROBE_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
      for (const wire of free) wire.close();
      if (failure !== undefined) throw failure;
      return asked;
    },
  };
}
