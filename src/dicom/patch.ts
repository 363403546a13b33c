import { appendingItems, type Change, removing } from './change.ts';
import { writesNothing } from './dialect.ts';
import { type Edit, growth } from './edit.ts';
import { concat, encodeUint32 } from './encode.ts';
import { checkForeign } from './foreign-removal.ts';
import { originalAttributesItem } from './original-attributes.ts';
import { patientChanges } from './patient-changes.ts';
import { PatientElements } from './patient-elements.ts';
import { patientBytes } from './patient-sites.ts';
import { checkRecipe, type PatchRecipe } from './recipe.ts';
import type { Scan } from './scan.ts';
import { endOf, itemEncoding, PATIENT_ATTRIBUTES } from './sites.ts';
import { DICOMDIR } from './sop-classes.ts';
import { groupOf, Tag } from './tags.ts';

export type { Issuer, PatchRecipe, PatientIdPolicy } from './recipe.ts';
export { issuerFault } from './recipe.ts';

/** The edits of one instance, or why there are none and it has to go as it came. */
export interface Patch {
  readonly edits: readonly Edit[];
  /**
   * `SIGNED_OBJECT`: a signature covers what would change. `NO_RECORD`: what would change could not be
   * recorded in (0400,0561), or kept in (0010,1002).
   */
  readonly refused: 'SIGNED_OBJECT' | 'NO_RECORD' | null;
}

/**
 * The stored bytes [start, end) that patch() has to see: from the first to the last of the attributes of
 * group 0010 that it may change, some hundred bytes and never more than PATIENT_BYTES_MAX. Undefined when
 * none is there.
 */
export function patchNeeds(scan: Scan): { start: number; end: number } | undefined {
  return scan.sopClassUid === DICOMDIR ? undefined : patientBytes(scan.sites);
}

/**
 * The edits that turn a stored instance into the one a receiver gets, ascending and not overlapping: the
 * BSN as the dialect writes it, the issuer of a Patient ID that names none, foreign identities taken out,
 * what stood there before in (0400,0561), and the group lengths that there are counted anew. No edits when all
 * that is there already, never any in a DICOMDIR, and with a dialect that writes nothing only those of
 * `foreign`. Patching what was patched, with the same recipe, gives none.
 *
 * `seen` holds the bytes that patchNeeds() named. The edits hold the BSN: never store or log them.
 *
 * @throws DicomError when `seen` is not what was scanned
 * @throws RangeError on a caller's mistake: `seen` missing, no BSN in `recipe.bsn`, texts that formFault() or
 *   issuerFault() refuse, `foreign` elements that cannot be any of this instance
 */
export function patch(scan: Scan, recipe: PatchRecipe, seen?: Uint8Array): Patch {
  if (scan.sopClassUid === DICOMDIR) return NOTHING;
  checkRecipe(recipe);
  const foreign = recipe.foreign ?? [];
  checkForeign(scan, foreign);
  const patient = writesNothing(recipe.dialect) ? undefined : new PatientElements(scan, seen);
  const own = patient === undefined ? [] : patientChanges(patient, recipe);
  const recorded = own && (patient === undefined ? [] : recordOf(scan, recipe, own, patient));
  const changes = [...(own ?? []), ...(recorded ?? []), ...foreign.map(removing)];
  if (isSigned(scan, changes)) return { edits: [], refused: 'SIGNED_OBJECT' };
  if (recorded === undefined) return { edits: [], refused: 'NO_RECORD' };
  return changes.length === 0
    ? NOTHING
    : { edits: joined([...changes, ...recounted(scan, changes)]), refused: null };
}

/**
 * No edit of any recipe reaches behind this offset, except those that take `foreign` elements out: whoever
 * keeps a head apart has to keep at least this much of it.
 */
export function patchReach(scan: Scan): number {
  const { originalAttributes, otherPatientIdsSequence, groups } = scan.sites;
  const ends = [originalAttributes, otherPatientIdsSequence].map((site) =>
    site.state === 'unknown' ? 0 : site.state === 'absent' ? site.at : endOf(site),
  );
  return Math.max(...ends, ...groups.map(({ from }) => from));
}

/** The patched bytes of an instance that is in memory as a whole: for small files and tests. */
export function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const patched = new Uint8Array(bytes.byteLength + growth(edits));
  let read = 0;
  let written = 0;
  for (const { at, remove, insert } of edits) {
    patched.set(bytes.subarray(read, at), written);
    written += at - read;
    patched.set(insert, written);
    written += insert.byteLength;
    read = at + remove;
  }
  patched.set(bytes.subarray(read), written);
  return patched;
}

const NOTHING: Patch = { edits: [], refused: null };

/** One item of (0400,0561) for all that was there and is not any more; undefined when it can be written nowhere. */
function recordOf(
  scan: Scan,
  { dialect, record }: PatchRecipe,
  changes: readonly Change[],
  patient: PatientElements,
): Change[] | undefined {
  const changed = new Set(changes.filter(({ prior }) => prior !== undefined).map(({ tag }) => tag));
  if (changed.size === 0 || record === undefined || !dialect.originalAttributes) return [];
  const site = scan.sites.originalAttributes;
  if (site.state === 'unknown') return undefined;
  const priors = PATIENT_ATTRIBUTES.filter((attribute) => changed.has(Tag[attribute]));
  const elements = priors.map((attribute) => patient.element(attribute));
  const inside = itemEncoding(site, scan.encoding);
  const item = originalAttributesItem(elements, record, scan.encoding, inside);
  return item && [appendingItems(Tag.originalAttributes, site, [item], scan.encoding)];
}

/** What is added beside signed elements breaks no signature (PS3.3 section C.12.1.1.3.1.1). */
function isSigned(scan: Scan, changes: readonly Change[]): boolean {
  const { signed } = scan.sites;
  if (signed === 'unknown' || changes.length === 0) return false;
  return signed === 'all' || changes.some(({ tag }) => signed.includes(tag));
}

/**
 * Group lengths counted anew from the offsets: what stood there may have been wrong before (research: 3 of 21
 * files). One whose group ends out of sight is taken out, which PS3.5 section 7.2 prefers anyway.
 */
function recounted(scan: Scan, changes: readonly Change[]): Change[] {
  return scan.sites.groups.flatMap(({ group, at, lengthAt, from, to }): Change[] => {
    const within = changes.filter(({ tag }) => groupOf(tag) === group);
    if (within.length === 0) return [];
    const tag = group * 0x10000;
    if (to === null) {
      return [{ tag, prior: undefined, edits: [{ at, remove: from - at, insert: new Uint8Array(0) }] }];
    }
    const grown = within.reduce((sum, { edits }) => sum + growth(edits), 0);
    const insert = encodeUint32(to - from + grown, scan.encoding);
    return [{ tag, prior: undefined, edits: [{ at: lengthAt, remove: 4, insert }] }];
  });
}

/** All edits in order, those that touch made one. */
function joined(changes: readonly Change[]): Edit[] {
  const ordered = [...changes].sort((a, b) => a.tag - b.tag).flatMap(({ edits }) => edits);
  const result: Edit[] = [];
  for (const edit of ordered) {
    const before = result.at(-1);
    if (before === undefined || before.at + before.remove < edit.at) {
      result.push(edit);
      continue;
    }
    const insert = concat([before.insert, edit.insert]);
    result[result.length - 1] = { at: before.at, remove: before.remove + edit.remove, insert };
  }
  return result;
}
