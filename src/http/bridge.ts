import type { ReadableStreamReadResult } from 'node:stream/web';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type BodyBudget, processBodies } from './body-budget.ts';
import { BodiesFull, RequestMalformed } from './errors.ts';
import type { Exchange, Handler, RequestHeaders } from './exchange.ts';
import { answerLimits, bridgeLimits } from './limits.ts';

/** What Hono and every other program on the fetch standard is. */
export type Fetch = (request: Request) => Response | Promise<Response>;

export interface BridgeOptions {
  readonly bodyBytesMax?: number;
  readonly bodies?: BodyBudget;
  /** Whose a request is, where that is known; the budget is shared out by it. */
  readonly holderOf?: (headers: RequestHeaders) => string | undefined;
}

/**
 * Serves a fetch handler on an Exchange. The request's body is read whole first, so it is for small ones:
 * more than `bodyBytesMax` is answered 413, and what the budget `bodies` has no room for 503. A Response's
 * body is streamed with backpressure; one that is there at once goes out with a Content-Length.
 * `request.signal` aborts when the peer is gone.
 */
export function fetchBridge(
  fetch: Fetch,
  { bodyBytesMax = bridgeLimits.bodyBytesMax, bodies = processBodies, holderOf }: BridgeOptions = {},
): Handler {
  return async (exchange) => {
    const bodyless = exchange.method === 'GET' || exchange.method === 'HEAD';
    // A longer one is refused by bytes().
    const bytes = bodyless ? 0 : Math.min(exchange.body.length ?? bodyBytesMax, bodyBytesMax);
    const holder = holderOf?.(exchange.headers);
    if (!bodies.take(bytes, holder)) throw new BodiesFull();
    let response: Response;
    try {
      const body = bodyless ? undefined : await exchange.body.bytes(bodyBytesMax);
      response = await fetch(requestOf(exchange, body));
    } finally {
      bodies.give(bytes, holder);
    }
    await answerWith(exchange, response);
  };
}

function requestOf(exchange: Exchange, body: Uint8Array | undefined): Request {
  const { method, path, query, gone } = exchange;
  try {
    const headers = new Headers();
    for (const [name, value] of exchange.headers) {
      // The fetch standard holds a header's bytes as Latin-1.
      headers.append(name, Buffer.from(value, 'utf8').toString('latin1'));
    }
    const url = new URL(`http://${exchange.headers.get('host') ?? 'localhost'}`);
    url.pathname = path;
    url.search = query;
    return new Request(url, {
      method,
      headers,
      signal: gone,
      ...(body === undefined || body.length === 0 ? {} : { body }),
    });
  } catch (error) {
    throw new RequestMalformed(error);
  }
}

async function answerWith(exchange: Exchange, response: Response): Promise<void> {
  const head = { status: response.status, headers: Object.fromEntries(response.headers) };
  if (!response.body) {
    exchange.answer(head);
    return;
  }
  const reader = response.body.getReader();
  try {
    const { whole, begun } = await readAtOnce(reader);
    if (whole) exchange.answer({ ...head, body: whole });
    else await exchange.stream(head, rest(begun, reader));
  } finally {
    // Of a body that was read to its end this is nothing; else its source learns that nobody reads on.
    await reader.cancel().catch(() => {});
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Read = Promise<ReadableStreamReadResult<Uint8Array>>;

/** The whole body if its end comes without waiting, as that of a JSON answer does; else what was begun. */
async function readAtOnce(
  reader: Reader,
): Promise<{ whole: Uint8Array; begun: Read[] } | { whole: undefined; begun: Read[] }> {
  const parts: Uint8Array[] = [];
  const begun: Read[] = [];
  let bytes = 0;
  while (bytes <= answerLimits.bridgeBytesAtOnce) {
    const read = reader.read();
    // Whoever awaits it gets its error; this only says that nobody may.
    read.catch(() => {});
    begun.push(read);
    const part = await Promise.race([read, nextTurn(undefined)]);
    if (part === undefined) break;
    if (part.done) return { whole: Buffer.concat(parts, bytes), begun };
    parts.push(part.value);
    bytes += part.value.length;
  }
  return { whole: undefined, begun };
}

async function* rest(begun: readonly Read[], reader: Reader): AsyncGenerator<Uint8Array> {
  for (const read of begun) {
    const { value, done } = await read;
    if (done) return;
    yield value;
  }
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}
