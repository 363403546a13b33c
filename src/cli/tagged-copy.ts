import { type FileHandle, open } from 'node:fs/promises';
import type { Edit } from '../dicom/edit.ts';
import { asError } from '../ops/error.ts';
import type { FileRange } from '../storage/storage.ts';
import { composeInstance, type Segment, type StoredInstance } from '../study/composing.ts';
import { ratioMax } from '../transfer/limits.ts';
import { inflate } from '../work/inflate.ts';
import { DiskRefuses, InputRefused } from './errors.ts';
import { pieces } from './file-bytes.ts';
import { isDeflated } from './file-patch.ts';
import { type Inspection, withFile } from './inspection.ts';
import { INSTANCE_BYTES_MAX } from './limits.ts';
import { NewFile } from './new-file.ts';
import type { OutputNames } from './output-names.ts';
import { isSameCopy, recordedTimes } from './same-copy.ts';

/** How a copy is made, the same for all of a run. */
export interface Copying {
  readonly names: OutputNames;
  /** When the run says that it changed values; undefined when it says nowhere. */
  readonly modifiedAt: string | undefined;
  /** Counts what was read. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Writes a copy of the inspected file with the edits spliced in: every byte outside of them is the file's
 * own, in a deflated dataset every byte of its inflated form. Appears whole or not at all, under the first
 * of its names that is free: what is there is never replaced, and when it is this very copy, from an earlier
 * run, it counts as written. Resolves with its path.
 *
 * @throws InputRefused when the file is not the one that was inspected, DiskRefuses when the copy cannot be written
 */
export async function writeTagged(
  source: Inspection,
  edits: readonly Edit[],
  copying: Copying,
): Promise<string> {
  const { path, bytes } = source;
  const range = { path, start: 0, bytes };
  const instance = { extents: [range], bytes, inflated: null, datasetAt: source.scan?.datasetAt ?? 0 };
  if (edits.length === 0 || !isDeflated(source)) return await writeCopy(source, instance, edits, copying);
  return await withNewFile(copying.names.folder, async ({ path: into }) => {
    const inflated = await inflatedParts(range, into, copying.names.folder);
    return await writeCopy(source, { ...instance, inflated }, edits, copying);
  });
}

/** Inflates the dataset into a file beside the copies; a moment later that is gone. */
async function inflatedParts(
  range: FileRange,
  into: string,
  folder: string,
): Promise<StoredInstance<FileRange>['inflated']> {
  const job = { of: 'dataset', ranges: [range], into, bytesMax: INSTANCE_BYTES_MAX, ratioMax } as const;
  const { inflated } = await inflate(job).catch(refusedBy(folder));
  if (inflated === undefined) throw changed(range.path);
  const { headBytes, tailBytes } = inflated;
  return {
    head: { path: into, start: 0, bytes: headBytes },
    tail: { path: into, start: headBytes, bytes: tailBytes },
  };
}

async function writeCopy(
  source: Inspection,
  instance: StoredInstance<FileRange>,
  edits: readonly Edit[],
  { names, modifiedAt, onBytes }: Copying,
): Promise<string> {
  const segments = composeInstance(instance, edits);
  const refused = refusedBy(names.folder);
  return await withFile(source.path, (from) =>
    withNewFile(names.folder, async (copy) => {
      for (const segment of segments) {
        for await (const chunk of chunksOf(segment, source.path, from)) {
          await copy.write(chunk).catch(refused);
          if (segment.from === 'stored') onBytes(chunk.byteLength);
        }
      }
      const { size, mtimeMs } = await from.stat();
      if (size !== source.bytes || mtimeMs !== source.mtimeMs) throw changed(source.path);
      const times = recordedTimes(segments, modifiedAt);
      return await names.give(source.path, async (output) => {
        if (await copy.appearAs(output).catch(refused)) return true;
        return await isSameCopy(output, copy.path, times).catch(refused);
      });
    }),
  );
}

async function* chunksOf(
  segment: Segment<FileRange>,
  path: string,
  from: FileHandle,
): AsyncGenerator<Uint8Array> {
  if (segment.from === 'insert') {
    yield segment.insert;
    return;
  }
  for (const range of segment.extents) {
    const end = range.start + range.bytes;
    if (range.path === path) yield* pieces(from, range.start, end);
    else {
      const file = await open(range.path, 'r');
      try {
        yield* pieces(file, range.start, end);
      } finally {
        await file.close();
      }
    }
  }
}

async function withNewFile<T>(folder: string, use: (file: NewFile) => Promise<T>): Promise<T> {
  const file = await NewFile.open(folder).catch(refusedBy(folder));
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function changed(path: string): InputRefused {
  return new InputRefused(`${path} changed while it was being tagged; run again`);
}

function refusedBy(output: string): (thrown: unknown) => never {
  return (thrown) => {
    throw new DiskRefuses(output, asError(thrown));
  };
}
