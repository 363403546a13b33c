import { stat } from 'node:fs/promises';
import type { FileRange } from '../storage/storage.ts';
import type { StoredInstance } from '../study/composing.ts';
import { inflate } from './inflate.ts';
import type { InflateJob, Inspection } from './jobs.ts';

export interface InflatedFile {
  readonly inspection: Inspection;
  /** For composeInstance; undefined when the head cannot be read. */
  readonly instance: StoredInstance<FileRange> | undefined;
}

/**
 * Inflates the deflated dataset of a file, see InflateJob, into another that is there, without a pool:
 * for commands. Its edits are counted in the inflated form, as scan and offsets of `inspection` are.
 *
 * Rejects with what reading or writing rejects, RangeError when the dataset is not deflated.
 */
export async function inflateFile(
  path: string,
  into: string,
  limits: Pick<InflateJob, 'bytesMax' | 'ratioMax'>,
): Promise<InflatedFile> {
  const { size: bytes } = await stat(path);
  const extents = [{ path, start: 0, bytes }];
  const { inspection, inflated } = await inflate({ of: 'dataset', ranges: extents, into, ...limits });
  if (inflated === undefined || inspection.scan === undefined) return { inspection, instance: undefined };
  const { headBytes, tailBytes } = inflated;
  const head = { path: into, start: 0, bytes: headBytes };
  const tail = { path: into, start: headBytes, bytes: tailBytes };
  const { datasetAt } = inspection.scan;
  return { inspection, instance: { extents, bytes, inflated: { head, tail }, datasetAt } };
}
