import { inflateRawSync, inflateSync } from 'node:zlib';
import { datasetOf } from './dicom-file.ts';

/** An edit as `sluis tag` prints it: in the original, at `at`, `remove` bytes gave way to `insert` bytes. */
export interface CountedEdit {
  readonly at: number;
  readonly remove: number;
  readonly insert: number;
}

export interface EditList {
  /** Ascending and not overlapping. */
  readonly edits: readonly CountedEdit[];
  /** The dataset was inflated and deflated again: edits count in the file with its dataset inflated. */
  readonly reencoded?: boolean;
}

/** No file of a test or a sample inflates to more. */
const INFLATED_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Proves that every byte outside the edits is the original's, knowing nothing but where the edits say they
 * are. Returns what is wrong, as a sentence with an offset; undefined when nothing is.
 */
export function differenceOutside(
  original: Uint8Array,
  output: Uint8Array,
  { edits, reencoded = false }: EditList,
): string | undefined {
  if (edits.length === 0) return unequal(original, output, 'without an edit');
  if (!reencoded) return compare(asBuffer(original), asBuffer(output), edits);
  const [before, after] = [withInflatedDataset(original), withInflatedDataset(output)];
  if (typeof before === 'string') return `the original: ${before}`;
  if (typeof after === 'string') return `the output: ${after}`;
  if (edits.some(({ at }) => at < before.datasetAt)) return 'an edit is in the file meta of a deflated file';
  return compare(before.bytes, after.bytes, edits);
}

function compare(original: Buffer, output: Buffer, edits: readonly CountedEdit[]): string | undefined {
  let before = 0;
  let after = 0;
  for (const { at, remove, insert } of edits) {
    if (![at, remove, insert].every((count) => Number.isSafeInteger(count) && count >= 0)) {
      return `an edit does not count in bytes: ${[at, remove, insert].join()}`;
    }
    if (at < before) return `the edit at ${at.toString()} is not behind the one before`;
    const wrong = unequalPart(original, before, output, after, at - before);
    if (wrong !== undefined) return wrong;
    after += at - before + insert;
    before = at + remove;
  }
  const rest = original.byteLength - before;
  if (rest < 0) return 'an edit reaches beyond the original';
  if (output.byteLength - after !== rest) {
    return `behind the edits the original has ${rest.toString()} bytes, the output ${(output.byteLength - after).toString()}`;
  }
  return unequalPart(original, before, output, after, rest);
}

function unequalPart(
  original: Buffer,
  before: number,
  output: Buffer,
  after: number,
  length: number,
): string | undefined {
  const one = original.subarray(before, before + length);
  const other = output.subarray(after, after + length);
  if (one.byteLength < length || other.byteLength < length)
    return `one of them ends before ${length.toString()} bytes`;
  if (one.equals(other)) return undefined;
  const at = one.findIndex((byte, index) => byte !== other[index]);
  return `byte ${(before + at).toString()} of the original is not byte ${(after + at).toString()} of the output`;
}

function unequal(original: Uint8Array, output: Uint8Array, when: string): string | undefined {
  return asBuffer(original).equals(asBuffer(output)) ? undefined : `${when} the output differs`;
}

/** The file as it would be if its dataset were not deflated, or why it cannot be inflated. */
export function withInflatedDataset(file: Uint8Array): { bytes: Buffer; datasetAt: number } | string {
  const bytes = asBuffer(file);
  const { datasetAt, deflated } = datasetOf(bytes);
  if (!deflated) return 'the dataset is not deflated';
  const inflated = inflate(bytes.subarray(datasetAt));
  if (inflated === undefined) return 'the dataset does not inflate';
  return { bytes: Buffer.concat([bytes.subarray(0, datasetAt), inflated]), datasetAt };
}

/** Raw as PS3.5 section A.5 has it, or in zlib's frame as some writers have it. */
function inflate(stream: Buffer): Buffer | undefined {
  for (const way of [inflateRawSync, inflateSync]) {
    try {
      return way(stream, { maxOutputLength: INFLATED_BYTES_MAX });
    } catch {}
  }
  return undefined;
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
