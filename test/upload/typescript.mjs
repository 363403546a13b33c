// Runs a TypeScript file of ours as a program of its own: node typescript.mjs FILE ARGS…
// Node 20 cannot strip types, and a process that is to be killed must not be the test's.
import { createViteServer } from 'vitest/node';

const server = await createViteServer({
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
await server.ssrLoadModule(process.argv[2]);
