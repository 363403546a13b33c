import { DatasetWalk } from '../../../src/dicom/completeness.ts';
import { deflatedAt, isZlibWrapped } from '../../../src/dicom/deflated.ts';
import { DIALECTS, type Dialect, NONE } from '../../../src/dicom/dialect.ts';
import { DicomError } from '../../../src/dicom/error.ts';
import { decideBsn, type Identity, identify } from '../../../src/dicom/identity.ts';
import { IDENTITY_BYTES, WINDOW_BYTES_MAX } from '../../../src/dicom/limits.ts';
import { applyEdits, type Patch, type PatchRecipe, patch, patchNeeds } from '../../../src/dicom/patch.ts';
import { type Form, type Scan, scan } from '../../../src/dicom/scan.ts';
import { differenceOutside, withInflatedDataset } from '../../support/differ.ts';
import type { Random } from './random.ts';

const BSN = '999990019';
const ISSUER = { issuerOfPatientId: 'ZUIDERDIEP', universalEntityId: '1.2.3', universalEntityIdType: 'ISO' };
const RECORD = { modifiedAt: '20240301120000', modifyingSystem: 'SLUIS', source: 'ZUIDERDIEP' };

/** What happened to one mutant; `faults` are breaches of what src/dicom promises for any bytes. */
export interface Trial {
  readonly outcome: 'refused' | 'read' | 'patched';
  readonly faults: readonly string[];
}

/**
 * Has one instance read and patched in every way, as the exchange does. Whatever is thrown but a DicomError
 * goes through, to be counted as a crash.
 */
export function tryInstance(bytes: Buffer, random: Random): Trial {
  const faults: string[] = [];
  attempt(() => deflatedAt(bytes.subarray(0, random.between(0, bytes.byteLength)), bytes.byteLength));
  const at = attempt(() => deflatedAt(bytes, bytes.byteLength));
  if (typeof at === 'number') isZlibWrapped(bytes.subarray(at));
  const stored = attempt(() => scanGrowing(bytes, random, 'stored', faults));
  if (!(stored instanceof DicomError)) return tryScanned(bytes, stored, random, faults);
  if (stored.code !== 'SYNTAX_UNSUPPORTED') return { outcome: 'refused', faults };
  const inflated = inflatedOf(bytes);
  if (inflated === undefined) return { outcome: 'refused', faults };
  const found = attempt(() => scanGrowing(inflated, random, 'inflated', faults));
  if (found instanceof DicomError) return { outcome: 'refused', faults };
  return tryScanned(inflated, found, random, faults, 'inflated');
}

/** Undefined when there is nothing to inflate; the walker of the tests may refuse what src reads. */
function inflatedOf(bytes: Buffer): Buffer | undefined {
  try {
    const inflated = withInflatedDataset(bytes);
    return typeof inflated === 'string' ? undefined : inflated.bytes;
  } catch {
    return undefined;
  }
}

function tryScanned(
  bytes: Buffer,
  found: Scan,
  random: Random,
  faults: string[],
  form: Form = 'stored',
): Trial {
  const whole = attempt(() => scanAll(bytes, form));
  if (JSON.stringify(whole) !== JSON.stringify(found)) faults.push('a scan depends on the window');
  // Never throws for what was scanned, so that nothing here is caught.
  const identity = identify(bytes.subarray(0, Math.max(IDENTITY_BYTES, found.scannedTo)), found);
  decideBsn(identity.bsn);
  const end = walkInChunks(bytes, found, random);
  if (JSON.stringify(end) !== JSON.stringify(walkAtOnce(bytes, found))) {
    faults.push('a walk depends on the chunks');
  }
  const instance = { bytes, found, identity, form, whole: end.complete };
  let outcome: Trial['outcome'] = 'read';
  for (const dialect of DIALECTS) {
    const before = faults.length;
    const done = tryPatch(instance, recipeOf(dialect, random, instance), faults);
    for (let at = before; at < faults.length; at += 1) faults[at] = `${dialect.name}: ${faults[at] ?? ''}`;
    if (done) outcome = 'patched';
  }
  return { outcome, faults };
}

interface Instance {
  readonly bytes: Buffer;
  readonly found: Scan;
  readonly identity: Identity;
  readonly form: Form;
  readonly whole: boolean;
}

function recipeOf(dialect: Dialect, random: Random, { identity, whole }: Instance): PatchRecipe {
  const isPrivate = (tag: number): boolean => (tag >>> 16) % 2 === 1;
  return {
    dialect,
    bsn: random.chance(0.9) ? BSN : undefined,
    patientId: random.pick(['keep-with-issuer', 'prefix', 'reconciled-by-gateway']),
    ...(random.chance(0.7) && { issuer: ISSUER }),
    ...(random.chance(0.7) && { record: RECORD }),
    // What is not whole is held: nobody takes anything out of it.
    ...(random.chance(0.5) && whole && { foreign: identity.foreign.filter(({ tag }) => isPrivate(tag)) }),
  };
}

/** True when something was written. */
function tryPatch(instance: Instance, recipe: PatchRecipe, faults: string[]): boolean {
  const { bytes, found, form } = instance;
  const patched = attempt(() => patchOf(bytes, found, recipe));
  if (patched instanceof DicomError) {
    faults.push(`patch refused what was scanned: ${patched.message}`);
    return false;
  }
  const { edits, refused } = patched;
  if (refused !== null && edits.length > 0) faults.push(`refused as ${refused}, with edits`);
  const isNone = recipe.dialect === NONE && (recipe.foreign ?? []).length === 0;
  if (isNone && edits.length > 0) faults.push('none writes something');
  if (edits.length === 0) return false;
  const output = Buffer.from(applyEdits(bytes, edits));
  const counted = edits.map(({ at, remove, insert }) => ({ at, remove, insert: insert.byteLength }));
  const difference = differenceOutside(bytes, output, { edits: counted });
  if (difference !== undefined) faults.push(difference);
  if (edits.some(({ at }) => at < found.datasetAt)) faults.push('an edit is in the file meta');
  const again = attempt(() => scanAll(output, form));
  if (again instanceof DicomError) {
    faults.push(`the patched instance is refused: ${again.message}`);
    return true;
  }
  checkAgain(instance, recipe, output, again, faults);
  return true;
}

/** What was patched reads as before, holds the BSN where it should, and is not patched once more. */
function checkAgain(
  { found, identity, whole }: Instance,
  recipe: PatchRecipe,
  output: Buffer,
  again: Scan,
  faults: string[],
): void {
  const twice = attempt(() => patchOf(output, again, { ...recipe, foreign: [] }));
  if (twice instanceof DicomError) faults.push(`a second patch is refused: ${twice.message}`);
  else if (twice.edits.length > 0) faults.push('a second patch writes again');
  if (walkAtOnce(output, again).complete !== whole) faults.push('the patch changed whether it is whole');
  for (const uid of ['sopClassUid', 'sopInstanceUid', 'studyInstanceUid', 'seriesInstanceUid'] as const) {
    if (again[uid] !== found[uid]) faults.push(`the patch changed ${uid}`);
  }
  const after = identify(output.subarray(0, Math.max(IDENTITY_BYTES, again.scannedTo)), again);
  for (const key of ['patientName', 'patientBirthDate', 'patientSex', 'accessionNumber'] as const) {
    if (after[key] !== identity[key]) faults.push(`the patch changed ${key}`);
  }
  if (recipe.bsn === undefined || recipe.dialect === NONE) return;
  const claims = after.bsn.filter(({ confidence }) => confidence === 'issuer');
  if (!claims.some(({ value }) => value === recipe.bsn)) faults.push('the BSN is not read back');
}

function patchOf(bytes: Buffer, found: Scan, recipe: PatchRecipe): Patch {
  const needs = patchNeeds(found);
  if (
    needs !== undefined &&
    !(needs.start >= 0 && needs.start <= needs.end && needs.end <= bytes.byteLength)
  ) {
    throw new Error(`patchNeeds names ${needs.start.toString()} to ${needs.end.toString()}`);
  }
  return patch(found, recipe, needs && bytes.subarray(needs.start, needs.end));
}

/** As from a disk: a first look, then as much as the scan asks for, from windows of any size. */
function scanGrowing(bytes: Buffer, random: Random, form: Form, faults: string[]): Scan {
  let window = random.between(0, Math.min(bytes.byteLength, random.pick([16, 400, 4000, 40_000])));
  for (let looks = 0; ; looks += 1) {
    const found = scan(bytes.subarray(0, window), bytes.byteLength, form);
    if (!('need' in found)) return found;
    const { need } = found;
    if (!(need > window && need <= Math.min(bytes.byteLength, WINDOW_BYTES_MAX))) {
      throw new Error(`a scan of ${window.toString()} bytes needs ${need.toString()}`);
    }
    if (looks > 8) faults.push('a scan looks more than 8 times');
    window = need;
  }
}

function scanAll(bytes: Buffer, form: Form): Scan {
  const found = scan(bytes, bytes.byteLength, form);
  if ('need' in found) throw new Error(`needs ${found.need.toString()} bytes, all of them are there`);
  return found;
}

function walkInChunks(bytes: Buffer, found: Scan, random: Random) {
  const walk = new DatasetWalk(found, bytes.byteLength);
  const most = random.pick([1, 13, 300, 20_000]);
  // One byte at a time is for the small ones.
  const least = bytes.byteLength > 4096 && most < 300 ? 200 : 1;
  for (let at = 0; at < bytes.byteLength; ) {
    const size = random.between(least, Math.max(least, most));
    walk.feed(bytes.subarray(at, at + size));
    at += size;
  }
  return walk.end();
}

function walkAtOnce(bytes: Buffer, found: Scan) {
  const walk = new DatasetWalk(found, bytes.byteLength);
  walk.feed(bytes);
  return walk.end();
}

/** The result, or the DicomError; everything else is thrown on. */
function attempt<Result>(run: () => Result): Result | DicomError {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof DicomError) return thrown;
    throw thrown;
  }
}
