import type { Edit } from '../dicom/edit.ts';
import type { FileRange } from '../storage/storage.ts';
import { type Piece, pieceBytes, type Work } from './jobs.ts';

/** Stored bytes as they are. */
export function stored(ranges: readonly FileRange[]): Work {
  return { bytes: ranges.reduce((sum, { bytes }) => sum + bytes, 0), pieces: ranges };
}

/**
 * Stored bytes with edits done to them.
 *
 * @param edits ascending and not overlapping; RangeError when they are not, or reach behind the bytes
 */
export function patched(ranges: readonly FileRange[], edits: readonly Edit[]): Work {
  const pieces: Piece[] = [];
  let at = 0;
  for (const edit of edits) {
    if (edit.at < at || edit.remove < 0) throw new RangeError('edits overlap or are out of order');
    pieces.push(...between(ranges, at, edit.at));
    // A copy of its own: a view would take all of the buffer below it along to the worker.
    if (edit.insert.byteLength > 0) pieces.push(new Uint8Array(edit.insert));
    at = edit.at + edit.remove;
  }
  const { bytes } = stored(ranges);
  if (at > bytes) throw new RangeError('an edit reaches behind the end of its instance');
  pieces.push(...between(ranges, at, bytes));
  return { bytes: pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0), pieces };
}

/** The part [from, to) of ranges laid end to end. */
function between(ranges: readonly FileRange[], from: number, to: number): FileRange[] {
  const found: FileRange[] = [];
  let at = 0;
  for (const { path, start, bytes } of ranges) {
    const low = Math.max(from, at);
    const high = Math.min(to, at + bytes);
    if (low < high) found.push({ path, start: start + low - at, bytes: high - low });
    at += bytes;
  }
  return found;
}
