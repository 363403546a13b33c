/** Does everything arrive, once and whole, when the exchange and its clients are killed at any moment? */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { killRound } from './lib/kill-round.ts';

const usage = 'npm run soak -- kills [--rounds N] [--round FIRST] [--seed N] [--json FILE]';
process.on('uncaughtException', (error) => {
  console.error('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS') ? usage : error);
  process.exit(2);
});
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    /** The first round: with the seed of a failure and its number, that round alone is run again. */
    round: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const [seed, first, rounds] = [values.seed, values.round, values.rounds].map(Number);
if (
  seed === undefined ||
  first === undefined ||
  rounds === undefined ||
  ![seed, first, rounds].every(Number.isSafeInteger)
) {
  console.error(`--rounds, --round and --seed take whole numbers: ${usage}`);
  process.exit(2);
}

const totals = {
  ...{ kills: 0, clientKills: 0, cuts: 0, transfers: 0, instances: 0 },
  ...{ offsetsTold: 0, stows: 0, unsaid: 0 },
};
type Counts = typeof totals;
const names = Object.keys(totals) as (keyof Counts)[];
const nothing: Counts = { ...totals };
const failures: { seed: number; round: number; what: string }[] = [];
const begun = performance.now();
for (let round = first; round < first + rounds; round += 1) {
  const at = performance.now();
  const { faults, ...counts } = await killRound(seed, round).catch((thrown: unknown) => {
    const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { ...nothing, faults: [`the round broke off: ${why}`] };
  });
  for (const name of names) totals[name] += counts[name];
  failures.push(...faults.map((what) => ({ seed, round, what })));
  const seconds = ((performance.now() - at) / 1000).toFixed(1);
  const words = names.map((name) => `${counts[name].toString()} ${name}`).join(', ');
  console.error(`round ${round.toString()}: ${words}, ${seconds} s, ${faults.length.toString()} faults`);
  for (const fault of faults) console.error(`  ${fault}`);
}
const seconds = Math.round((performance.now() - begun) / 1000);
const text = JSON.stringify({ name: 'kills', seed, seconds, rounds, ...totals, failures }, null, 2);
console.log(text);
if (values.json !== undefined) writeFileSync(values.json, `${text}\n`);
// Not exitCode: Node 20 can wait forever at its end for a request of a socket that the line cut with a reset.
process.exit(failures.length === 0 ? 0 : 1);
