import { deflateRawSync } from 'node:zlib';
import { derivedUid } from './uid.ts';
import { bytes, type Element, type Encoding, elementHead, encode, numbers, text } from './writer.ts';

export const IMPLICIT_LE = '1.2.840.10008.1.2';
export const EXPLICIT_LE = '1.2.840.10008.1.2.1';
/** Explicit VR little endian, deflated as a whole (PS3.5 section A.5). */
export const DEFLATED_LE = '1.2.840.10008.1.2.1.99';
/** Retired in 2006, still sent. */
export const EXPLICIT_BE = '1.2.840.10008.1.2.2';
export const RLE_LOSSLESS = '1.2.840.10008.1.2.5';
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';

/** The transfer syntaxes the generator writes images in. */
export type TransferSyntaxUid =
  | typeof IMPLICIT_LE
  | typeof EXPLICIT_LE
  | typeof DEFLATED_LE
  | typeof EXPLICIT_BE
  | typeof RLE_LOSSLESS;

export function encodingOf(syntax: string): Encoding {
  if (syntax === IMPLICIT_LE) return 'implicit';
  return syntax === EXPLICIT_BE ? 'big-endian' : 'explicit';
}

/** What of a file's head may be missing or wrong. */
export interface MetaForm {
  /** 128 zeros when left out; undefined is no preamble and no DICM. */
  readonly preamble?: Uint8Array | undefined;
  /** What (0002,0000) says instead of the truth; undefined leaves it out. */
  readonly statedLength?: number | undefined;
  /** undefined leaves (0002,0010) out. */
  readonly syntax: string | undefined;
}

/** Preamble, DICM and file meta information (PS3.10 section 7.1), always explicit little endian. */
export function fileMeta(sopClassUid: string, sopInstanceUid: string, form: string | MetaForm): Buffer {
  const { syntax, ...odd } = typeof form === 'string' ? { syntax: form } : form;
  const elements: Element[] = [
    bytes(0x0002_0001, 'OB', Uint8Array.of(0, 1)),
    text(0x0002_0002, 'UI', sopClassUid),
    text(0x0002_0003, 'UI', sopInstanceUid),
    ...(syntax === undefined ? [] : [text(0x0002_0010, 'UI', syntax)]),
    text(0x0002_0012, 'UI', derivedUid('sluis synthetic study generator')),
    text(0x0002_0013, 'SH', 'SLUIS_TEST_1'),
  ];
  const group = encode(elements, 'explicit');
  const stated = 'statedLength' in odd ? odd.statedLength : group.byteLength;
  const length =
    stated === undefined ? Buffer.alloc(0) : encode([numbers(0x0002_0000, 'UL', stated)], 'explicit');
  const preamble = 'preamble' in odd ? odd.preamble : Buffer.alloc(128);
  const prefix = preamble === undefined ? [] : [preamble, Buffer.from('DICM', 'latin1')];
  return Buffer.concat([...prefix, length, group]);
}

/** A whole file of elements that are there. */
export function part10(elements: readonly Element[], syntax: string, uids = uidsOf(elements)): Buffer {
  const dataset = encode(elements, encodingOf(syntax));
  const written = syntax === DEFLATED_LE ? deflated(dataset) : dataset;
  return Buffer.concat([fileMeta(uids.sopClassUid, uids.sopInstanceUid, syntax), written]);
}

/** A raw deflate stream, with a zero behind it when its length is odd (PS3.5 section A.5). */
export function deflated(dataset: Uint8Array, level = 6): Buffer {
  const stream = deflateRawSync(dataset, { level });
  return stream.byteLength % 2 === 0 ? stream : Buffer.concat([stream, Buffer.alloc(1)]);
}

/** (0008,0016) and (0008,0018). */
export function uidsOf(elements: readonly Element[]): { sopClassUid: string; sopInstanceUid: string } {
  const textOf = (tag: number): string => {
    const found = elements.find((element) => element.tag === tag);
    return found !== undefined && 'text' in found ? found.text : '';
  };
  return { sopClassUid: textOf(0x0008_0016), sopInstanceUid: textOf(0x0008_0018) };
}

export const PIXEL_DATA = 0x7fe0_0010;

/** What stands before native pixels of `length` bytes. */
export const nativePixelHead = (length: number, encoding: Encoding): Buffer =>
  elementHead(PIXEL_DATA, 'OW', length, encoding);
