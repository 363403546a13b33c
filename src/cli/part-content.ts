import type { FileHandle } from 'node:fs/promises';
import type { FileRange } from '../storage/storage.ts';
import type { Part } from '../study/package.ts';
import { ratioMax } from '../transfer/limits.ts';
import { Inflation, InflationFault } from '../work/inflation.ts';
import { PieceReader } from '../work/piece-reader.ts';
import { pieces } from './file-bytes.ts';

/** The bytes of one thing in a file: the file itself, a part of a package, or an entry of a ZIP inflated. */
export interface PartContent {
  readonly bytes: number;
  /** Where they lie; null when they have to be inflated first. */
  readonly ranges: readonly FileRange[] | null;
  /** As its archive has it; null where there is none. */
  readonly crc32: number | null;
  /** All bytes, as often as one likes; a chunk is valid until the next. Throws InflationFault. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** A stretch of a file as it lies there. `onBytes` is told of what is read. */
export function plainContent(
  file: FileHandle,
  range: FileRange,
  onBytes: (bytes: number) => void,
  crc32: number | null = null,
): PartContent {
  const { start, bytes } = range;
  return {
    bytes,
    ranges: [range],
    crc32,
    async *chunks() {
      for await (const piece of pieces(file, start, start + bytes)) {
        onBytes(piece.byteLength);
        yield piece;
      }
    },
  };
}

/** What a part of the package in `file` holds. */
export function partContent(
  path: string,
  file: FileHandle,
  part: Part,
  onBytes: (bytes: number) => void,
): PartContent {
  const { start, bytes: stored, entry } = part;
  const range = { path, start, bytes: stored };
  if (entry?.method !== 'deflated') return plainContent(file, range, onBytes, entry?.crc32 ?? null);
  return {
    bytes: entry.bytes,
    ranges: null,
    crc32: entry.crc32,
    async *chunks() {
      yield* inflatedChunks(range, entry.bytes);
      onBytes(stored);
    },
  };
}

/** The archive's word on the length is held against what comes, before more of it comes. */
async function* inflatedChunks(range: FileRange, bytes: number): AsyncGenerator<Uint8Array> {
  const reader = new PieceReader();
  let inflated = 0;
  try {
    const inflation = new Inflation(reader, [range]);
    for await (const chunk of inflation.inflated({ bytesMax: Number.MAX_SAFE_INTEGER, ratioMax })) {
      inflated += chunk.byteLength;
      if (inflated > bytes) break;
      yield chunk;
    }
  } finally {
    reader.close();
  }
  if (inflated !== bytes) {
    throw new InflationFault('MALFORMED', 0, 'the archive says another length than the entry has');
  }
}
