import { inflateRawSync } from 'node:zlib';
import { type Edit, findAdditions, GROUP_LENGTH, identityElements } from './additions.ts';
import { datasetOf } from './dicom-file.ts';
import { type Form, MalformedDicom, readNumber } from './dicom-walk.ts';
import { type OtherPatientId, readOtherPatientId } from './other-patient-id.ts';

/** What the comparison found. Offsets are in the source. */
export interface Comparison {
  /** Delivered is the source, or the source with one patient identity added and nothing else changed. */
  readonly equal: boolean;
  /** Why not, with offset; undefined when equal. */
  readonly reason: string | undefined;
  /** Where the first addition went in; in the inflated dataset when it is deflated. Undefined without one. */
  readonly insertedAt: number | undefined;
  /** How much longer the delivered one is, or its inflated dataset. */
  readonly insertedBytes: number;
  /** The item added to (0010,1002), read back. */
  readonly item: OtherPatientId | undefined;
  /** What was added to or added, as `0010,1002`. */
  readonly added: readonly string[];
  /** The dataset was deflated: compared inflated, the deflated bytes may differ. */
  readonly reencoded: boolean;
}

/**
 * Compares a delivered instance with its source, knowing nothing of how the engine made it. Permitted is
 * what adds to the patient's identity (see additions.ts) and takes nothing away, and (0010,0000) when it is
 * right afterwards. Everything else has to be byte for byte the same.
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

function compareDatasets(before: Buffer, after: Buffer, datasetAt: number, form: Form): Comparison {
  const source = identityElements(before, datasetAt, form);
  const delivered = identityElements(after, datasetAt, form);
  const additions = findAdditions(source, delivered, before, after);
  if (typeof additions === 'string') return different(`${additions}; ${whereDifferent(before, after)}`);
  if (additions.length === 0) return different(`nothing was added; ${whereDifferent(before, after)}`);

  const edits = additions.flatMap((addition) => addition.edits);
  const [there, now] = [source.elements.get(GROUP_LENGTH), delivered.elements.get(GROUP_LENGTH)];
  if (there !== undefined && now !== undefined) {
    const stated = readNumber(after, now.valueAt, form);
    const counted = delivered.groupEnd - now.end;
    if (stated !== counted) {
      return different(`(0010,0000) says ${stated.toString()}, its group has ${counted.toString()} bytes`);
    }
    const insert = after.subarray(now.valueAt, now.end);
    edits.unshift({ at: there.valueAt, remove: there.end - there.valueAt, insert });
  }
  const wrongAt = firstMismatch(before, edits, after);
  if (wrongAt !== undefined)
    return different(`outside the patch, delivered differs at ${wrongAt.toString()}`);
  const item = additions.find((addition) => addition.item !== undefined)?.item;
  return {
    equal: true,
    reason: undefined,
    insertedAt: additions[0]?.insertedAt,
    insertedBytes: edits.reduce((sum, edit) => sum + edit.insert.byteLength - edit.remove, 0),
    item: item && readOtherPatientId(after, item),
    added: additions.map(({ tag }) => tag),
    reencoded: false,
  };
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
  added: [],
  reencoded,
});

const different = (reason: string): Comparison => ({ ...same(false), equal: false, reason });
