import { expect } from 'vitest';
import { DatasetWalk } from '../../src/dicom/completeness.ts';
import type { Dialect } from '../../src/dicom/dialect.ts';
import type { Edit } from '../../src/dicom/edit.ts';
import { DicomError } from '../../src/dicom/error.ts';
import { type Patch, type PatchRecipe, patch, patchNeeds } from '../../src/dicom/patch.ts';
import { type Scan, scan } from '../../src/dicom/scan.ts';

/** From the range of test numbers: nobody's. */
export const ANNA = '999990019';
export const BERT = '999990020';

const seconds = Number(process.env.FUZZ_SECONDS ?? '2');

/** Properties run until their time is up, not for a number of runs. */
export const bounded = { numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000 };

/** Scans an instance that is in memory as a whole. */
export function scanWhole(bytes: Uint8Array): Scan {
  const found = scan(bytes, bytes.byteLength);
  if ('need' in found) throw new Error(`asks for ${found.need.toString()} bytes, all of them are there`);
  return found;
}

/** What a recipe does to an instance that is in memory as a whole. */
export function patchWith(bytes: Uint8Array, recipe: PatchRecipe): Patch {
  const found = scanWhole(bytes);
  const needs = patchNeeds(found);
  return patch(found, recipe, needs && bytes.subarray(needs.start, needs.end));
}

export function patchWhole(
  bytes: Uint8Array,
  found: Scan,
  dialect: Dialect,
  bsn: string | undefined,
): readonly Edit[] {
  const needs = patchNeeds(found);
  return patch(found, { dialect, bsn }, needs && bytes.subarray(needs.start, needs.end)).edits;
}

export function walk(bytes: Uint8Array, found: Scan, chunkBytes = bytes.byteLength) {
  const dataset = new DatasetWalk(found, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) dataset.feed(bytes.subarray(at, at + chunkBytes));
  return dataset.end();
}

/** The DicomError that `run` throws; anything else, and nothing at all, fails the test. */
export function faultOf(run: () => unknown): DicomError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof DicomError) return thrown;
    throw thrown;
  }
  return expect.fail('it threw nothing');
}

/**
 * Compares what lies outside the edits, byte for byte, by their places and sizes alone: neither scan
 * nor patch is believed, and applyEdits is not used.
 */
export function expectExact(original: Uint8Array, patched: Uint8Array, edits: readonly Edit[]): void {
  let before = 0;
  let after = 0;
  for (const { at, remove, insert } of edits) {
    expect(at).toBeGreaterThanOrEqual(before);
    const kept = at - before;
    expect(Buffer.compare(original.subarray(before, at), patched.subarray(after, after + kept))).toBe(0);
    before = at + remove;
    after += kept + insert.byteLength;
  }
  expect(Buffer.compare(original.subarray(before), patched.subarray(after))).toBe(0);
}
