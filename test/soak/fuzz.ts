/** Does whatever reads and patches DICOM stand a million broken files? Reproducible by seed and number. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runFuzz } from './lib/fuzz-run.ts';

const usage =
  'npm run soak -- fuzz [--mutants N] [--seconds S] [--seed N] [--only MUTANT] [--workers N] [--json FILE]';
process.on('uncaughtException', (error) => {
  console.error('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS') ? usage : error);
  process.exit(2);
});
const { values } = parseArgs({
  options: {
    mutants: { type: 'string', default: '1000000' },
    /** Ends after so many seconds, when the mutants are not done before. */
    seconds: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    /** One mutant of a failure, alone. */
    only: { type: 'string' },
    workers: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
const only = values.only === undefined ? undefined : Number(values.only);
const [seed, mutants, seconds, workers] = [values.seed, values.mutants, values.seconds, values.workers].map(
  Number,
);
const isCount = (value: number | undefined): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
if (
  !isCount(seed) ||
  !isCount(mutants) ||
  !isCount(seconds) ||
  !isCount(workers) ||
  workers === 0 ||
  (only !== undefined && !isCount(only))
) {
  console.error(`--mutants, --seconds, --seed, --only and --workers take whole numbers: ${usage}`);
  process.exit(2);
}

/**
 * MiB for the whole process. Two workers hold the sources twice and a mutant of some tens of KiB each, so that
 * this is what a reader would go over that believes one length of a file.
 */
const RSS_MAX = 384;

const report = await runFuzz({
  seed,
  seconds,
  from: only ?? 0,
  mutants: only === undefined ? mutants : 1,
  workers: only === undefined ? workers : 1,
  onProgress: (done, failures) =>
    console.error(`${done.toString()} mutants, ${failures.toString()} failures`),
});
const text = JSON.stringify({ name: 'fuzz', seed, ...report, rssLimit: RSS_MAX }, null, 2);
console.log(text);
if (values.json !== undefined) writeFileSync(values.json, `${text}\n`);
process.exitCode = report.failures.length === 0 && report.rssMax <= RSS_MAX ? 0 : 1;
