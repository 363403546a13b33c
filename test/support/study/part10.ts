import { derivedUid } from './uid.ts';
import {
  bytes,
  type Element,
  type Encoding,
  elementHead,
  encode,
  ITEM,
  itemHead,
  numbers,
  SEQUENCE_DELIMITER,
  text,
  UNDEFINED_LENGTH,
} from './writer.ts';

export const IMPLICIT_LE = '1.2.840.10008.1.2';
export const EXPLICIT_LE = '1.2.840.10008.1.2.1';
export const RLE_LOSSLESS = '1.2.840.10008.1.2.5';

/** The transfer syntaxes the generator writes. */
export type TransferSyntaxUid = typeof IMPLICIT_LE | typeof EXPLICIT_LE | typeof RLE_LOSSLESS;

export const encodingOf = (syntax: TransferSyntaxUid): Encoding =>
  syntax === IMPLICIT_LE ? 'implicit' : 'explicit';

/** Preamble, DICM and file meta information (PS3.10 section 7.1), always explicit little endian. */
export function fileMeta(sopClassUid: string, sopInstanceUid: string, syntax: string): Buffer {
  const elements: Element[] = [
    bytes(0x0002_0001, 'OB', Uint8Array.of(0, 1)),
    text(0x0002_0002, 'UI', sopClassUid),
    text(0x0002_0003, 'UI', sopInstanceUid),
    text(0x0002_0010, 'UI', syntax),
    text(0x0002_0012, 'UI', derivedUid('sluis synthetic study generator')),
    text(0x0002_0013, 'SH', 'SLUIS_TEST_1'),
  ];
  const group = encode(elements, 'explicit');
  const length = encode([numbers(0x0002_0000, 'UL', group.byteLength)], 'explicit');
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM', 'latin1'), length, group]);
}

const PIXEL_DATA = 0x7fe0_0010;

/** What stands before native pixels of `length` bytes. */
export const nativePixelHead = (length: number, encoding: Encoding): Buffer =>
  elementHead(PIXEL_DATA, 'OW', length, encoding);

/** One compressed frame: an offset table with one entry, one fragment (PS3.5 section A.4). */
export function encapsulate(frame: Buffer): Buffer {
  return Buffer.concat([
    elementHead(PIXEL_DATA, 'OB', UNDEFINED_LENGTH, 'explicit'),
    itemHead(ITEM, 4),
    Buffer.alloc(4),
    itemHead(ITEM, frame.byteLength),
    frame,
    itemHead(SEQUENCE_DELIMITER, 0),
  ]);
}
