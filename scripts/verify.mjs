// npm run verify: everything that CI asks of a change, cheapest first, and how long each took.
import { command, secondsSince, tool } from './command.mjs';
import { ready } from './ready.mjs';

const node = process.execPath;
const stages = [
  ['format and lint', tool('@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings'],
  ['types', tool('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'],
  ['promises and types', tool('oxlint', 'bin', 'oxlint'), '--type-aware', '--deny-warnings'],
  ['unused code', tool('knip', 'bin', 'knip.js')],
  ['licences', 'scripts/licences.mjs', '--quiet'],
  ['native listener', 'scripts/check-uws.mjs'],
  ['build', 'scripts/ready.mjs'],
  ['tests', 'scripts/test.mjs'],
];

await ready({ building: false });

const lines = [];
for (const [name, ...args] of stages) {
  console.log(`\n── ${name}`);
  const startedAt = performance.now();
  const { code } = await command(node, args);
  lines.push(`${code === 0 ? 'ok    ' : 'FAILED'}  ${secondsSince(startedAt).padStart(8)}  ${name}`);
  if (code !== 0) {
    process.exitCode = 1;
    lines.push(...stages.slice(lines.length).map(([later]) => `not run           ${later}`));
    break;
  }
}
console.log(`\n${lines.join('\n')}`);
