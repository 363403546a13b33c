import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CountedEdit, withInflatedDataset } from '../../support/differ.ts';
import { startProgram } from '../../support/processes.ts';
import { readSamples } from '../../support/samples.ts';
import { generateObject, OBJECT_KINDS } from '../../support/study/objects.ts';
import type { Expected } from '../../support/study/odd/form.ts';
import { oddForms } from '../../support/study/odd/odd-forms.ts';
import { EXPLICIT_LE, fileMeta } from '../../support/study/part10.ts';

/** From the range of test numbers: nobody's. */
export const BSN = '999990019';

export interface CorpusFile {
  /** Unique; its file's too. */
  readonly name: string;
  readonly path: string;
  readonly bytes: Buffer;
  readonly expected: Expected;
}

/** What is broken in the samples, and how. Everything else is to be read and tagged. */
const BROKEN: Readonly<Record<string, Expected>> = {
  'MR_truncated.dcm': { outcome: 'incomplete' },
  'SC_rgb_jpeg.dcm': { outcome: 'refused', code: 'SYNTAX_LIES' },
  dicomdirtests__DICOMDIR: { outcome: 'untagged', why: 'directory' },
  'dicomdirtests__DICOMDIR-empty.dcm': { outcome: 'untagged', why: 'directory' },
  'empty_charset_LEI.dcm': { outcome: 'unnamed' },
  'meta_missing_tsyntax.dcm': { outcome: 'refused', code: 'NOT_DICOM' },
  'nested_priv_SQ.dcm': { outcome: 'unnamed' },
  'no_meta.dcm': { outcome: 'refused', code: 'NOT_DICOM' },
  'rtplan_truncated.dcm': { outcome: 'incomplete' },
};

/** The samples, when they are here, and everything that the generator makes, as files in `folder`. */
export async function writeCorpus(folder: string): Promise<CorpusFile[]> {
  const tagged: Expected = { outcome: 'tagged' };
  const all: Omit<CorpusFile, 'path'>[] = [
    ...readSamples().map(({ name, bytes }) => ({
      name: `sample-${name}`,
      bytes,
      expected: BROKEN[name] ?? tagged,
    })),
    ...oddForms().map((form) => ({ ...form, name: `odd-${form.name}.dcm` })),
    ...OBJECT_KINDS.map((kind) => ({
      name: `object-${kind}.dcm`,
      bytes: Buffer.from(generateObject({ kind, seed: 3, bsnIn: 'retired-1000' }).bytes),
      expected: tagged,
    })),
  ];
  await mkdir(folder, { recursive: true });
  return await Promise.all(
    all.map(async (one) => {
      const path = join(folder, one.name);
      await writeFile(path, one.bytes);
      return { ...one, path };
    }),
  );
}

/** A line of `sluis tag`. */
interface TagLine {
  readonly file: string;
  readonly output: string | null;
  readonly verdict: string;
  readonly reasons: readonly string[];
  readonly reencoded: boolean;
  readonly edits: readonly CountedEdit[];
}

export interface TaggedFile extends TagLine {
  readonly name: string;
  /** Of the output; undefined when there is none. */
  readonly bytes: Buffer | undefined;
}

/** Runs the built `sluis tag` over a folder. */
export async function tagFolder(
  folder: string,
  out: string,
  recipe: readonly string[],
): Promise<TaggedFile[]> {
  await mkdir(out, { recursive: true });
  const bsnFile = `${out}.bsn`;
  await writeFile(bsnFile, `${BSN}\n`);
  const lines = await linesOf('tag', '--bsn-file', bsnFile, '--out', out, ...recipe, folder);
  return await Promise.all(
    lines.map(async (line) => {
      const tagged = JSON.parse(line) as TagLine;
      const bytes = tagged.output === null ? undefined : await readFile(tagged.output);
      return { ...tagged, bytes, name: tagged.file.slice(tagged.file.lastIndexOf('/') + 1) };
    }),
  );
}

/** By name what `sluis inspect` has against each file: tag, offset and reason, or ''. */
export async function detailsOf(folder: string): Promise<Map<string, string>> {
  const lines = await linesOf('inspect', folder);
  return new Map(
    lines.map((line) => {
      const { file, detail = '' } = JSON.parse(line) as { file: string; detail?: string };
      return [file.slice(file.lastIndexOf('/') + 1), detail];
    }),
  );
}

async function linesOf(...args: readonly string[]): Promise<readonly string[]> {
  const program = await startProgram(args);
  const { code } = await program.exited;
  if (code !== 0 && code !== 1)
    throw new Error(`${args[0] ?? ''} ended with ${String(code)}: ${program.stderr.join('\n')}`);
  if (program.stdout.length === 0)
    throw new Error(`${args[0] ?? ''} says nothing: ${program.stderr.join('\n')}`);
  return program.stdout;
}

/**
 * The file for a tool that cannot inflate (dciodvfy takes the stream for elements, without a word): the same
 * dataset in explicit little endian.
 */
export function readable(file: Buffer): Buffer {
  const inflated = withInflatedDataset(file);
  if (typeof inflated === 'string') return file;
  const { bytes, datasetAt } = inflated;
  return Buffer.concat([
    fileMeta('1.2.840.10008.5.1.4.1.1.7', '1.2.3', EXPLICIT_LE),
    bytes.subarray(datasetAt),
  ]);
}
