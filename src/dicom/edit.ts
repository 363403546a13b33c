/**
 * One change of a patch: at `at` in the stored instance, `remove` bytes give way to `insert`.
 * A patch is a list of edits, ascending, not overlapping. `insert` may hold the BSN: never store or log it.
 */
export interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

/** How many bytes a patched instance has more (or less) than the stored one. */
export function growth(edits: readonly Edit[]): number {
  return edits.reduce((sum, edit) => sum + edit.insert.byteLength - edit.remove, 0);
}
