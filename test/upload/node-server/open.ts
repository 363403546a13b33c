import { nodeServerHandler } from '../../../src/upload/node-server/handler.ts';
import type { EngineOptions } from '../engine.ts';
import { TusServer } from '../tus-client.ts';

/** @tus/server on our store, on the listener that it is for. */
export function openNodeServer(options: EngineOptions = {}): Promise<TusServer> {
  return TusServer.open('node-http', options, (handler) => handler, nodeServerHandler);
}
