import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { projectRoot } from '../support/processes.ts';

/** The time-boxed part of `npm run soak -- fuzz`: the same mutants, fewer of them. */
const seconds = process.env.FUZZ_SECONDS ?? (process.env.CI === undefined ? '10' : '30');
const seed = process.env.FUZZ_SEED ?? '1';

it(`nothing that reads or patches DICOM breaks its word on mutants, in ${seconds} s`, async () => {
  const fuzz = join(projectRoot(), 'dist', 'test', 'soak', 'fuzz.js');
  const child = await startChild(process.execPath, [fuzz, '--seconds', seconds, '--seed', seed], {});
  const { code } = await child.exited;
  const said = [...child.stdout, ...child.stderr].join('\n');
  expect(child.stdout, said).not.toEqual([]);
  const report = JSON.parse(child.stdout.join('\n')) as {
    mutants: number;
    outcomes: { patched?: number; refused?: number };
    failures: unknown[];
    rssMax: number;
    rssLimit: number;
  };
  expect(report.failures).toEqual([]);
  expect(report.rssMax).toBeLessThan(report.rssLimit);
  // Mutants that are all refused, or none, would prove nothing.
  expect(report.outcomes.patched).toBeGreaterThan(report.mutants / 10);
  expect(report.outcomes.refused).toBeGreaterThan(report.mutants / 10);
  expect(code).toBe(0);
});
