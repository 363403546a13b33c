import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Entry } from 'yauzl';
import { methodOf, openArchive } from './archive-bytes.ts';
import { type ArchiveEnd, readEnd } from './archive-end.ts';
import { PackageBroken } from './fault.ts';
import {
  archiveBytesMax,
  directoryReadBytes,
  entriesPerTurn,
  entryNameBytesMax,
  inflationFreeBytes,
  inflationMax,
  listedEntriesMax,
  listingsMax,
  partBytesMax,
} from './limits.ts';
import { Peek, type ReadRange } from './peek.ts';

/** Bytes of a local header without its name (APPNOTE 4.3.7). */
export const LOCAL_HEADER_BYTES = 30;

/** Bytes of a record of the directory without name, fields and comment (APPNOTE 4.3.12). */
const RECORD_BYTES = 46;

/** Where the entries of an archive are, in the order of its central directory. Twelve bytes each. */
export class ArchiveListing {
  readonly end: ArchiveEnd;
  /** Where each one's record begins, in the directory. */
  readonly #records: Uint32Array;
  /** Where their data begins, sorted. */
  readonly #starts: Float64Array;

  constructor(end: ArchiveEnd, records: Uint32Array, starts: Float64Array) {
    this.end = end;
    this.#records = records;
    this.#starts = starts;
  }

  get entries(): number {
    return this.end.entries;
  }

  /** The offset in the upload of the record of an entry. */
  recordOf(entry: number): number {
    return this.end.directoryStart + (this.#records[entry] ?? 0);
  }

  /** Where at the latest an entry has ended that begins at `start`: the next one's first byte, or the directory's. */
  limitOf(start: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    return this.#starts[low] ?? this.end.directoryStart;
  }
}

/**
 * Reads the central directory of a whole archive (APPNOTE 4.3.12), and refuses at once what would be found
 * too late: more than can be taken, entries that share bytes, and what only one of two readers would see.
 *
 * @param bytesMax what all entries may inflate to
 * @throws PackageBroken, and what `read` throws
 */
export async function listArchive(
  read: ReadRange,
  total: number,
  bytesMax: number = archiveBytesMax,
): Promise<ArchiveListing> {
  const end = await readEnd(new Peek(read, total));
  const { entries, directoryStart, directoryEnd } = end;
  const records = new Uint32Array(entries);
  const starts = new Float64Array(entries);
  const least = new Float64Array(entries);
  const { zip, broken } = openArchive(
    new Peek(read, directoryEnd),
    directoryReadBytes,
    directoryStart,
    entries,
  );
  const sizes = new Sizes(bytesMax, total);
  let record = directoryStart;
  let at = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      sizes.add(entry);
      records[at] = record - directoryStart;
      starts[at] = entry.relativeOffsetOfLocalHeader;
      least[at] = LOCAL_HEADER_BYTES + entry.fileNameLength + entry.compressedSize;
      record += RECORD_BYTES + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
      at += 1;
      if (at % entriesPerTurn === 0) await nextTurn();
    }
  } catch (thrown) {
    throw broken(thrown, record);
  }
  if (record !== directoryEnd) {
    throw new PackageBroken(
      'MALFORMED',
      record,
      'the directory of the archive has more entries than it says',
    );
  }
  const sorted = starts.slice().sort();
  const twice = sorted.findIndex((start, index) => start === sorted[index + 1]);
  if (twice >= 0) throw overlap(sorted[twice] ?? 0);
  const listing = new ArchiveListing(end, records, sorted);
  for (const [index, start] of starts.entries()) {
    if (start + (least[index] ?? 0) > listing.limitOf(start)) throw overlap(start);
  }
  return listing;
}

function overlap(at: number): PackageBroken {
  return new PackageBroken('MALFORMED', at, 'entries of the archive share bytes, or lie outside of it');
}

/** What the entries come to, each and together. */
class Sizes {
  readonly #bytesMax: number;
  readonly #total: number;
  #bytes = 0;

  constructor(bytesMax: number, total: number) {
    this.#bytesMax = bytesMax;
    this.#total = total;
  }

  add(entry: Entry): void {
    const { relativeOffsetOfLocalHeader: at, compressedSize, uncompressedSize: bytes } = entry;
    methodOf(entry);
    const refuse = (reason: string): never => {
      throw new PackageBroken('TOO_LARGE', at, reason);
    };
    if (entry.fileNameLength > entryNameBytesMax) {
      refuse(`an entry of the archive has a name above ${entryNameBytesMax.toString()} bytes`);
    }
    if (bytes > partBytesMax) {
      refuse(`an entry of the archive is larger than ${(partBytesMax / 1024 ** 3).toString()} GiB`);
    }
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) {
      refuse(`the archive inflates to more than the ${this.#bytesMax.toString()} bytes of a transfer`);
    }
    if (isBomb(bytes, compressedSize) || isBomb(this.#bytes, this.#total)) {
      refuse(`the archive inflates to more than ${inflationMax.toString()} times its size`);
    }
  }
}

function isBomb(bytes: number, compressed: number): boolean {
  return bytes > inflationFreeBytes && bytes > compressed * inflationMax;
}

/** Lists the archive that an upload is. */
export type ListArchive = (read: ReadRange, total: number) => Promise<ArchiveListing>;

/**
 * The listings of archives that are being walked over, so that not every step reads the directory again.
 * One that is not here any more, or after a restart, is made again and is the same.
 */
export class ArchiveListings {
  readonly #bytesMax: number | undefined;
  /** Those used last behind. */
  readonly #listings = new Map<string, ArchiveListing>();
  #entries = 0;

  /** @param bytesMax what an archive may inflate to: what a transfer may have */
  constructor(bytesMax?: number) {
    this.#bytesMax = bytesMax;
  }

  /** For nextParts, on the walk over this upload. */
  of(upload: string): ListArchive {
    return async (read, total) => {
      const known = this.#listings.get(upload);
      const listing = known ?? (await listArchive(read, total, this.#bytesMax));
      this.drop(upload);
      this.#listings.set(upload, listing);
      this.#entries += listing.entries;
      this.#shrink();
      return listing;
    };
  }

  /** Nothing of this upload is walked over any more. */
  drop(upload: string): void {
    this.#entries -= this.#listings.get(upload)?.entries ?? 0;
    this.#listings.delete(upload);
  }

  /** Archives of which a listing is kept: a gauge. */
  get size(): number {
    return this.#listings.size;
  }

  #shrink(): void {
    for (const oldest of this.#listings.keys()) {
      if (this.#entries <= listedEntriesMax && this.#listings.size <= listingsMax) return;
      this.drop(oldest);
    }
  }
}
