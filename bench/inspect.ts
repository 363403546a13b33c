/** How fast are instances inspected and hashed, on 1 and 2 threads? Peer: openssl dgst -sha256 over the same files. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { InspectJob } from '../src/work/jobs.ts';
import { WorkPool } from '../src/work/pool.ts';
import { generateStudy } from '../test/support/study/study.ts';
import { type Measured, median, report } from './lib/report.ts';

const instances = 2000;
const runs = 5;
const run = promisify(execFile);

const folder = await mkdtemp(join(tmpdir(), 'sluis-bench-'));
const jobs: InspectJob[] = [];
let bytes = 0;
for (const instance of generateStudy({ modality: 'CT', instances, seed: 1 })) {
  const path = join(folder, instance.fileName);
  await writeFile(path, instance.bytes);
  jobs.push({ ranges: [{ path, start: 0, bytes: instance.bytes.byteLength }] });
  bytes += instance.bytes.byteLength;
}
const paths = jobs.flatMap(({ ranges }) => ranges.map(({ path }) => path));

async function inspect(pool: WorkPool): Promise<void> {
  const found = await pool.inspect(jobs);
  if (found.length !== instances || found.some(({ error }) => error !== undefined)) {
    throw new Error('an instance was not inspected');
  }
}

async function openssl(files: readonly string[]): Promise<void> {
  const { stdout } = await run('openssl', ['dgst', '-sha256', ...files], { maxBuffer: 64 * 1024 * 1024 });
  if (stdout.trim().split('\n').length !== files.length) throw new Error('a file was not hashed');
}

const one = new WorkPool({ workers: 1 });
const two = new WorkPool({ workers: 2 });
await Promise.all([one.start(), two.start()]);
const subjects: readonly (readonly [subject: string, work: () => Promise<unknown>])[] = [
  ['sluis, 1 thread', () => inspect(one)],
  ['sluis, 2 threads', () => inspect(two)],
  ['openssl dgst -sha256', () => openssl(paths)],
  // Two cores are rarely twice as fast as one: what the machine has to give.
  [
    'openssl dgst -sha256, 2 processes',
    () => Promise.all([openssl(paths.slice(0, instances / 2)), openssl(paths.slice(instances / 2))]),
  ],
];
const measured: Measured[] = subjects.map(([subject]) => ({
  subject,
  metric: 'inspect and hash',
  unit: 'MB/s',
  runs: [],
}));
try {
  // The first round warms the page cache and the threads, and does not count.
  const rates = subjects.map((): number[] => []);
  for (let round = 0; round <= runs; round += 1) {
    for (const [index, [, work]] of subjects.entries()) {
      const begun = performance.now();
      await work();
      const seconds = (performance.now() - begun) / 1000;
      if (round > 0) rates[index]?.push(bytes / 1e6 / seconds);
    }
  }
  const results = measured.map((each, index) => ({ ...each, runs: rates[index] ?? [] }));
  const [single, double, peer] = results.map((each) => median(each.runs)) as [number, number, number];
  report('inspect', results, [
    {
      name: "of openssl's rate, each on one core",
      value: single / peer,
      bar: 0.8,
      holds: single / peer >= 0.8,
    },
    { name: '2 threads against 1', value: double / single, bar: 1.7, holds: double / single >= 1.7 },
  ]);
} finally {
  await Promise.all([one, two].map((pool) => pool.stop(AbortSignal.abort())));
  await rm(folder, { recursive: true, force: true });
}
