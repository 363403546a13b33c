import { EXPLICIT_LE, type Form, IMPLICIT_LE, readElement } from './dicom-walk.ts';

/** Where a Part 10 file's dataset begins and how it is written. */
export interface DatasetPlace {
  readonly datasetAt: number;
  readonly form: Form;
  readonly deflated: boolean;
  /** '' when the file does not say. */
  readonly transferSyntaxUid: string;
}

/** The default, and GE's private one: implicit too, with pixels in big endian. */
const IMPLICIT_UIDS = new Set(['1.2.840.10008.1.2', '1.2.840.113619.5.2']);
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
  let syntax = '';
  while (datasetAt + 8 <= bytes.byteLength && bytes.readUInt16LE(datasetAt) === 0x0002) {
    const element = readElement(bytes, datasetAt, bytes.byteLength, EXPLICIT_LE);
    if (element.tag === 0x0002_0010) syntax = trimmedText(bytes, element.valueAt, element.valueEnd);
    datasetAt = element.end;
  }
  const place = { datasetAt, transferSyntaxUid: syntax };
  if (syntax === '') return { ...place, form: formOf(bytes, datasetAt), deflated: false };
  const explicit = !IMPLICIT_UIDS.has(syntax);
  const form = explicit ? { explicit, bigEndian: syntax === BIG_ENDIAN_UID } : IMPLICIT_LE;
  return { ...place, form, deflated: DEFLATED_UIDS.has(syntax) };
}

/** What no syntax declares, by its looks: letters for a VR, and a first group that is a small number. */
function formOf(bytes: Buffer, datasetAt: number): Form {
  const explicit = /^[A-Z]{2}$/.test(bytes.toString('latin1', datasetAt + 4, datasetAt + 6));
  return explicit ? { explicit, bigEndian: bytes[datasetAt] === 0 } : IMPLICIT_LE;
}

/** A text value without the padding behind it. */
export const trimmedText = (bytes: Buffer, from: number, to: number): string =>
  bytes.toString('latin1', from, to).replace(/[\0 ]+$/, '');
