import { ListenFailed } from '../errors.ts';
import type { Listener } from '../exchange.ts';
import { type ListenerOptions, LiveExchanges } from './live.ts';
import type { Uws, UwsListenSocket } from './uws-binary.ts';
import { UwsExchange } from './uws-exchange.ts';

/** Listens with uWebSockets.js. Rejects `ListenFailed`. */
export async function listenUws(uws: Uws, options: ListenerOptions): Promise<Listener> {
  const { host, port, slabs } = options;
  const live = new LiveExchanges(options);
  const app = uws.App().any('/*', (response, request) => {
    live.begin(new UwsExchange(response, request, live, slabs));
  });
  const socket = await new Promise<UwsListenSocket | false>((resolve) => {
    app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (socket === false) {
    await live.handlersEnded();
    throw new ListenFailed(host, port, undefined);
  }
  let stopped: Promise<void> | undefined;
  const stop = async (deadline: AbortSignal) => {
    uws.us_listen_socket_close(socket);
    await live.drained(deadline);
    // Last, because it cuts whatever still runs; and never left out, because a thread that ends with an
    // open listener makes libuv abort the process.
    app.close();
    await live.handlersEnded();
  };
  return {
    kind: 'uws',
    port: uws.us_socket_local_port(socket),
    stop: (deadline) => (stopped ??= stop(deadline)),
  };
}
