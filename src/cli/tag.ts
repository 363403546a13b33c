import { mkdir, open, realpath } from 'node:fs/promises';
import { normalizeBsn } from '../dicom/bsn.ts';
import { DIALECTS, type Dialect } from '../dicom/dialect.ts';
import type { Edit } from '../dicom/edit.ts';
import { decideBsn } from '../dicom/identity.ts';
import { patch, patchNeeds } from '../dicom/patch.ts';
import { asError } from '../ops/error.ts';
import type { ReasonCode } from '../transfer/reasons.ts';
import { verdictOf } from '../transfer/verdict.ts';
import { DiskRefuses, InputRefused, UsageError } from './errors.ts';
import { readFully } from './file-bytes.ts';
import { findFiles } from './found-files.ts';
import { type Inspection, inspectFile } from './inspection.ts';
import { parseOptions, required } from './options.ts';
import { OutputNames } from './output-names.ts';
import { Progress } from './progress.ts';
import { readSecret } from './secret.ts';
import { writeTagged } from './tagged-copy.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis tag --bsn-file F --dialect D --out DIR PATH…

Writes copies that hold the patient's BSN, with the exchange's own splice: not one byte outside the
edits changes. One JSON line per file: file, output, verdict, reasons, reencoded, edits.
  --bsn-file F   a file that holds the number, - for standard input
  --dialect D    how the number is written: ${DIALECTS.map(({ name }) => name).join(', ')}
  --out DIR      where the copies go; made if it is not there. Nothing in it is ever replaced
A held file gets a copy, a rejected one none. Ends with 1 if any was rejected.`;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions(
    { 'bsn-file': { type: 'string' }, dialect: { type: 'string' }, out: { type: 'string' } },
    args,
  );
  if (positionals.length === 0) throw new UsageError('name at least one file or folder');
  const dialect = dialectOf(required(values.dialect, '--dialect'));
  const out = required(values.out, '--out');
  const bsnFile = required(values['bsn-file'], '--bsn-file');
  const bsn = normalizeBsn(await readSecret(terminal, bsnFile, 'the BSN'));
  if (bsn === undefined)
    throw new InputRefused(`${bsnFile} holds no BSN: nine digits that pass the 11-proof`);

  const files = await findFiles(positionals, (path, why) => terminal.note(`skipped ${path}: ${why}`));
  const folder = await outFolder(out);
  const inputs = new Set(await Promise.all(files.map(({ path }) => realpath(path))));
  const names = new OutputNames(folder, inputs);
  const progress = new Progress(terminal, 'tagging', 2 * files.reduce((sum, { bytes }) => sum + bytes, 0));
  const count = (bytes: number): void => progress.add(bytes);
  let rejected = 0;
  try {
    for (const { path } of files) {
      const inspection = await inspectFile(path, count);
      const reasons = reasonsWith(inspection, bsn);
      const verdict = verdictOf(reasons);
      const line = { file: path, verdict, reasons, reencoded: false };
      if (verdict === 'rejected') {
        rejected += 1;
        count(inspection.bytes);
        terminal.print(JSON.stringify({ ...line, output: null, edits: [] }));
        continue;
      }
      const edits = await editsOf(inspection, dialect, bsn);
      const output = await writeTagged(inspection, edits, names, count);
      const counted = edits.map(({ at, remove, insert }) => ({ at, remove, insert: insert.byteLength }));
      terminal.print(JSON.stringify({ ...line, output, edits: counted }));
    }
  } finally {
    progress.end();
  }
  return rejected === 0 ? 0 : 1;
}

function dialectOf(name: string): Dialect {
  const dialect = DIALECTS.find((one) => one.name === name);
  if (dialect === undefined) {
    throw new UsageError(`--dialect is one of ${DIALECTS.map((one) => one.name).join(', ')}`);
  }
  return dialect;
}

/** A number that the file itself claims for its patient and that is not the given one is a conflict. */
function reasonsWith({ reasons, identity }: Inspection, bsn: string): readonly ReasonCode[] {
  const decided = decideBsn([
    ...(identity?.bsn ?? []),
    { value: bsn, source: '0010,1002', confidence: 'issuer' },
  ]);
  const conflict = decided !== undefined && 'conflict' in decided;
  return conflict && !reasons.includes('BSN_CONFLICT') ? [...reasons, 'BSN_CONFLICT'] : reasons;
}

/** None where the head cannot be read: such a file is held, and its copy is as it was. */
async function editsOf({ path, scan }: Inspection, dialect: Dialect, bsn: string): Promise<Edit[]> {
  if (scan === undefined) return [];
  const needs = patchNeeds(scan);
  if (needs === undefined) return patch(scan, { dialect, bsn });
  const seen = Buffer.alloc(needs.end - needs.start);
  const file = await open(path, 'r');
  try {
    await readFully(file, seen, needs.start, needs.end);
  } finally {
    await file.close();
  }
  return patch(scan, { dialect, bsn }, seen);
}

async function outFolder(out: string): Promise<string> {
  try {
    await mkdir(out, { recursive: true, mode: 0o700 });
    return await realpath(out);
  } catch (thrown) {
    throw new DiskRefuses(out, asError(thrown));
  }
}
