// npm start: installs and builds what is missing, then serves with the demo network. package.json starts it
// with `exec`: npm sends a signal to its shell only, which would die of it and leave the server behind.
//   npm start -- [--port N] [--ops-port N] [--data DIR] [--config FILE] [--no-demo]
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { codeOf, root } from './command.mjs';
import { ready } from './ready.mjs';

await ready();

// Same process group, so Ctrl-C reaches the server by itself.
const args = [join(root, 'bin', 'sluis.cjs'), 'serve', '--demo', ...process.argv.slice(2)];
// What the demo says is for a person; the log's JSON lines are there when something is wrong, or when asked for.
const env = { SLUIS_LOG_LEVEL: 'warn', ...process.env };
const server = spawn(process.execPath, args, { stdio: 'inherit', env });

// A second signal ends the server without draining, so none is sent twice: a terminal has sent SIGINT to the
// whole group already, and npm repeats to us what it got itself.
const forwarded = new Set(process.stdin.isTTY ? ['SIGINT'] : []);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!forwarded.has(signal)) server.kill(signal);
    forwarded.add(signal);
  });
}
server.once('error', (error) => {
  console.error(`The server could not be started: ${error.message}`);
  process.exitCode = 1;
});
server.once('exit', (code, signal) => {
  process.exitCode = code ?? codeOf(signal);
});
