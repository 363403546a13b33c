import { closeSync, openSync, readSync } from 'node:fs';
import type { FileRange } from '../storage/storage.ts';
import type { Piece } from './jobs.ts';
import { readBytes } from './limits.ts';

/** A file that is not there, or ends before the range does. */
export class RangeMissing extends Error {
  override readonly name = 'RangeMissing';
  readonly path: string;
  readonly asked: number;

  /** @param asked bytes that the file had to have */
  constructor(path: string, asked: number) {
    super('a file is not there, or shorter than what was asked of it');
    this.path = path;
    this.asked = asked;
  }
}

/**
 * Reads pieces through one buffer that is used again and again. The last file stays open until `close`,
 * since the instances of a batch lie in one object as a rule.
 */
export class PieceReader {
  readonly #buffer = Buffer.allocUnsafeSlow(readBytes);
  #open: { readonly path: string; readonly fd: number } | undefined;

  /** Hands every byte to `take`, in order; a chunk is valid during the call. Throws RangeMissing. */
  read(pieces: Iterable<Piece>, take: (chunk: Uint8Array) => void): void {
    for (const chunk of this.chunks(pieces)) take(chunk);
  }

  /** Every byte, in order; a chunk is valid until the next one is asked for. Throws RangeMissing. */
  *chunks(pieces: Iterable<Piece>): Generator<Uint8Array> {
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) yield piece;
      else yield* this.#range(piece);
    }
  }

  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) closeSync(open.fd);
  }

  *#range({ path, start, bytes }: FileRange): Generator<Uint8Array> {
    const end = start + bytes;
    const fd = this.#file(path, end);
    for (let at = start; at < end; ) {
      const read = readSync(fd, this.#buffer, 0, Math.min(readBytes, end - at), at);
      if (read === 0) throw new RangeMissing(path, end);
      yield this.#buffer.subarray(0, read);
      at += read;
    }
  }

  #file(path: string, asked: number): number {
    if (this.#open?.path === path) return this.#open.fd;
    this.close();
    try {
      const fd = openSync(path, 'r');
      this.#open = { path, fd };
      return fd;
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') {
        throw new RangeMissing(path, asked);
      }
      throw thrown;
    }
  }
}
