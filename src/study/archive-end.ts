import { PackageBroken } from './fault.ts';
import { archiveDirectoryBytesMax, archiveEntriesMax } from './limits.ts';
import type { Peek } from './peek.ts';

/** Where the central directory of an archive lies, and of how many entries it tells. */
export interface ArchiveEnd {
  readonly entries: number;
  readonly directoryStart: number;
  readonly directoryEnd: number;
}

const END_BYTES = 22;
const COMMENT_BYTES_MAX = 0xffff;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;

/**
 * Reads the end of a whole archive (APPNOTE 4.3.14 to 4.3.16), so strictly that every reader has to see the same
 * directory: there is one end, the directory lies right before it, and ZIP64 contradicts nothing.
 *
 * @throws PackageBroken for anything else, for an archive without an entry, and for what is over a limit
 */
export async function readEnd(peek: Peek): Promise<ArchiveEnd> {
  const total = peek.published;
  const bytes = Math.min(total, LOCATOR_BYTES + END_BYTES + COMMENT_BYTES_MAX);
  const base = total - bytes;
  const tail = asBuffer(await peek.at(base, bytes, bytes));
  const found = endIn(tail, total);
  const end = await end64(peek, tail, found, base);
  const { entries, directoryStart, directoryEnd, at } = end;
  if (end.disks) throw new PackageBroken('UNSUPPORTED', at, 'the archive is spread over several disks');
  if (directoryStart + end.directoryBytes !== directoryEnd) {
    throw new PackageBroken('MALFORMED', at, 'the directory of the archive does not lie where its end says');
  }
  if (entries === 0) throw new PackageBroken('EMPTY', at, 'the archive is empty');
  if (entries > archiveEntriesMax) {
    const reason = `the archive has more than ${archiveEntriesMax.toString()} entries`;
    throw new PackageBroken('TOO_LARGE', at, reason);
  }
  if (end.directoryBytes > archiveDirectoryBytesMax) {
    const reason = `the directory of the archive is larger than ${(archiveDirectoryBytesMax / 1024 ** 2).toString()} MiB`;
    throw new PackageBroken('TOO_LARGE', at, reason);
  }
  return { entries, directoryStart, directoryEnd };
}

/** Where in the tail the one end is that reaches the last byte with its comment. */
function endIn(tail: Buffer, total: number): number {
  const signature = Buffer.from('PK\x05\x06');
  const ends: number[] = [];
  let cut = true;
  let at = tail.lastIndexOf(signature);
  while (at >= 0) {
    const over =
      at + END_BYTES > tail.byteLength ? 1 : at + END_BYTES + tail.readUInt16LE(at + 20) - tail.byteLength;
    if (over === 0) ends.push(at);
    if (over < 0) cut = false;
    at = at === 0 ? -1 : tail.lastIndexOf(signature, at - 1);
  }
  const [end, other] = ends;
  if (other !== undefined) {
    throw new PackageBroken('MALFORMED', total, 'the archive has two ends, and so two contents');
  }
  if (end !== undefined) return end;
  if (cut) throw new PackageBroken('TRUNCATED', total, 'the upload ends before its archive does');
  throw new PackageBroken('MALFORMED', total, 'more follows behind the end of the archive');
}

interface End extends ArchiveEnd {
  readonly at: number;
  readonly directoryBytes: number;
  readonly disks: boolean;
}

/** What the end says; with the record of ZIP64, that. A field which has no need of ZIP64 has to say the same. */
async function end64(peek: Peek, tail: Buffer, found: number, base: number): Promise<End> {
  const at = base + found;
  const short = {
    entries: tail.readUInt16LE(found + 10),
    directoryBytes: tail.readUInt32LE(found + 12),
    directoryStart: tail.readUInt32LE(found + 16),
  };
  const disks = [tail.readUInt16LE(found + 4), tail.readUInt16LE(found + 6)];
  const here = tail.readUInt16LE(found + 8);
  const locator = found - LOCATOR_BYTES;
  if (locator < 0 || tail.readUInt32LE(locator) !== LOCATOR) {
    const spread = disks.some((disk) => disk !== 0) || here !== short.entries;
    return { ...short, at, directoryEnd: at, disks: spread };
  }
  const start = Number(tail.readBigUInt64LE(locator + 8));
  if (start + END64_BYTES > base + locator) throw contradiction(at);
  const record = asBuffer(await peek.at(start, END64_BYTES, END64_BYTES));
  const long = {
    entries: Number(record.readBigUInt64LE(32)),
    directoryBytes: Number(record.readBigUInt64LE(40)),
    directoryStart: Number(record.readBigUInt64LE(48)),
  };
  const agrees =
    record.readUInt32LE(0) === END64 &&
    start + 12 + Number(record.readBigUInt64LE(4)) === base + locator &&
    (short.entries === 0xffff || short.entries === long.entries) &&
    (short.directoryBytes === 0xffffffff || short.directoryBytes === long.directoryBytes) &&
    (short.directoryStart === 0xffffffff || short.directoryStart === long.directoryStart);
  if (!agrees) throw contradiction(at);
  const spread =
    disks.some((disk) => disk !== 0 && disk !== 0xffff) ||
    tail.readUInt32LE(locator + 4) !== 0 ||
    tail.readUInt32LE(locator + 16) > 1 ||
    record.readUInt32LE(16) !== 0 ||
    record.readUInt32LE(20) !== 0 ||
    Number(record.readBigUInt64LE(24)) !== long.entries;
  return { ...long, at, directoryEnd: start, disks: spread };
}

function contradiction(at: number): PackageBroken {
  return new PackageBroken('MALFORMED', at, 'the end of the archive contradicts its ZIP64 record');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
