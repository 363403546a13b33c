import type { FileRange } from '../storage/storage.ts';
import { ratioMax } from '../transfer/limits.ts';
import { inflateDataset } from '../work/inflate-dataset.ts';
import type { Inspection } from '../work/jobs.ts';
import { PieceReader } from '../work/piece-reader.ts';
import { INSTANCE_BYTES_MAX } from './limits.ts';

/** The inspection of an instance with a deflated dataset, in its inflated form; writes that nowhere. */
export async function readInflated(ranges: readonly FileRange[]): Promise<Inspection> {
  const reader = new PieceReader();
  const nowhere = {
    bytes: 0,
    async write(chunk: Uint8Array) {
      this.bytes += chunk.byteLength;
    },
  };
  const job = { of: 'dataset', ranges, into: '', bytesMax: INSTANCE_BYTES_MAX, ratioMax } as const;
  try {
    return (await inflateDataset(job, reader, nowhere)).inspection;
  } finally {
    reader.close();
  }
}
