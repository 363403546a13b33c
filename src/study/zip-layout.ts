import { Buffer } from 'node:buffer';
import { checkBytes, type Layout, type Piece, type Run, runsOf } from './layout.ts';
import { centralEntriesPerFrame } from './limits.ts';
import {
  centralEntry,
  centralEntryBytes,
  dosTimeOf,
  type EntrySize,
  localHeader,
  localHeaderBytes,
  type ZipEntry,
  zipEnd,
} from './zip-records.ts';

/** The entries of an archive, asked for by their index; each answers always the same. */
export interface ZipEntries {
  /** With `/` between folders; plain ASCII. */
  nameOf(index: number): string;
  /** Its length alone, which all of them are asked for when an archive is laid out. */
  nameBytesOf(index: number): number;
  bytesOf(index: number): number;
  crc32Of(index: number): number;
}

/**
 * Where everything lies in a ZIP archive whose entries are stored as they are: local headers with the real
 * CRC-32 and sizes before each entry's data, the central directory behind the last, and its end. Every byte
 * follows from the entries, so that any range is the same bytes at any time.
 *
 * One number is kept an entry; headers are made where a reader gets to them.
 */
export class ZipLayout implements Layout {
  readonly count: number;
  readonly total: number;
  readonly #entries: ZipEntries;
  readonly #dosTime: number;
  /** Where each entry begins, then each run of the central directory, then its end, and behind that nothing. */
  readonly #starts: Float64Array;

  /**
   * @param at what the archive says of when its entries were made, in ms since 1970; shown in UTC
   */
  constructor(count: number, entries: ZipEntries, at: number) {
    this.count = count;
    this.#entries = entries;
    this.#dosTime = dosTimeOf(at);
    const frames = Math.ceil(count / centralEntriesPerFrame);
    this.#starts = new Float64Array(count + frames + 2);
    const central = new Float64Array(frames);
    let offset = 0;
    for (let index = 0; index < count; index += 1) {
      const size = this.#sizeOf(index);
      checkBytes(index, size.bytes);
      this.#starts[index] = offset;
      const frame = Math.floor(index / centralEntriesPerFrame);
      central[frame] = (central[frame] ?? 0) + centralEntryBytes(size, offset);
      offset += localHeaderBytes(size) + size.bytes;
    }
    for (const [frame, bytes] of central.entries()) {
      this.#starts[count + frame] = offset;
      offset += bytes;
    }
    this.#starts[count + frames] = offset;
    this.total = offset + this.#end().byteLength;
    this.#starts[count + frames + 1] = this.total;
  }

  dataAt(index: number): number {
    const start = index < this.count ? this.#starts[index] : undefined;
    if (start === undefined) throw new RangeError(`there is no part ${index.toString()}`);
    return start + localHeaderBytes(this.#sizeOf(index));
  }

  runs(start: number, end: number): Generator<Run> {
    return runsOf(
      this.#starts,
      (block) => ({ index: Math.min(block, this.count), pieces: this.#pieces(block) }),
      start,
      end,
    );
  }

  #sizeOf(index: number): EntrySize {
    return { nameBytes: this.#entries.nameBytesOf(index), bytes: this.#entries.bytesOf(index) };
  }

  #entryOf(index: number): ZipEntry {
    return {
      name: this.#entries.nameOf(index),
      bytes: this.#entries.bytesOf(index),
      crc32: this.#entries.crc32Of(index),
    };
  }

  #pieces(block: number): Piece[] {
    if (block < this.count) {
      const entry = this.#entryOf(block);
      return [framed(localHeader(entry, this.#dosTime)), ['data', '', entry.bytes]];
    }
    return [framed(block === this.#starts.length - 2 ? this.#end() : this.#central(block - this.count))];
  }

  #central(frame: number): Buffer {
    const from = frame * centralEntriesPerFrame;
    const to = Math.min(from + centralEntriesPerFrame, this.count);
    const entries: Buffer[] = [];
    for (let index = from; index < to; index += 1) {
      entries.push(centralEntry(this.#entryOf(index), this.#starts[index] ?? 0, this.#dosTime));
    }
    return Buffer.concat(entries);
  }

  #end(): Buffer {
    const offset = this.#starts[this.count] ?? 0;
    const bytes = (this.#starts[this.#starts.length - 2] ?? 0) - offset;
    return zipEnd({ count: this.count, offset, bytes });
  }
}

function framed(bytes: Buffer): Piece {
  return ['frame', bytes.toString('latin1'), bytes.byteLength];
}
