import { type Piece, pieceBytes, type Work } from './jobs.ts';
import { batchBytesMax, batchInstancesMax, singleTaskBytesMax } from './limits.ts';

/** Works that go to a worker together; or one that is too large for a task and becomes a chain. */
export interface Batch {
  readonly works: readonly Work[];
  readonly bytes: number;
  readonly chained: boolean;
}

/** Cuts a list of works into batches, in order: each up to 64 instances and 16 MiB, larger ones alone. */
export function* batches(works: Iterable<Work>): Generator<Batch> {
  let batch: Work[] = [];
  let bytes = 0;
  for (const work of works) {
    const fits = batch.length < batchInstancesMax && bytes + work.bytes <= batchBytesMax;
    if (!fits && batch.length > 0) {
      yield { works: batch, bytes, chained: bytes > singleTaskBytesMax };
      batch = [];
      bytes = 0;
    }
    batch.push(work);
    bytes += work.bytes;
  }
  if (batch.length > 0) yield { works: batch, bytes, chained: bytes > singleTaskBytesMax };
}

/** Cuts pieces into runs of at most `batchBytesMax` bytes, one for each task of a chain. */
export function* cut(pieces: Iterable<Piece>): Generator<Piece[]> {
  let run: Piece[] = [];
  let room = batchBytesMax;
  for (const piece of pieces) {
    const bytes = pieceBytes(piece);
    for (let at = 0; at < bytes; ) {
      const take = Math.min(bytes - at, room);
      run.push(part(piece, at, take));
      at += take;
      room -= take;
      if (room > 0) continue;
      yield run;
      run = [];
      room = batchBytesMax;
    }
  }
  if (run.length > 0) yield run;
}

function part(piece: Piece, at: number, bytes: number): Piece {
  if (piece instanceof Uint8Array) return piece.subarray(at, at + bytes);
  return { path: piece.path, start: piece.start + at, bytes };
}
