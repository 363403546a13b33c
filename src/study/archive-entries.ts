import { isUtf8 } from 'node:buffer';
import { constants, inflateRawSync } from 'node:zlib';
import { type Entry, getFileNameLowLevel, type LocalFileHeader, parseExtraFields } from 'yauzl';
import { type ArchiveListing, LOCAL_HEADER_BYTES } from './archive.ts';
import { methodOf, openArchive, UNREADABLE } from './archive-bytes.ts';
import { classify } from './classify.ts';
import { PackageBroken } from './fault.ts';
import {
  directoryReadBytes,
  entryExtraBytes,
  entryNameBytesMax,
  entryPeekBytes,
  entryStartBytes,
} from './limits.ts';
import { DICOM } from './multipart.ts';
import { Peek, type ReadRange } from './peek.ts';
import type { Part, ZipEntry } from './walk.ts';

/** APPNOTE 4.4.4, bit 3: sizes and CRC may stand behind the data. */
const STREAMED = 0x0008;
const UTF8 = 0x0800;
const ZIP64_EXTRA = 0x0001;
const IN_ZIP64 = 0xffffffff;
const OCTETS = 'application/octet-stream';
/** RFC 1951: a last block that holds nothing. */
const DEFLATED_NOTHING_BYTES = 2;

/** The entries of one archive, looked at in the order of its directory. */
export class ArchiveEntries {
  readonly #listing: ArchiveListing;
  readonly #read: ReadRange;
  readonly #directory: Peek;

  constructor(listing: ArchiveListing, read: ReadRange) {
    this.#listing = listing;
    this.#read = read;
    this.#directory = new Peek(read, listing.end.directoryEnd);
  }

  get count(): number {
    return this.#listing.entries;
  }

  /**
   * At most `most` entries from number `from` on: is each where the directory has it, and what is it?
   * Undefined for a folder. Each settles for itself, so that those before a wrong one count.
   */
  async look(from: number, most: number): Promise<PromiseSettledResult<Part | undefined>[]> {
    const record = this.#listing.recordOf(from);
    const count = Math.min(most, this.count - from);
    const { zip, broken } = openArchive(this.#directory, directoryReadBytes, record, count);
    const entries: Entry[] = [];
    try {
      for await (const entry of zip.eachEntry()) entries.push(entry);
    } catch (thrown) {
      throw broken(thrown, record);
    }
    return Promise.allSettled(entries.map((entry) => readEntry(entry, this.#listing, this.#read)));
  }
}

async function readEntry(entry: Entry, listing: ArchiveListing, read: ReadRange): Promise<Part | undefined> {
  const { relativeOffsetOfLocalHeader: at, uncompressedSize, compressedSize, crc32 } = entry;
  const name = nameOf(entry);
  // What says that it is a folder and holds data is looked at like any other: it must not get lost.
  if (name.endsWith('/') && uncompressedSize === 0 && compressedSize <= DEFLATED_NOTHING_BYTES)
    return undefined;
  const peek = new Peek(read, listing.limitOf(at));
  const ahead = LOCAL_HEADER_BYTES + entry.fileNameLength + entryExtraBytes + entryPeekBytes;
  const { zip, broken } = openArchive(peek, ahead, 0, 0);
  let header: LocalFileHeader;
  try {
    header = await zip.readLocalFileHeaderPromise(entry);
  } catch (thrown) {
    throw broken(thrown, at);
  }
  if (!isSame(entry, header)) throw contradiction(at);
  const start = header.fileDataStart;
  const method = methodOf(entry);
  const peekBytes = Math.min(compressedSize, entryPeekBytes);
  const data = await peek.at(start, peekBytes, peekBytes);
  const content = method === 'stored' ? data : inflatedStart(data);
  if (content !== undefined && content.byteLength > uncompressedSize) throw contradiction(at);
  const zipEntry: ZipEntry = { method, bytes: uncompressedSize, crc32, name };
  const part = { start, bytes: compressedSize, origin: 'zip', entry: zipEntry } as const;
  const found = classify(name, uncompressedSize, content?.subarray(0, entryStartBytes));
  switch (found.kind) {
    case 'instance':
      return { ...part, contentType: DICOM, kind: 'instance', why: null };
    case 'report':
      return { ...part, contentType: found.contentType, kind: 'report', why: null };
    case 'set-aside':
      return { ...part, contentType: OCTETS, kind: 'set-aside', why: found.why };
  }
}

/** What the first bytes inflate to; undefined when they are no deflate stream. */
function inflatedStart(data: Uint8Array): Uint8Array | undefined {
  try {
    return inflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return undefined;
  }
}

/**
 * True when the local header (APPNOTE 4.3.7) says what the directory says: one reader goes by the one,
 * another by the other, and both have to see the same instance.
 */
function isSame(entry: Entry, header: LocalFileHeader): boolean {
  if (
    header.compressionMethod !== entry.compressionMethod ||
    !header.fileName.equals(entry.fileNameRaw) ||
    ((header.generalPurposeBitFlag ^ entry.generalPurposeBitFlag) & UNREADABLE) !== 0
  ) {
    return false;
  }
  const streamed = (header.generalPurposeBitFlag & STREAMED) !== 0;
  const [bytes, compressed] = sizesOf(header);
  const agrees = (local: number, central: number): boolean => local === central || (streamed && local === 0);
  return (
    agrees(bytes, entry.uncompressedSize) &&
    agrees(compressed, entry.compressedSize) &&
    agrees(header.crc32, entry.crc32)
  );
}

/** The sizes of a local header, from its ZIP64 field where they are there (APPNOTE 4.5.3). */
function sizesOf({ uncompressedSize, compressedSize, extraField }: LocalFileHeader): [number, number] {
  if (uncompressedSize !== IN_ZIP64 && compressedSize !== IN_ZIP64) return [uncompressedSize, compressedSize];
  const data = extraOf(extraField, ZIP64_EXTRA);
  const sizes: number[] = [];
  for (let at = 0; at + 8 <= Math.min(data.byteLength, 16); at += 8)
    sizes.push(Number(data.readBigUInt64LE(at)));
  return [
    uncompressedSize === IN_ZIP64 ? (sizes.shift() ?? 0) : uncompressedSize,
    compressedSize === IN_ZIP64 ? (sizes.shift() ?? 0) : compressedSize,
  ];
}

function extraOf(fields: Buffer, id: number): Buffer {
  try {
    return parseExtraFields(fields).find((field) => field.id === id)?.data ?? Buffer.alloc(0);
  } catch {
    return Buffer.alloc(0);
  }
}

/**
 * The name as its writer meant it, with `/` between folders. Without the flag for UTF-8 it should be code
 * page 437; macOS writes UTF-8 all the same.
 */
function nameOf({ generalPurposeBitFlag, fileNameRaw, extraFields }: Entry): string {
  const flags = isUtf8(fileNameRaw) ? generalPurposeBitFlag | UTF8 : generalPurposeBitFlag;
  return getFileNameLowLevel(flags, fileNameRaw, extraFields, false).slice(0, entryNameBytesMax);
}

function contradiction(at: number): PackageBroken {
  return new PackageBroken('MALFORMED', at, 'an entry of the archive contradicts its directory');
}
