/** The limit of what a server on this listener can do: uWebSockets.js, and every body is thrown away. */
import { loadUws, type Uws, type UwsListenSocket } from '../../../src/http/listeners/uws-binary.ts';
import { answerQuestions } from '../../lib/helper.ts';
import type { Target } from '../target.ts';

async function start(): Promise<Target> {
  const loaded = await loadUws();
  if (!('uws' in loaded)) throw new Error('uWebSockets.js has no binary for this platform');
  return { port: await listen(loaded.uws), base: '/uploads', token: 'none' };
}

async function listen(uws: Uws): Promise<number> {
  const app = uws.App().any('/*', (response, request) => {
    const method = request.getCaseSensitiveMethod();
    response.onAborted(() => undefined);
    const end = (): void => {
      response.cork(() => {
        response.writeStatus(method === 'POST' ? '201 Created' : '204 No Content');
        if (method === 'POST') response.writeHeader('Location', '/uploads/1');
        if (method === 'POST') response.end('');
        else response.endWithoutBody();
      });
    };
    if (method !== 'PATCH') {
      end();
      return;
    }
    response.onData((_, last) => {
      if (last) end();
    });
  });
  const socket = await new Promise<UwsListenSocket | false>((resolve) => {
    app.listen('127.0.0.1', 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (socket === false) throw new Error('no port is free');
  return uws.us_socket_local_port(socket);
}

answerQuestions({ start });
