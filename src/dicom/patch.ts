import { isBsn } from './bsn.ts';
import { type Dialect, formFault, type OtherPatientIdForm } from './dialect.ts';
import { type Edit, growth } from './edit.ts';
import { encodeItem, encodeSequence, encodeText, encodeUint32 } from './encode.ts';
import { type OtherId, readOtherIds } from './other-ids.ts';
import type { OtherPatientIdsSite, Scan } from './scan.ts';
import { DICOMDIR } from './sop-classes.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';

/** What a receiver gets: how the BSN is written, and which. */
export interface PatchRecipe {
  readonly dialect: Dialect;
  /** Nine digits; undefined when there is none to write. */
  readonly bsn: string | undefined;
}

/**
 * The stored bytes [start, end) that patch() has to see: the items that are already in (0010,1002).
 * Undefined when there are none, which is nearly always.
 */
export function patchNeeds(scan: Scan): { start: number; end: number } | undefined {
  const site = scan.sites.otherPatientIds;
  if (scan.sopClassUid === DICOMDIR || site.state === 'absent' || site.from === site.to) return undefined;
  return { start: site.from, end: site.to };
}

/**
 * The edits that write the BSN as the dialect wants it: one more item in (0010,1002), never in the
 * place of another, and (0010,0000) recounted where it stands. None when the item is there already,
 * when there is no BSN or the dialect writes none, and never in a DICOMDIR.
 *
 * `seen` holds the bytes that patchNeeds() named. The edits hold the BSN: never store or log them.
 *
 * @throws DicomError when `seen` is not what was scanned
 * @throws RangeError on a caller's mistake: `seen` missing, no BSN in `recipe.bsn`, a dialect that formFault() refuses
 */
export function patch(scan: Scan, recipe: PatchRecipe, seen?: Uint8Array): Edit[] {
  const form = recipe.dialect.otherPatientId;
  if (form === null || recipe.bsn === undefined || scan.sopClassUid === DICOMDIR) return [];
  const wanted = idOf(recipe.bsn, form);
  const site = scan.sites.otherPatientIds;
  if (site.state !== 'absent' && isThere(scan, wanted, site.encoding, seen)) return [];
  const edits = insertionOf(wanted, site, scan.encoding);
  return [...groupLengthEdit(scan, growth(edits)), ...edits];
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

function idOf(bsn: string, form: OtherPatientIdForm): OtherId {
  if (!isBsn(bsn)) throw new RangeError('the number to write is no BSN');
  const fault = formFault(form);
  if (fault !== undefined) throw new RangeError(fault);
  return { patientId: bsn, ...form };
}

/** Equal in everything that the dialect writes; an item may say more, and in any encoding of its lengths. */
function isThere(scan: Scan, wanted: OtherId, encoding: Encoding, seen: Uint8Array | undefined): boolean {
  const needs = patchNeeds(scan);
  if (needs === undefined) return false;
  if (seen?.byteLength !== needs.end - needs.start)
    throw new RangeError('patch() was not given the bytes it needs');
  return readOtherIds(seen, encoding).some((id) => isSame(id, wanted));
}

function isSame(id: OtherId, wanted: OtherId): boolean {
  return (
    id.patientId === wanted.patientId &&
    id.issuerOfPatientId === wanted.issuerOfPatientId &&
    id.typeOfPatientId === wanted.typeOfPatientId &&
    id.universalEntityId === wanted.universalEntityId &&
    id.universalEntityIdType === wanted.universalEntityIdType &&
    id.identifierTypeCode === wanted.identifierTypeCode
  );
}

function insertionOf(id: OtherId, site: OtherPatientIdsSite, dataset: Encoding): Edit[] {
  if (site.state === 'absent') {
    const insert = encodeSequence(Tag.otherPatientIdsSequence, [itemOf(id, dataset)], dataset);
    return [{ at: site.at, remove: 0, insert }];
  }
  const item = itemOf(id, site.encoding);
  const append = { at: site.to, remove: 0, insert: item };
  if (site.state === 'undefined') return [append];
  // The element's own length is written as the dataset is, also when UN makes its value implicit.
  const length = encodeUint32(site.to - site.from + item.byteLength, dataset);
  return [{ at: site.lengthAt, remove: 4, insert: length }, append];
}

function itemOf(id: OtherId, encoding: Encoding): Uint8Array {
  const qualifiers = encodeItem(
    [
      encodeText(Tag.universalEntityId, 'UT', id.universalEntityId, encoding),
      encodeText(Tag.universalEntityIdType, 'CS', id.universalEntityIdType, encoding),
      encodeText(Tag.identifierTypeCode, 'CS', id.identifierTypeCode, encoding),
    ],
    encoding,
  );
  return encodeItem(
    [
      encodeText(Tag.patientId, 'LO', id.patientId, encoding),
      encodeText(Tag.issuerOfPatientId, 'LO', id.issuerOfPatientId, encoding),
      encodeText(Tag.typeOfPatientId, 'CS', id.typeOfPatientId, encoding),
      encodeSequence(Tag.issuerOfPatientIdQualifiers, [qualifiers], encoding),
    ],
    encoding,
  );
}

/** Counted anew from the offsets: what stood there may have been wrong before (research: 3 of 21 files). */
function groupLengthEdit(scan: Scan, grown: number): Edit[] {
  const { groupLengthAt, groupFrom, groupTo } = scan.sites;
  if (groupLengthAt < 0) return [];
  return [{ at: groupLengthAt, remove: 4, insert: encodeUint32(groupTo - groupFrom + grown, scan.encoding) }];
}
