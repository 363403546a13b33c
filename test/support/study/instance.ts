import { encapsulate } from './encapsulated.ts';
import { imagePixelElements, MODALITIES, type Modality } from './modality.ts';
import {
  DEFLATED_LE,
  deflated,
  EXPLICIT_BE,
  encodingOf,
  fileMeta,
  nativePixelHead,
  RLE_LOSSLESS,
  type TransferSyntaxUid,
} from './part10.ts';
import { type BsnPlace, patientElements, type SyntheticPatient } from './patient.ts';
import { type Frame, fillPhantom, frameBytes } from './phantom.ts';
import { privateElements } from './private-elements.ts';
import { rleFrame } from './rle.ts';
import { type Element, type Encoding, encode, numbers, sequence, text } from './writer.ts';

/** What all instances of one study share. */
export interface InstanceForm {
  readonly modality: Modality;
  readonly patient: SyntheticPatient;
  readonly bsnIn: BsnPlace;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly frame: Frame;
  readonly seed: number;
}

export interface InstanceUids {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly frameOfReferenceUid: string;
}

/** All count from 0: in the study, the series in the study, the slice in the series. */
export interface InstancePlace {
  readonly index: number;
  readonly series: number;
  readonly slice: number;
}

/** Instances differ as a scanner's do, by their index: every third has private blocks, and so on. */
const hasPrivateBlocks = (index: number): boolean => index % 3 === 0;
const hasOpenSequences = (index: number): boolean => index % 2 === 1;
const hasGroupLength = (index: number): boolean => index % 5 === 4;

/** One whole Part 10 file, in one buffer of its own. */
export function composeInstance(form: InstanceForm, uids: InstanceUids, place: InstancePlace): Uint8Array {
  const encoding = encodingOf(form.transferSyntaxUid);
  const { sopClassUid } = MODALITIES[form.modality];
  const meta = fileMeta(sopClassUid, uids.sopInstanceUid, form.transferSyntaxUid);
  const head = Buffer.concat([meta, encode(headElements(form, uids, place, encoding), encoding)]);
  const noise = Math.imul(form.seed + 1, 0x9e37_79b1) ^ Math.imul(place.index + 1, 0x85eb_ca6b);
  const pixelBytes = frameBytes(form.frame);
  if (form.transferSyntaxUid === RLE_LOSSLESS) {
    const pixels = Buffer.alloc(pixelBytes);
    fillPhantom(pixels, form.frame, noise);
    return Buffer.concat([head, encapsulate({ frames: [[rleFrame(pixels, form.frame.columns)]] })]);
  }
  const pixelHead = nativePixelHead(pixelBytes, encoding);
  const headBytes = head.byteLength + pixelHead.byteLength;
  // Pixels are filled in place, 32 bits at a time: the file begins where that puts them on a multiple of 4.
  const shift = (4 - (headBytes % 4)) % 4;
  const file = Buffer.from(new ArrayBuffer(shift + headBytes + pixelBytes)).subarray(shift);
  file.set(head, 0);
  file.set(pixelHead, head.byteLength);
  const pixels = file.subarray(headBytes);
  fillPhantom(pixels, form.frame, noise);
  if (form.transferSyntaxUid === EXPLICIT_BE) pixels.swap16();
  if (form.transferSyntaxUid !== DEFLATED_LE) return file;
  return Buffer.concat([meta, deflated(file.subarray(meta.byteLength))]);
}

function headElements(
  form: InstanceForm,
  uids: InstanceUids,
  place: InstancePlace,
  encoding: Encoding,
): Element[] {
  const modality = MODALITIES[form.modality];
  const open = hasOpenSequences(place.index);
  const patient = patientElements(form.patient, form.bsnIn, open);
  if (hasGroupLength(place.index)) {
    // Retired in the standard (PS3.5 section 7.2), still sent: a patch in group 0010 has to correct it.
    patient.push(numbers(0x0010_0000, 'UL', encode(patient, encoding).byteLength));
  }
  return [
    ...generalElements(form, uids, place),
    ...patient,
    ...planeElements(place.slice),
    ...modality.elements(place.slice),
    ...procedureElements(open),
    ...imagePixelElements(form.frame.rows, form.frame.columns),
    ...(hasPrivateBlocks(place.index) ? privateElements(place.index % 256, open) : []),
  ];
}

/** SOP Common, General Study, General Series, General Equipment and General Image (PS3.3 annex C). */
function generalElements(form: InstanceForm, uids: InstanceUids, place: InstancePlace): Element[] {
  const modality = MODALITIES[form.modality];
  return [
    text(0x0008_0005, 'CS', 'ISO_IR 100'),
    text(0x0008_0016, 'UI', modality.sopClassUid),
    text(0x0008_0018, 'UI', uids.sopInstanceUid),
    text(0x0008_0020, 'DA', '20240229'),
    text(0x0008_0023, 'DA', '20240229'),
    text(0x0008_0030, 'TM', '093015.5'),
    text(0x0008_0033, 'TM', '093142'),
    text(0x0008_0050, 'SH', `A${(2_024_000_000 + form.seed).toString()}`.slice(0, 16)),
    text(0x0008_0060, 'CS', form.modality),
    text(0x0008_0070, 'LO', modality.manufacturer),
    text(0x0008_0080, 'LO', 'Ziekenhuis Zuiderdiep'),
    text(0x0008_0090, 'PN', 'Groß^José^^dr.'),
    text(0x0008_1030, 'LO', modality.studyDescription),
    text(0x0008_103e, 'LO', `Serie ${(place.series + 1).toString()}`),
    text(0x0008_1090, 'LO', modality.model),
    text(0x0018_5100, 'CS', 'HFS'),
    text(0x0020_000d, 'UI', uids.studyInstanceUid),
    text(0x0020_000e, 'UI', uids.seriesInstanceUid),
    text(0x0020_0010, 'SH', '1'),
    text(0x0020_0011, 'IS', place.series + 1),
    text(0x0020_0012, 'IS', '1'),
    text(0x0020_0013, 'IS', place.slice + 1),
    text(0x0020_0052, 'UI', uids.frameOfReferenceUid),
    text(0x0020_1040, 'LO'),
  ];
}

/** Image Plane module, PS3.3 section C.7.6.2. */
function planeElements(slice: number): Element[] {
  return [
    text(0x0018_0050, 'DS', '2.5'),
    text(0x0020_0032, 'DS', '-174.5', '-179.3', (slice * 2.5 - 100).toFixed(1)),
    text(0x0020_0037, 'DS', '1', '0', '0', '0', '1', '0'),
    text(0x0028_0030, 'DS', '0.683594', '0.683594'),
  ];
}

/** Request Attributes Sequence with a sequence inside (PS3.3 table 10-9). */
function procedureElements(open: boolean): Element[] {
  const code = [
    text(0x0008_0100, 'SH', 'CTTHOR'),
    text(0x0008_0102, 'SH', '99SLUIS'),
    text(0x0008_0104, 'LO', 'Computertomografie'),
  ];
  return [
    sequence(0x0040_0275, open, [
      text(0x0040_0007, 'LO', 'Thorax'),
      sequence(0x0040_0008, open, code),
      text(0x0040_0009, 'SH', 'SPS1'),
      text(0x0040_1001, 'SH', 'RP1'),
    ]),
  ];
}
