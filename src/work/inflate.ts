import { open } from 'node:fs/promises';
import { inflateDataset } from './inflate-dataset.ts';
import { inflateEntry } from './inflate-entry.ts';
import type { InflateJob, InflateResult } from './jobs.ts';
import { OutputFile } from './output-file.ts';
import { PieceReader, RangeMissing } from './piece-reader.ts';

/**
 * Writes deflated bytes out inflated, see InflateJob, in bounded memory, and answers when they survive a
 * power cut. A file that nothing came of is left empty, also when this rejects. Needs no pool: a command
 * may call it as it is.
 *
 * Bytes that are broken are a result. Rejects with what reading or writing rejects.
 */
export async function inflate(job: InflateJob): Promise<InflateResult> {
  const file = await open(job.into, 'r+').catch((error: unknown) => {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isGone ? new RangeMissing(job.into, 0) : error;
  });
  const out = new OutputFile(file);
  const reader = new PieceReader();
  try {
    await out.empty();
    const inflateOne = job.of === 'dataset' ? inflateDataset : inflateEntry;
    const result = await inflateOne(job, reader, out);
    if (result.bytes === 0) await out.empty();
    await out.sync();
    return result;
  } catch (error) {
    await out.empty().catch(() => undefined);
    throw error;
  } finally {
    reader.close();
    await file.close();
  }
}
