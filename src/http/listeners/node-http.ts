import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ListenFailed } from '../errors.ts';
import type { Listener } from '../exchange.ts';
import { headLimits, listenerLimits } from '../limits.ts';
import { type ListenerOptions, LiveExchanges } from './live.ts';
import { NodeExchange } from './node-exchange.ts';

/** Listens with node:http. Rejects `ListenFailed`. */
export async function listenNodeHttp(options: ListenerOptions): Promise<Listener> {
  const { host, port, slabs } = options;
  const live = new LiveExchanges(options);
  const refused = new WeakSet<Socket>();
  const begin = (request: IncomingMessage, response: ServerResponse) => {
    // What lies behind a refused head in the same packet; the connection closes when that is answered.
    if (refused.has(request.socket)) return;
    const exchange = new NodeExchange(request, response, live, slabs);
    if (exchange.refusal) refused.add(request.socket);
    live.begin(exchange);
  };
  const server = createServer(
    {
      maxHeaderSize: headLimits.bytes,
      // By default 300 s, which ends every upload that takes longer.
      requestTimeout: 0,
      headersTimeout: listenerLimits.headersTimeoutMs,
      keepAliveTimeout: listenerLimits.keepAliveTimeoutMs,
      connectionsCheckingInterval: listenerLimits.headersCheckMs,
    },
    begin,
  );
  // Else node answers 417 in words of its own; the guard has ours.
  server.on('checkExpectation', begin);
  // One more than the guard lets pass: node drops the rest silently.
  server.maxHeadersCount = headLimits.headers + 1;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    await live.handlersEnded();
    throw new ListenFailed(host, port, error);
  }
  let stopped: Promise<void> | undefined;
  const stop = async (deadline: AbortSignal) => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    await live.drained(deadline);
    if (deadline.aborted) server.closeAllConnections();
    // Answers that went out while stopping closed their connections; what is left never sent a request.
    else server.closeIdleConnections();
    setImmediate(() => server.closeAllConnections());
    await closed;
    await live.handlersEnded();
  };
  return {
    kind: 'node-http',
    port: (server.address() as AddressInfo).port,
    stop: (deadline) => (stopped ??= stop(deadline)),
  };
}
