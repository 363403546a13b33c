import { inflateRawSync } from 'node:zlib';
import { datasetOf } from './dicom-file.ts';
import {
  type Form,
  MalformedDicom,
  readNumber,
  type WalkedElement,
  type WalkedItem,
  walk,
} from './dicom-walk.ts';
import { type OtherPatientId, readOtherPatientId } from './other-patient-id.ts';

/** What the comparison found. Offsets are in the source. */
export interface Comparison {
  /** Delivered is the source, or the source with one patient identity added and nothing else changed. */
  readonly equal: boolean;
  /** Why not, with offset; undefined when equal. */
  readonly reason: string | undefined;
  /** Where the element or item went in; in the inflated dataset when it is deflated. Undefined without one. */
  readonly insertedAt: number | undefined;
  /** Of the element or item; 0 without one. */
  readonly insertedBytes: number;
  /** The added item, read back. */
  readonly item: OtherPatientId | undefined;
  /** The dataset was deflated: compared inflated, the deflated bytes may differ. */
  readonly reencoded: boolean;
}

const GROUP_LENGTH = 0x0010_0000;
const OTHER_PATIENT_IDS = 0x0010_1002;
const WALKED_INTO = new Set([OTHER_PATIENT_IDS]);

/**
 * Compares a delivered instance with its source, knowing nothing of how the engine made it. Permitted is
 * one Other Patient IDs Sequence (0010,1002) with one item added, or one item appended to the one that is
 * there, with the change of that sequence's length field, and (0010,0000) when it is right afterwards.
 * Everything else has to be byte for byte the same.
 */
export function compareOutsidePatch(source: Uint8Array, delivered: Uint8Array): Comparison {
  const before = asBuffer(source);
  const after = asBuffer(delivered);
  if (before.equals(after)) return same(false);
  try {
    const file = datasetOf(before);
    if (!before.subarray(0, file.datasetAt).equals(after.subarray(0, file.datasetAt))) {
      return different(`preamble or file meta differs at ${firstDifference(before, after).toString()}`);
    }
    if (!file.deflated) return compareDatasets(before, after, file.datasetAt, file.form);
    const [one, other] = [inflated(before, file.datasetAt), inflated(after, file.datasetAt)];
    if (one.equals(other)) return same(true);
    return { ...compareDatasets(one, other, 0, file.form), reencoded: true };
  } catch (error) {
    if (error instanceof MalformedDicom) return different(error.message);
    throw error;
  }
}

function inflated(bytes: Buffer, datasetAt: number): Buffer {
  try {
    return inflateRawSync(bytes.subarray(datasetAt));
  } catch (cause) {
    throw new MalformedDicom('the dataset does not inflate', { cause });
  }
}

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Buffer;
}

interface Patch {
  readonly edits: readonly Edit[];
  readonly insertedAt: number;
  readonly item: WalkedItem;
}

function compareDatasets(before: Buffer, after: Buffer, datasetAt: number, form: Form): Comparison {
  const source = patientGroup(before, datasetAt, form);
  const delivered = patientGroup(after, datasetAt, form);
  const patch = findPatch(source, delivered, before, after);
  if (typeof patch === 'string') return different(`${patch}; ${whereDifferent(before, after)}`);

  const edits = [...patch.edits];
  if (source.length !== undefined && delivered.length !== undefined) {
    const stated = readNumber(after, delivered.length.valueAt, form);
    const counted = delivered.end - delivered.length.end;
    if (stated !== counted) {
      return different(`(0010,0000) says ${stated.toString()}, its group has ${counted.toString()} bytes`);
    }
    const { valueAt, end } = delivered.length;
    edits.unshift({ at: source.length.valueAt, remove: end - valueAt, insert: after.subarray(valueAt, end) });
  }
  const wrongAt = firstMismatch(before, edits, after);
  if (wrongAt !== undefined)
    return different(`outside the patch, delivered differs at ${wrongAt.toString()}`);
  const insertedBytes = edits.reduce((sum, edit) => sum + edit.insert.byteLength - edit.remove, 0);
  const item = readOtherPatientId(after, patch.item);
  return {
    equal: true,
    reason: undefined,
    insertedAt: patch.insertedAt,
    insertedBytes,
    item,
    reencoded: false,
  };
}

/** The one addition that would explain the difference, or why there is none. */
function findPatch(
  source: PatientGroup,
  delivered: PatientGroup,
  before: Buffer,
  after: Buffer,
): Patch | string {
  const there = source.sequence;
  const now = delivered.sequence;
  if (now?.items === undefined) return 'delivered has no (0010,1002)';
  const item = now.items.at(-1);
  if (item === undefined) return 'delivered has an empty (0010,1002)';
  if (!delivered.ascending) return 'delivered has (0010,1002) out of order';
  if (there?.items === undefined) {
    if (now.items.length !== 1) return `(0010,1002) was added with ${now.items.length.toString()} items`;
    const edit = { at: now.at, remove: 0, insert: after.subarray(now.at, now.end) };
    return { edits: [edit], insertedAt: now.at, item };
  }
  if (now.items.length !== there.items.length + 1) {
    return `(0010,1002) went from ${there.items.length.toString()} to ${now.items.length.toString()} items`;
  }
  if (now.openEnded !== there.openEnded) return '(0010,1002) changed between defined and undefined length';
  const appended = { at: there.valueEnd, remove: 0, insert: after.subarray(item.at, item.end) };
  const lengthField = {
    at: there.lengthAt,
    remove: there.valueAt - there.lengthAt,
    insert: after.subarray(now.lengthAt, now.valueAt),
  };
  const edits = before.subarray(there.lengthAt, there.valueAt).equals(lengthField.insert)
    ? [appended]
    : [lengthField, appended];
  return { edits, insertedAt: appended.at, item };
}

interface PatientGroup {
  /** (0010,0000) */
  readonly length: WalkedElement | undefined;
  /** (0010,1002) */
  readonly sequence: WalkedElement | undefined;
  /** The sequence stands behind all lower tags and before all higher ones. */
  readonly ascending: boolean;
  /** Where group 0010 ends. */
  readonly end: number;
}

function patientGroup(bytes: Buffer, datasetAt: number, form: Form): PatientGroup {
  let length: WalkedElement | undefined;
  let sequence: WalkedElement | undefined;
  let ascending = true;
  let end = datasetAt;
  for (const element of walk(bytes, datasetAt, bytes.byteLength, form, WALKED_INTO)) {
    if (element.tag > 0x0010_ffff) break;
    if (element.tag === GROUP_LENGTH) length = element;
    if (element.tag > OTHER_PATIENT_IDS && sequence === undefined) ascending = false;
    if (element.tag < OTHER_PATIENT_IDS && sequence !== undefined) ascending = false;
    if (element.tag === OTHER_PATIENT_IDS) sequence = element;
    end = element.end;
  }
  return { length, sequence, ascending, end };
}

/** Where `delivered` is not `source` with the edits made; undefined when it is. Edits ascend. */
function firstMismatch(source: Buffer, edits: readonly Edit[], delivered: Buffer): number | undefined {
  let at = 0;
  let out = 0;
  const pieces: Buffer[] = [];
  for (const edit of edits) {
    pieces.push(source.subarray(at, edit.at), edit.insert);
    at = edit.at + edit.remove;
  }
  pieces.push(source.subarray(at));
  for (const piece of pieces) {
    const there = delivered.subarray(out, out + piece.byteLength);
    if (!piece.equals(there)) return out + firstDifference(piece, there);
    out += piece.byteLength;
  }
  return out === delivered.byteLength ? undefined : out;
}

function firstDifference(one: Buffer, other: Buffer): number {
  const shorter = Math.min(one.byteLength, other.byteLength);
  let at = 0;
  while (at < shorter && one[at] === other[at]) at += 1;
  return at;
}

const whereDifferent = (one: Buffer, other: Buffer): string =>
  `${one.byteLength.toString()} and ${other.byteLength.toString()} bytes, different from ${firstDifference(one, other).toString()} on`;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const same = (reencoded: boolean): Comparison => ({
  equal: true,
  reason: undefined,
  insertedAt: undefined,
  insertedBytes: 0,
  item: undefined,
  reencoded,
});

const different = (reason: string): Comparison => ({ ...same(false), equal: false, reason });
