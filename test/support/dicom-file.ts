import { EXPLICIT_LE, type Form, IMPLICIT_LE, readElement } from './dicom-walk.ts';

/** Where a Part 10 file's dataset begins and how it is written. */
export interface DatasetPlace {
  readonly datasetAt: number;
  readonly form: Form;
  readonly deflated: boolean;
}

const IMPLICIT_UID = '1.2.840.10008.1.2';
const BIG_ENDIAN_UID = '1.2.840.10008.1.2.2';
/** Deflated explicit VR, and JPIP referenced deflate twice (PS3.5 annex A.5). */
const DEFLATED_UIDS = new Set([
  '1.2.840.10008.1.2.1.99',
  '1.2.840.10008.1.2.4.95',
  '1.2.840.10008.1.2.4.205',
]);

/** Reads the file meta by its tags, not by its length. Files without preamble, or without meta, are read too. */
export function datasetOf(bytes: Buffer): DatasetPlace {
  const metaAt = bytes.toString('latin1', 128, 132) === 'DICM' ? 132 : 0;
  let datasetAt = metaAt;
  let syntax = IMPLICIT_UID;
  while (datasetAt + 8 <= bytes.byteLength && bytes.readUInt16LE(datasetAt) === 0x0002) {
    const element = readElement(bytes, datasetAt, bytes.byteLength, EXPLICIT_LE);
    if (element.tag === 0x0002_0010) syntax = trimmedText(bytes, element.valueAt, element.valueEnd);
    datasetAt = element.end;
  }
  const explicit = syntax !== IMPLICIT_UID;
  const form = explicit ? { explicit, bigEndian: syntax === BIG_ENDIAN_UID } : IMPLICIT_LE;
  return { datasetAt, form, deflated: DEFLATED_UIDS.has(syntax) };
}

/** A text value without the padding behind it. */
export const trimmedText = (bytes: Buffer, from: number, to: number): string =>
  bytes.toString('latin1', from, to).replace(/[\0 ]+$/, '');
