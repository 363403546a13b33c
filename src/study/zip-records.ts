import { Buffer } from 'node:buffer';

/** What decides how long the headers of an entry are. */
export interface EntrySize {
  readonly nameBytes: number;
  readonly bytes: number;
}

/** One entry of an archive. */
export interface ZipEntry {
  /** With `/` between folders; plain ASCII. */
  readonly name: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** Names are UTF-8 (APPNOTE 4.4.4, bit 11). Sizes stand in the header, so no data descriptor follows. */
const flags = 0x0800;
const stored = 0;
/** Version 2.0, and 4.5 for who has to read ZIP64 (4.4.3); the upper byte says that Unix made it (4.4.2). */
const plainVersion = 20;
const zip64Version = 45;
const unix = 3 << 8;
/** A file that only its owner reads and writes, in the upper half as Unix has it. */
const attributes = 0o100600 * 0x1_0000;

/** What does not fit into 16 or 32 bits says so with all bits set, and stands in a ZIP64 field (4.5.3). */
const max16 = 0xffff;
const max32 = 0xffff_ffff;
const zip64Id = 0x0001;

const isLarge = (bytes: number): boolean => bytes >= max32;

/** Date and time as MS-DOS has them (4.4.6), two seconds exact, in UTC: the same on every machine. */
export function dosTimeOf(at: number): number {
  const time = new Date(at);
  // DOS knows 1980 to 2107.
  const year = Math.min(Math.max(time.getUTCFullYear(), 1980), 2107);
  const date = ((year - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  return date * 0x1_0000 + clock;
}

export function localHeaderBytes({ nameBytes, bytes }: EntrySize): number {
  return 30 + nameBytes + (isLarge(bytes) ? 20 : 0);
}

/** APPNOTE 4.3.7. */
export function localHeader(entry: ZipEntry, dosTime: number): Buffer {
  const { name, bytes, crc32 } = entry;
  const isZip64 = isLarge(bytes);
  const header = Buffer.alloc(localHeaderBytes({ nameBytes: name.length, bytes }));
  const size = isZip64 ? max32 : bytes;
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(isZip64 ? zip64Version : plainVersion, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(stored, 8);
  header.writeUInt32LE(dosTime, 10);
  header.writeUInt32LE(crc32, 14);
  header.writeUInt32LE(size, 18);
  header.writeUInt32LE(size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(isZip64 ? 20 : 0, 28);
  header.write(name, 30, 'latin1');
  // In a local header both sizes or none (4.5.3).
  if (isZip64) writeZip64(header, 30 + name.length, [bytes, bytes]);
  return header;
}

export function centralEntryBytes({ nameBytes, bytes }: EntrySize, offset: number): number {
  return 46 + nameBytes + zip64Bytes(centralZip64(bytes, offset));
}

/** APPNOTE 4.3.12; `offset` is where the entry's local header begins. */
export function centralEntry(entry: ZipEntry, offset: number, dosTime: number): Buffer {
  const { name, bytes, crc32 } = entry;
  const wide = centralZip64(bytes, offset);
  const record = Buffer.alloc(centralEntryBytes({ nameBytes: name.length, bytes }, offset));
  const version = wide.length > 0 ? zip64Version : plainVersion;
  const size = isLarge(bytes) ? max32 : bytes;
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(unix | version, 4);
  record.writeUInt16LE(version, 6);
  record.writeUInt16LE(flags, 8);
  record.writeUInt16LE(stored, 10);
  record.writeUInt32LE(dosTime, 12);
  record.writeUInt32LE(crc32, 16);
  record.writeUInt32LE(size, 20);
  record.writeUInt32LE(size, 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(zip64Bytes(wide), 30);
  record.writeUInt32LE(attributes, 38);
  record.writeUInt32LE(Math.min(offset, max32), 42);
  record.write(name, 46, 'latin1');
  if (wide.length > 0) writeZip64(record, 46 + name.length, wide);
  return record;
}

/** Behind the last entry of the central directory: 4.3.14 to 4.3.16, the first two only where they are needed. */
export function zipEnd(directory: { count: number; offset: number; bytes: number }): Buffer {
  const { count, offset, bytes } = directory;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, max16), 8);
  end.writeUInt16LE(Math.min(count, max16), 10);
  end.writeUInt32LE(Math.min(bytes, max32), 12);
  end.writeUInt32LE(Math.min(offset, max32), 16);
  if (count < max16 && bytes < max32 && offset < max32) return end;
  const wide = Buffer.alloc(56);
  wide.writeUInt32LE(0x06064b50, 0);
  writeUInt64(wide, 44, 4);
  wide.writeUInt16LE(unix | zip64Version, 12);
  wide.writeUInt16LE(zip64Version, 14);
  writeUInt64(wide, count, 24);
  writeUInt64(wide, count, 32);
  writeUInt64(wide, bytes, 40);
  writeUInt64(wide, offset, 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  writeUInt64(locator, offset + bytes, 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([wide, locator, end]);
}

/** Of the central directory only what does not fit, in this order (4.5.3). */
function centralZip64(bytes: number, offset: number): number[] {
  return [...(isLarge(bytes) ? [bytes, bytes] : []), ...(offset >= max32 ? [offset] : [])];
}

function zip64Bytes(values: readonly number[]): number {
  return values.length === 0 ? 0 : 4 + 8 * values.length;
}

function writeZip64(into: Buffer, at: number, values: readonly number[]): void {
  into.writeUInt16LE(zip64Id, at);
  into.writeUInt16LE(8 * values.length, at + 2);
  for (const [index, value] of values.entries()) writeUInt64(into, value, at + 4 + 8 * index);
}

function writeUInt64(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % 2 ** 32, at);
  into.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}
