import type { FileHandle } from 'node:fs/promises';
import { type ArchiveListing, listArchive } from '../study/archive.ts';
import type { PackageFault } from '../study/fault.ts';
import { beginWalk, nextParts, type Part } from '../study/package.ts';
import { readFully } from './file-bytes.ts';

/** What a walk over a package comes to: a part, how many entries there will be, or why it goes no further. */
export type PackageItem = { readonly part: Part } | { readonly fault: PackageFault };

/**
 * The parts of a package in a file, a ZIP archive or a multipart one, in their order. `onEntries` is told how
 * many an archive has, folders included. Rejects with what reading rejects.
 */
export async function* packageParts(
  file: FileHandle,
  bytes: number,
  onEntries: (entries: number) => void,
): AsyncGenerator<PackageItem> {
  let listing: ArchiveListing | undefined;
  const list = async (read: (start: number, end: number) => Promise<Uint8Array>, total: number) => {
    if (listing === undefined) {
      // What a transfer may have is not this one's business: an archive for years may be larger.
      listing = await listArchive(read, total, Number.MAX_SAFE_INTEGER);
      onEntries(listing.entries);
    }
    return listing;
  };
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const buffer = Buffer.allocUnsafe(end - start);
    return buffer.subarray(0, await readFully(file, buffer, start, end));
  };
  for (let walk = beginWalk(null); ; ) {
    const step = await nextParts(walk, read, bytes, bytes, list);
    for (const part of step.parts) yield { part };
    if (step.fault !== undefined) yield { fault: step.fault };
    if (step.state !== 'more') return;
    walk = step.walk;
  }
}
