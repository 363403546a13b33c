import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What was measured of one subject; all runs, so that their spread can be seen. */
export interface Measured {
  readonly subject: string;
  readonly metric: string;
  readonly unit: string;
  readonly runs: readonly number[];
}

/** What an issue demands: a ratio to a peer that was measured in the same run, nearly always. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly bar: number;
  readonly holds: boolean;
}

/**
 * Prints the report as JSON, writes it where `--json FILE` says, and fails the process when a bar does not hold.
 * `notes` say what a reader of the numbers has to know: what was left out, what was made cheap.
 */
export function report(
  name: string,
  measured: readonly Measured[],
  bars: readonly Bar[],
  notes: readonly string[] = [],
): void {
  const text = JSON.stringify(
    {
      name,
      commit: commit(),
      node: process.version,
      cpu: cpus()[0]?.model ?? 'unknown',
      results: measured.map(({ subject, metric, unit, runs }) => ({
        subject,
        metric,
        unit,
        median: median(runs),
        min: Math.min(...runs),
        max: Math.max(...runs),
        runs: runs.length,
      })),
      bars,
      ...(notes.length === 0 ? {} : { notes }),
    },
    null,
    2,
  );
  console.log(text);
  const file = process.argv[process.argv.indexOf('--json') + 1];
  if (process.argv.includes('--json') && file !== undefined) {
    writeFileSync(file, `${text}\n`);
  }
  process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;
}

export function median(runs: readonly number[]): number {
  const sorted = [...runs].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The value that this part (0 to 1) of the runs is not above. */
export function percentile(runs: readonly number[], part: number): number {
  const sorted = [...runs].sort((a, b) => a - b);
  return sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
