import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { Edit } from '../dicom/edit.ts';
import { asError } from '../ops/error.ts';
import { DiskRefuses, InputRefused } from './errors.ts';
import { pieces } from './file-bytes.ts';
import type { Inspection } from './inspection.ts';

/**
 * Writes `output` as the inspected file with the edits spliced in: every byte outside of them is the
 * file's own. Appears whole or not at all, by way of `output`.part. `onBytes` counts what was read.
 *
 * @throws InputRefused when the file is not the one that was inspected, DiskRefuses when `output` cannot be written
 */
export async function writeTagged(
  source: Inspection,
  edits: readonly Edit[],
  output: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const part = `${output}.part`;
  const from = await open(source.path, 'r').catch((thrown: unknown) => {
    throw new InputRefused(`${source.path} cannot be read: ${asError(thrown).message}`, { cause: thrown });
  });
  try {
    const to = await open(part, 'w').catch(refusedBy(output));
    try {
      await splice(from, to, source.bytes, edits, onBytes).catch(refusedBy(output));
    } finally {
      await to.close();
    }
    const { size, mtimeMs } = await from.stat();
    if (size !== source.bytes || mtimeMs !== source.mtimeMs) {
      throw new InputRefused(`${source.path} changed while it was being tagged; run again`);
    }
    await rename(part, output).catch(refusedBy(output));
  } catch (thrown) {
    await rm(part, { force: true });
    throw thrown;
  } finally {
    await from.close();
  }
}

async function splice(
  from: FileHandle,
  to: FileHandle,
  bytes: number,
  edits: readonly Edit[],
  onBytes: (bytes: number) => void,
): Promise<void> {
  let read = 0;
  const copyTo = async (end: number): Promise<void> => {
    for await (const piece of pieces(from, read, end)) {
      await to.writeFile(piece);
      onBytes(piece.length);
    }
  };
  for (const { at, remove, insert } of edits) {
    await copyTo(at);
    await to.writeFile(insert);
    read = at + remove;
  }
  await copyTo(bytes);
}

function refusedBy(output: string): (thrown: unknown) => never {
  return (thrown) => {
    throw new DiskRefuses(output, asError(thrown));
  };
}
