import { ListenerMissing } from './errors.ts';
import type { Listener } from './exchange.ts';
import type { ListenerOptions } from './listeners/live.ts';
import { listenNodeHttp } from './listeners/node-http.ts';
import { listenUws } from './listeners/uws.ts';
import { loadUws } from './listeners/uws-binary.ts';
import { processSlabs, type SlabPool } from './slabs.ts';

/** `auto`: uWebSockets.js where its binary can be loaded, else node:http. */
export type ListenerChoice = 'auto' | Listener['kind'];

/**
 * Opens a listener and resolves when it takes connections.
 *
 * Rejects `ListenFailed` when the port cannot be had, and `ListenerMissing` when uWebSockets.js was asked
 * for by name where it has no binary (Node 24, musl).
 */
export async function listen(
  options: Omit<ListenerOptions, 'slabs'> & { listener?: ListenerChoice; slabs?: SlabPool },
  load: typeof loadUws = loadUws,
): Promise<Listener> {
  const { listener: choice = 'auto', slabs = processSlabs } = options;
  const opened = { ...options, slabs };
  if (choice === 'node-http') return listenNodeHttp(opened);
  const binary = await load();
  if ('uws' in binary) return listenUws(binary.uws, opened);
  if (choice === 'uws') throw new ListenerMissing(binary.missing);
  options.log.warn('http.listener-fallback', {
    listener: 'node-http',
    reason: 'uWebSockets.js has no binary for this platform',
  });
  return listenNodeHttp(opened);
}
