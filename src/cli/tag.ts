import { mkdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { normalizeBsn } from '../dicom/bsn.ts';
import { DIALECTS } from '../dicom/dialect.ts';
import { decideBsn } from '../dicom/identity.ts';
import type { Patch } from '../dicom/patch.ts';
import { asError } from '../ops/error.ts';
import type { ReasonCode } from '../transfer/reasons.ts';
import { verdictOf } from '../transfer/verdict.ts';
import { DiskRefuses, InputRefused, UsageError } from './errors.ts';
import { isDeflated, patchOf, staysNamed } from './file-patch.ts';
import { findFiles } from './found-files.ts';
import { type Inspection, inspectFile } from './inspection.ts';
import { parseOptions, required } from './options.ts';
import { OutputNames } from './output-names.ts';
import { plain } from './problem.ts';
import { Progress } from './progress.ts';
import { readSecret } from './secret.ts';
import { recipeOptions, tagRecipe } from './tag-recipe.ts';
import { writeTagged } from './tagged-copy.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis tag --bsn-file F --dialect D --out DIR [OPTIONS] PATH…

Writes copies that hold the patient's BSN, with the exchange's own splice: not one byte outside the
edits changes. One JSON line per file: file, output, verdict, reasons, reencoded, edits.
  --bsn-file F        a file that holds the number, - for standard input
  --dialect D         how the number is written: ${DIALECTS.map(({ name }) => name).join(', ')}
  --out DIR           where the copies go; made if it is not there. Nothing in it is ever replaced
  --issuer TEXT       whose number a Patient ID is that names no issuer; without it none is added
  --issuer-oid OID    the same as an OID, beside --issuer
  --patient-id P      of such a Patient ID: keep-with-issuer (default), or prefix: ISSUER-ID
  --nested N          other people named in private elements: keep (default), or strip those elements
  --no-record         no record in (0400,0561) of values that are replaced
A held file gets a copy, a rejected one none; what is signed, or cannot take the record, is copied as it
is. A deflated file is written anew (reencoded), its edits counted in its inflated form. Ends with 1 if
any file was rejected.`;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions(
    { 'bsn-file': { type: 'string' }, out: { type: 'string' }, ...recipeOptions },
    args,
  );
  if (positionals.length === 0) throw new UsageError('name at least one file or folder');
  const recipe = tagRecipe(values, Date.now());
  const out = required(values.out, '--out');
  const bsnFile = required(values['bsn-file'], '--bsn-file');
  const bsn = normalizeBsn(await readSecret(terminal, bsnFile, 'the BSN'));
  if (bsn === undefined)
    throw new InputRefused(`${bsnFile} holds no BSN: nine digits that pass the 11-proof`);

  const files = await findFiles(positionals, (path, why) => terminal.note(`skipped ${plain(path)}: ${why}`));
  const folder = await outFolder(out);
  const inputs = new Set(await Promise.all(files.map(({ path }) => realpath(path))));
  const names = new OutputNames(folder, inputs);
  const progress = new Progress(terminal, 'tagging', 2 * files.reduce((sum, { bytes }) => sum + bytes, 0));
  const count = (bytes: number): void => progress.add(bytes);
  const copying = { names, modifiedAt: recipe.record?.modifiedAt, onBytes: count };
  const patients = new Set<string>();
  let rejected = 0;
  try {
    for (const { path } of files) {
      const inspection = await inspectFile(path, count);
      const { patientId = '', issuerOfPatientId = '' } = inspection.identity ?? {};
      if (patientId !== '') patients.add(`${patientId}\0${issuerOfPatientId}`);
      const reasons = reasonsWith(inspection, bsn);
      const verdict = verdictOf(reasons);
      if (verdict !== 'accepted' && inspection.detail !== '') {
        terminal.note(`${plain(path)} is ${verdict}: ${inspection.detail}`);
      }
      if (verdict === 'rejected') {
        rejected += 1;
        count(inspection.bytes);
        const line = { file: path, output: null, verdict, reasons, reencoded: false, edits: [] };
        terminal.print(JSON.stringify(line));
        continue;
      }
      const { edits, refused } = await patchOf(inspection, recipe, bsn);
      const output = await writeTagged(inspection, edits, copying);
      if (recipe.stripsNested && staysNamed(inspection)) {
        terminal.note(`${plain(path)}: somebody else stays named in it, in more than private elements`);
      }
      const line = {
        file: path,
        output: join(out, basename(output)),
        verdict,
        reasons: [...new Set([...reasons, ...refusals(refused)])],
        reencoded: edits.length > 0 && isDeflated(inspection),
        edits: edits.map(({ at, remove, insert }) => ({ at, remove, insert: insert.byteLength })),
      };
      terminal.print(JSON.stringify(line));
    }
  } finally {
    progress.end();
  }
  // The exchange holds such a transfer; here nobody stands between, and a wrong number is a wrong patient.
  if (patients.size > 1) {
    terminal.note(
      `these files name ${patients.size.toString()} different Patient IDs, and all copies have one BSN: make sure that they are of one patient`,
    );
  }
  return rejected === 0 ? 0 : 1;
}

/** Both travel along: what cannot be tagged is copied as it is. */
function refusals(refused: Patch['refused']): ReasonCode[] {
  if (refused === null) return [];
  return [refused === 'NO_RECORD' ? 'RECORD_IMPOSSIBLE' : refused];
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

async function outFolder(out: string): Promise<string> {
  try {
    await mkdir(out, { recursive: true, mode: 0o700 });
    return await realpath(out);
  } catch (thrown) {
    throw new DiskRefuses(out, asError(thrown));
  }
}
