import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './processes.ts';

/** Public test files (those of pydicom) beside the repository; not part of it. */
const folder = join(projectRoot(), '..', 'shared', 'samples');

export interface Sample {
  /** Its name alone: no two are equal. */
  readonly name: string;
  readonly path: string;
  readonly bytes: Buffer;
}

export const samplesAreHere = existsSync(join(folder, 'manifest.csv'));

/** All of them, by name; none when they are not here. */
export function readSamples(): Sample[] {
  if (!samplesAreHere) return [];
  return ['pydicom', 'pydicom-charset'].flatMap((group) =>
    readdirSync(join(folder, group), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => ({ name, path: join(folder, group, name) }))
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .map((sample) => ({ ...sample, bytes: readFileSync(sample.path) })),
  );
}
