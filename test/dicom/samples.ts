import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Public test files beside the repository (those of pydicom); not part of it. */
const folder = fileURLToPath(new URL('../../../shared/samples/', import.meta.url));

export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
}

export const samplesAreHere = existsSync(`${folder}manifest.csv`);

export function samples(): Sample[] {
  if (!samplesAreHere) return [];
  return ['pydicom', 'pydicom-charset'].flatMap((group) =>
    readdirSync(`${folder}${group}`, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => ({ name, bytes: readFileSync(`${folder}${group}/${name}`) })),
  );
}

/** What is to be refused, and why; everything else is to be read. */
export const REFUSED: Readonly<Record<string, string>> = {
  'SC_rgb_jpeg.dcm': 'SYNTAX_LIES',
  'image_dfl.dcm': 'SYNTAX_UNSUPPORTED',
  'meta_missing_tsyntax.dcm': 'NOT_DICOM',
  'no_meta.dcm': 'NOT_DICOM',
};

/** What ends too early in its body, as the names say. */
export const INCOMPLETE: readonly string[] = ['MR_truncated.dcm', 'rtplan_truncated.dcm'];
