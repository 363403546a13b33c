import { isDeflatedSyntax } from '../dicom/deflated.ts';
import { type Patch, patch, patchNeeds } from '../dicom/patch.ts';
import { isPrivate } from '../dicom/tags.ts';
import { readFully } from './file-bytes.ts';
import { firstInflated } from './first-bytes.ts';
import { type Inspection, withFile } from './inspection.ts';
import type { TagRecipe } from './tag-recipe.ts';

/**
 * The edits that tag an inspected file; of a deflated dataset in its inflated form, as its scan. None where
 * the head cannot be read: such a file is held, and its copy is as it was. They hold the BSN.
 */
export async function patchOf(inspection: Inspection, recipe: TagRecipe, bsn: string): Promise<Patch> {
  const { scan, identity } = inspection;
  if (scan === undefined) return { edits: [], refused: null };
  const { stripsNested, ...rest } = recipe;
  const foreign = stripsNested ? (identity?.foreign.filter(({ tag }) => isPrivate(tag)) ?? []) : [];
  const needs = patchNeeds(scan);
  const seen = needs && (await bytesOf(inspection, needs.start, needs.end));
  return patch(scan, { ...rest, bsn, foreign }, seen);
}

/** True when somebody else stays named in a copy that is stripped: elements of the standard stay, and too many do. */
export function staysNamed({ identity }: Inspection): boolean {
  if (identity === undefined || !identity.nestedIdentity) return false;
  return identity.foreign.length === 0 || identity.foreign.some(({ tag }) => !isPrivate(tag));
}

/** True for a file whose edits are of another form than its bytes. */
export function isDeflated({ scan }: Inspection): boolean {
  return scan !== undefined && isDeflatedSyntax(scan.transferSyntaxUid);
}

/** The bytes [start, end) in the form that the scan counts in. */
async function bytesOf(inspection: Inspection, start: number, end: number): Promise<Uint8Array> {
  const { path, bytes, scan } = inspection;
  return await withFile(path, async (file) => {
    const stored = async (from: number, to: number): Promise<Uint8Array> => {
      const buffer = Buffer.alloc(to - from);
      return buffer.subarray(0, await readFully(file, buffer, from, to));
    };
    if (!isDeflated(inspection)) return await stored(start, end);
    const datasetAt = scan?.datasetAt ?? 0;
    const dataset = await firstInflated((first) => stored(0, first), bytes, datasetAt)(end - datasetAt);
    return dataset.subarray(start - datasetAt);
  });
}
