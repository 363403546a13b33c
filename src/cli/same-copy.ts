import { lstat, open } from 'node:fs/promises';
import type { FileRange } from '../storage/storage.ts';
import type { Segment } from '../study/composing.ts';
import { pieces } from './file-bytes.ts';

/** A stretch of a file. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Where a composed copy says when it was made: another run says another time, and means the same copy. */
export function recordedTimes(
  segments: readonly Segment<FileRange>[],
  modifiedAt: string | undefined,
): Stretch[] {
  const times: Stretch[] = [];
  let at = 0;
  for (const segment of segments) {
    if (modifiedAt !== undefined && segment.from === 'insert') {
      const found = Buffer.from(segment.insert).indexOf(modifiedAt, 0, 'latin1');
      if (found >= 0) times.push({ from: at + found, to: at + found + modifiedAt.length });
    }
    at += segment.bytes;
  }
  return times;
}

/** Whether `path` holds what `other` does, byte for byte but for `times`. */
export async function isSameCopy(path: string, other: string, times: readonly Stretch[]): Promise<boolean> {
  const [facts, { size }] = [await lstat(path), await lstat(other)];
  if (!facts.isFile() || facts.size !== size) return false;
  const files = [await open(path, 'r'), await open(other, 'r')] as const;
  try {
    const theirs = pieces(files[1], 0, size);
    let at = 0;
    for await (const piece of pieces(files[0], 0, size)) {
      const { value } = await theirs.next();
      if (value === undefined) return false;
      for (const { from, to } of times) {
        if (to > at && from < at + piece.byteLength) blank([piece, value], from - at, to - at);
      }
      if (Buffer.compare(piece, value) !== 0) return false;
      at += piece.byteLength;
    }
    return true;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

function blank(both: readonly Uint8Array[], from: number, to: number): void {
  for (const piece of both) piece.fill(0, Math.max(0, from), to);
}
