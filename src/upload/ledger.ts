import { crc32 } from 'node:zlib';
import { keys } from '../state/keys.ts';
import type { UploadRecord } from '../state/records.ts';
import type { Reader, Transaction } from '../state/state.ts';
import type { Run } from '../storage/storage.ts';
import { blockBytes, blocksPerRow } from './limits.ts';

const crcBytes = 4;

/** A run of an upload's bytes and its CRC-32 (ISO 3309), computed before they were written. */
export interface Block extends Run {
  readonly crc32: number;
}

/** What the bytes before an offset come to: blocks that became whole since the last time, and the open one. */
export interface LedgerStep {
  readonly blocks: readonly { readonly number: number; readonly crc32: number }[];
  readonly blockCrc: number;
}

/**
 * The CRC-32s of an upload's blocks, computed in memory while the bytes pass by, so that damage done to them
 * anywhere behind that is found when they are read.
 *
 * A CRC is a number: unlike a hash's state it can be recorded with each offset, and nothing has to be read
 * again when an upload goes on after a cut or a kill.
 */
export class Ledger {
  #end: number;
  #crc: number;
  #blocks: { number: number; crc32: number }[] = [];
  /** CRC of the open block at the begin of each run that was taken; until `forget`. */
  readonly #marks = new Map<number, number>();

  /** Goes on at `from`, where the open block's CRC is `crc`. */
  constructor(from: number, crc: number) {
    this.#end = from;
    this.#crc = crc;
  }

  /** The next bytes, in their order. */
  take(bytes: Uint8Array): void {
    this.#marks.set(this.#end, this.#crc);
    let done = 0;
    while (done < bytes.byteLength) {
      const room = blockBytes - (this.#end % blockBytes);
      const piece = bytes.subarray(done, done + room);
      this.#crc = crc32(piece, this.#crc);
      this.#end += piece.byteLength;
      done += piece.byteLength;
      if (piece.byteLength === room) {
        this.#blocks.push({ number: this.#end / blockBytes - 1, crc32: this.#crc });
        this.#crc = 0;
      }
    }
  }

  /** What is to be recorded with `offset`: where a run began, or the end. Its whole blocks are forgotten here. */
  step(offset: number): LedgerStep {
    const blockCrc = offset === this.#end ? this.#crc : this.#marks.get(offset);
    if (blockCrc === undefined) {
      throw new RangeError(`no bytes began at ${offset}`);
    }
    const isWhole = ({ number }: { number: number }): boolean => (number + 1) * blockBytes <= offset;
    const blocks = this.#blocks.filter(isWhole);
    this.#blocks = this.#blocks.filter((block) => !isWhole(block));
    return { blocks, blockCrc };
  }

  /** No step before `offset` will be asked for any more. */
  forget(offset: number): void {
    // They were set in their order.
    for (const at of this.#marks.keys()) {
      if (at >= offset) {
        return;
      }
      this.#marks.delete(at);
    }
  }
}

/** Records whole blocks. They come in order; one that is recorded already is written over. */
export function putBlocks(tx: Transaction, upload: string, { blocks }: LedgerStep): void {
  for (const { number, crc32: crc } of blocks) {
    const row = Math.floor(number / blocksPerRow);
    const at = (number % blocksPerRow) * crcBytes;
    const before = tx.get(keys.blocks, [upload, row]) ?? new Uint8Array();
    const after = Buffer.alloc(Math.max(before.byteLength, at + crcBytes));
    after.set(before);
    after.writeUInt32BE(crc, at);
    tx.put(keys.blocks, [upload, row], after);
  }
}

/** Before an upload's record goes, whose bytes others refer to: its last block is recorded with the whole ones. */
export function closeBlocks(
  tx: Transaction,
  { id, offset, blockCrc }: Pick<UploadRecord, 'id' | 'offset' | 'blockCrc'>,
): void {
  if (blockCrc !== null && offset % blockBytes > 0) {
    putBlocks(tx, id, { blocks: [{ number: Math.floor(offset / blockBytes), crc32: blockCrc }], blockCrc });
  }
}

/** What `blocksOf` has to be told of an upload of `offset` bytes whose record is gone; null: it had no ledger. */
export function closedBlockCrc(reader: Reader, upload: string, offset: number): number | null {
  const number = Math.floor(offset / blockBytes);
  const at = (number % blocksPerRow) * crcBytes;
  const stored = reader.get(keys.blocks, [upload, Math.floor(number / blocksPerRow)]);
  if (stored !== undefined && at + crcBytes <= stored.byteLength) {
    return Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength).readUInt32BE(at);
  }
  // No block is short, or there are none at all.
  return offset % blockBytes === 0 && reader.get(keys.blocks, [upload, 0]) !== undefined ? 0 : null;
}

/** Forgets the blocks of an upload. */
export function removeBlocks(tx: Transaction, upload: string): void {
  for (let row = 0; tx.get(keys.blocks, [upload, row]) !== undefined; row += 1) {
    tx.remove(keys.blocks, [upload, row]);
  }
}

/**
 * The blocks of the bytes of an upload that are recorded, the short last one too; `start` counts in its
 * object. None when it has no ledger, or concatenates others, which have theirs.
 */
export function* blocksOf(
  state: Reader,
  { id, offset, blockCrc, content }: Pick<UploadRecord, 'id' | 'offset' | 'blockCrc' | 'content'>,
): Generator<Block> {
  if (blockCrc === null || content.of !== 'object') {
    return;
  }
  let row: Buffer | undefined;
  for (let number = 0; number * blockBytes < offset; number += 1) {
    const start = number * blockBytes;
    if (start + blockBytes > offset) {
      yield { start, bytes: offset - start, crc32: blockCrc };
      return;
    }
    if (number % blocksPerRow === 0) {
      const stored = state.get(keys.blocks, [id, number / blocksPerRow]) ?? new Uint8Array();
      row = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
    }
    const at = (number % blocksPerRow) * crcBytes;
    if (row === undefined || at + crcBytes > row.byteLength) {
      throw new RangeError(`upload ${id} has no record of its block ${number}`);
    }
    yield { start, bytes: blockBytes, crc32: row.readUInt32BE(at) };
  }
}
