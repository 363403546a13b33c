import type { Listener } from '../../src/http/exchange.ts';
import { loadUws } from '../../src/http/listeners/uws-binary.ts';

/** The listeners that this Node can run: uWebSockets.js has no binary for Node 24, nor for musl. */
export const kinds: readonly Listener['kind'][] =
  'uws' in (await loadUws()) ? ['uws', 'node-http'] : ['node-http'];

/** The one that `auto` takes, for tests to which it does not matter. */
export const preferred: Listener['kind'] = kinds.includes('uws') ? 'uws' : 'node-http';
