import { PIXEL_DATA } from './part10.ts';
import { elementHead, ITEM, itemHead, SEQUENCE_DELIMITER, UNDEFINED_LENGTH } from './writer.ts';

export interface Fragments {
  /** Per frame its fragments, each of even length. */
  readonly frames: readonly (readonly Uint8Array[])[];
  /** Leave the offset table empty, as most encoders do. */
  readonly emptyTable?: boolean;
}

/** Compressed frames as pixel data: an item for the offset table, one for each fragment (PS3.5 section A.4). */
export function encapsulate({ frames, emptyTable = false }: Fragments): Buffer {
  const items = frames.map((fragments) =>
    Buffer.concat(fragments.flatMap((fragment) => [itemHead(ITEM, fragment.byteLength), fragment])),
  );
  const table = Buffer.alloc(emptyTable ? 0 : 4 * items.length);
  let offset = 0;
  for (const [index, item] of items.entries()) {
    if (!emptyTable) table.writeUInt32LE(offset, 4 * index);
    offset += item.byteLength;
  }
  return Buffer.concat([
    elementHead(PIXEL_DATA, 'OB', UNDEFINED_LENGTH, 'explicit'),
    itemHead(ITEM, table.byteLength),
    table,
    ...items,
    itemHead(SEQUENCE_DELIMITER, 0),
  ]);
}

/**
 * Bytes that begin and end as a JPEG frame does, in that many fragments. What is between is noise in which
 * item and sequence delimiters are strewn, so that whoever searches for them is deceived.
 */
export function jpegLike(fragments: number, bytesEach: number, seed: number): Buffer[] {
  const even = bytesEach + (bytesEach % 2);
  const frame = Buffer.alloc(fragments * even);
  let state = (seed | 1) >>> 0;
  for (let at = 0; at < frame.byteLength; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    frame[at] = state >>> 24;
  }
  const trap = itemHead(SEQUENCE_DELIMITER, 0);
  for (let at = 40; at + trap.byteLength < frame.byteLength - 4; at += 97) frame.set(trap, at);
  frame.set([0xff, 0xd8, 0xff, 0xe0], 0);
  frame.set([0xff, 0xd9], frame.byteLength - 2);
  return Array.from({ length: fragments }, (_, index) => frame.subarray(index * even, (index + 1) * even));
}
