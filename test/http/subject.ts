import { randomFillSync } from 'node:crypto';
import type { onTestFinished } from 'vitest';
import type { BodySink, Exchange, Handler, Listener } from '../../src/http/exchange.ts';
import { listen } from '../../src/http/listen.ts';
import type { ListenerOptions } from '../../src/http/listeners/live.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import type { Log } from '../../src/ops/log.ts';
import { RawClient } from './raw-client.ts';

export const MiB = 1024 * 1024;

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
}

/** A log that keeps what it was told. */
export function rememberingLog(): Log & { readonly events: LoggedEvent[] } {
  const events: LoggedEvent[] = [];
  const at = (level: string) => (event: string) => void events.push({ level, event });
  return { events, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface Subject {
  readonly listener: Listener;
  readonly slabs: SlabPool;
  readonly log: ReturnType<typeof rememberingLog>;
  readonly connect: () => Promise<RawClient>;
}

/** A listener of `kind` on a port of its own; it and its clients are gone when the test ends. */
export async function subject(
  kind: Listener['kind'],
  finished: typeof onTestFinished,
  handler: Handler,
  limits: Partial<Pick<ListenerOptions, 'answerIdleMs' | 'bodyTimers' | 'sweepMs' | 'slabs'>> = {},
): Promise<Subject> {
  const slabs = limits.slabs ?? new SlabPool();
  const log = rememberingLog();
  const where = { host: '127.0.0.1', port: 0, listener: kind };
  const listener = await listen({ ...where, handler, log, ...limits, slabs });
  const clients: RawClient[] = [];
  finished(async () => {
    for (const client of clients) client.socket.destroy();
    await listener.stop(AbortSignal.abort());
  });
  const connect = async () => {
    const client = await RawClient.open(listener.port);
    clients.push(client);
    return client;
  };
  return { listener, slabs, log, connect };
}

/** A listener with a body of 64 MiB whose sink stands still until `open`; of it `sent` has gone as far as it can. */
export async function pausedBody(kind: Listener['kind'], finished: typeof onTestFinished, sent: Uint8Array) {
  const gate = deferred<void>();
  const sink = new MemorySink(64 * MiB, () => gate.promise);
  const drained = deferred<unknown>();
  const begun = deferred<Exchange>();
  const { connect } = await subject(kind, finished, async (exchange) => {
    begun.resolve(exchange);
    drained.resolve(await settled(exchange.body.drainTo(sink)));
  });
  const client = await connect();
  await client.head('PATCH /', { 'Content-Length': 64 * MiB });
  void client.send(sent);
  const exchange = await begun.promise;
  await untilStill(() => client.socket.bytesWritten - client.socket.writableLength, 200);
  return { client, exchange, sink, open: () => gate.resolve(), drained: drained.promise };
}

/** A sink that remembers every byte at its position. Each async write waits for `pace`. */
export class MemorySink implements BodySink {
  readonly bytes: Buffer;
  /** How many bytes were written. */
  written = 0;
  inFlight = 0;
  inFlightPeak = 0;
  syncWrites = 0;
  /** Where the next call has to begin. */
  #next = 0;
  /** What was written where, in the order it was. */
  readonly runs: { readonly position: number; readonly bytes: number }[] = [];
  readonly #pace: () => Promise<unknown>;

  constructor(bytes: number, pace: () => Promise<unknown> = () => Promise.resolve()) {
    this.bytes = Buffer.alloc(bytes);
    this.#pace = pace;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#inOrder(bytes, position);
    this.inFlight += 1;
    this.inFlightPeak = Math.max(this.inFlightPeak, this.inFlight);
    await this.#pace();
    // Copied after the wait: a slab that was reused too early shows as wrong bytes.
    this.#keep(bytes, position);
    this.inFlight -= 1;
  }

  writeSync(bytes: Uint8Array, position: number): void {
    this.#inOrder(bytes, position);
    this.syncWrites += 1;
    this.#keep(bytes, position);
  }

  #inOrder(bytes: Uint8Array, position: number): void {
    if (position !== this.#next) throw new Error(`byte ${position} came when ${this.#next} was next`);
    this.#next += bytes.length;
  }

  #keep(bytes: Uint8Array, position: number): void {
    this.bytes.set(bytes, position);
    this.written += bytes.length;
    this.runs.push({ position, bytes: bytes.length });
  }
}

export function randomBytes(bytes: number): Buffer {
  return randomFillSync(Buffer.allocUnsafe(bytes));
}

/** Resolves when `condition` holds; the test's own timeout ends a wait in vain. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Resolves when `value` has not moved for `ms`. */
export async function untilStill(value: () => number, ms: number): Promise<number> {
  for (let last = value(); ; last = value()) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (value() === last) return last;
  }
}

export async function settled(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** A promise and who settles it. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
