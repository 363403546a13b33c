// Runs tests, installing and building what is missing before.
//   npm test -- [vitest's own arguments]      the tests that need nothing but Node
//   npm run test:peers -- [NAME]              those that need Debian's packages: all, or the files NAME*
//   node scripts/test.mjs --node FILE         a quick part of npm test under another Node
// TEST_RESULTS=DIR keeps the results as JSON there too; scripts/count.mjs adds them up.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { command, root, tool } from './command.mjs';
import { ready } from './ready.mjs';

/** What may differ between versions of Node: native modules, sockets, threads, the program as a whole. */
const UNDER_EACH_NODE = [
  'test/http',
  'test/ops',
  'test/state',
  'test/storage',
  'test/work',
  'test/e2e/smoke',
];

const args = process.argv.slice(2);
const kind = args[0] === '--peers' ? 'peers' : args[0] === '--node' ? 'node' : 'unit';
const node = kind === 'node' ? args[1] : process.execPath;
if (node === undefined) {
  console.error('--node takes the file of another Node');
  process.exit(2);
}

await ready();

/** What vitest is told, beside the reporters. */
function selection() {
  if (kind === 'unit') return args;
  if (kind === 'peers') {
    const names = args.slice(1).map((name) => (name.startsWith('-') ? name : `test/peers/${name}`));
    return ['--config', 'vitest.peers.config.ts', ...names];
  }
  return UNDER_EACH_NODE;
}

const vitest = ['run', ...selection()];
const results = process.env.TEST_RESULTS;
if (results !== undefined) {
  mkdirSync(results, { recursive: true });
  const file = join(results, `${kind}-${process.pid.toString()}.json`);
  vitest.push('--reporter=default', '--reporter=json', `--outputFile.json=${file}`);
}
// Tests start programs and test runs of their own; what those count is not ours.
const { TEST_RESULTS: _, ...environment } = process.env;

const { code } = await command(node, [tool('vitest', 'vitest.mjs'), ...vitest], {
  cwd: root,
  env: {
    ...environment,
    // Read once when a process loads its libraries, so too late for a test to set; bin/sluis.cjs does the same.
    UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? '16',
    UWS_HTTP_MAX_HEADERS_SIZE: '16384',
  },
});
process.exitCode = code;
