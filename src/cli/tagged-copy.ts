import { randomUUID } from 'node:crypto';
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Edit } from '../dicom/edit.ts';
import { asError } from '../ops/error.ts';
import { DiskRefuses, InputRefused } from './errors.ts';
import { pieces } from './file-bytes.ts';
import type { Inspection } from './inspection.ts';
import type { OutputNames } from './output-names.ts';

/** Of memory sticks and some shares. */
const noHardLinks: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Writes a copy of the inspected file with the edits spliced in: every byte outside of them is the file's
 * own. Appears whole or not at all, under the first of its names that is free: what is there is never
 * replaced, and when it is this very copy, from an earlier run, it counts as written. Resolves with its
 * path. `onBytes` counts what was read.
 *
 * @throws InputRefused when the file is not the one that was inspected, DiskRefuses when the copy cannot be written
 */
export async function writeTagged(
  source: Inspection,
  edits: readonly Edit[],
  names: OutputNames,
  onBytes: (bytes: number) => void,
): Promise<string> {
  // A name of nobody's choosing, so that this replaces nothing either; hidden, so that what a kill leaves is never sent.
  const part = join(names.folder, `.${randomUUID()}.part`);
  const from = await open(source.path, 'r').catch((thrown: unknown) => {
    throw new InputRefused(`${source.path} cannot be read: ${asError(thrown).message}`, { cause: thrown });
  });
  try {
    const to = await open(part, 'wx', 0o600).catch(refusedBy(names.folder));
    try {
      await splice(from, to, source.bytes, edits, onBytes).catch(refusedBy(names.folder));
    } finally {
      await to.close();
    }
    const { size, mtimeMs } = await from.stat();
    if (size !== source.bytes || mtimeMs !== source.mtimeMs) {
      throw new InputRefused(`${source.path} changed while it was being tagged; run again`);
    }
    return await names.give(source.path, (output) => gets(output, part).catch(refusedBy(names.folder)));
  } finally {
    await rm(part, { force: true });
    await from.close();
  }
}

/** Whether `output` is now the whole copy in `part`, or was the same before. */
async function gets(output: string, part: string): Promise<boolean> {
  try {
    await link(part, output).catch(async (thrown: NodeJS.ErrnoException) => {
      if (!noHardLinks.has(thrown.code)) throw thrown;
      // What is replaced is then the empty file that took the name just before, and nothing else.
      await (await open(output, 'wx', 0o600)).close();
      await rename(part, output);
    });
    return true;
  } catch (thrown) {
    const error: NodeJS.ErrnoException = asError(thrown);
    if (error.code !== 'EEXIST') throw error;
    return await areEqual(output, part);
  }
}

async function areEqual(path: string, other: string): Promise<boolean> {
  const [facts, { size }] = [await lstat(path), await lstat(other)];
  if (!facts.isFile() || facts.size !== size) return false;
  const files = [await open(path, 'r'), await open(other, 'r')] as const;
  try {
    const theirs = pieces(files[1], 0, size);
    for await (const piece of pieces(files[0], 0, size)) {
      const { value } = await theirs.next();
      if (value === undefined || Buffer.compare(piece, value) !== 0) return false;
    }
    return true;
  } finally {
    await Promise.all(files.map((file) => file.close()));
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
