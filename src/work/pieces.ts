import type { FileRange } from '../storage/storage.ts';
import { type Piece, pieceBytes, type Work } from './jobs.ts';

/** Pieces as work for one task or chain. */
export function workOf(pieces: readonly Piece[]): Work {
  return { bytes: pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0), pieces };
}

/** The same, with inserted bytes as copies of their own: a view would take all of the buffer below it to the worker. */
export function ownWorkOf(pieces: readonly (FileRange | Uint8Array)[]): Work {
  return workOf(pieces.map((piece) => (piece instanceof Uint8Array ? new Uint8Array(piece) : piece)));
}
