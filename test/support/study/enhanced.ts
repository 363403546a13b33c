import { type FileHandle, open } from 'node:fs/promises';
import { imagePixelElements } from './modality.ts';
import { code } from './object-form.ts';
import { EXPLICIT_LE, encodingOf, fileMeta, nativePixelHead } from './part10.ts';
import { ANNELIES, type BsnPlace, patientElements } from './patient.ts';
import { type Frame, fillPhantom, frameBytes } from './phantom.ts';
import { derivedUid } from './uid.ts';
import { type Element, encode, numbers, sequence, text } from './writer.ts';

export interface EnhancedOptions {
  readonly frames: number;
  /** 512 x 512 pixels of 16 bits when left out. */
  readonly frame?: Frame;
  readonly seed: number;
  /** `none` when left out. */
  readonly bsnIn?: BsnPlace;
  /** Leave the pixels to the file system: zeros that take no place on disk. */
  readonly sparse?: boolean;
  /** Explicit VR Little Endian when left out. */
  readonly transferSyntaxUid?: string;
}

const SOP_CLASS_UID = '1.2.840.10008.5.1.4.1.1.2.1';
const FRAME: Frame = { rows: 512, columns: 512 };

/**
 * Writes an Enhanced CT (PS3.3 section A.38.1) of any size, one frame in memory at a time: 400 frames of the
 * usual size are 210 MB, with a head of some 80 kB. Resolves with the file's size.
 *
 * Throws RangeError for more than the 4 GiB that native pixels may have.
 */
export async function writeEnhanced(path: string, options: EnhancedOptions): Promise<number> {
  const { frame = FRAME, frames } = options;
  const pixelBytes = frames * frameBytes(frame);
  if (pixelBytes >= 0xff_ff_ff_ff) throw new RangeError(`${frames.toString()} frames are too many`);
  const head = enhancedHead(options);
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(head);
    if (options.sparse === true) await file.truncate(head.byteLength + pixelBytes);
    else await writeFrames(file, frames, frame, options.seed);
  } finally {
    await file.close();
  }
  return head.byteLength + pixelBytes;
}

async function writeFrames(file: FileHandle, frames: number, frame: Frame, seed: number): Promise<void> {
  const pixels = Buffer.from(new ArrayBuffer(frameBytes(frame)));
  for (let number = 0; number < frames; number += 1) {
    fillPhantom(pixels, frame, Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b));
    await file.writeFile(pixels);
  }
}

/** Everything in front of the pixels. */
function enhancedHead(options: EnhancedOptions): Buffer {
  const { frame = FRAME, frames, seed, transferSyntaxUid = EXPLICIT_LE } = options;
  const encoding = encodingOf(transferSyntaxUid);
  const uid = (what: string): string => derivedUid('sluis', 'enhanced CT', seed, what);
  const elements = [
    ...generalElements(uid, options),
    ...imageElements(frame, frames),
    ...groupElements(frames, uid('dimensions')),
  ];
  return Buffer.concat([
    fileMeta(SOP_CLASS_UID, uid('instance'), transferSyntaxUid),
    encode(elements, encoding),
    nativePixelHead(frames * frameBytes(frame), encoding),
  ]);
}

function generalElements(uid: (what: string) => string, { bsnIn = 'none' }: EnhancedOptions): Element[] {
  return [
    text(0x0008_0005, 'CS', 'ISO_IR 100'),
    text(0x0008_0008, 'CS', 'DERIVED', 'PRIMARY', 'VOLUME', 'RESAMPLED'),
    text(0x0008_0016, 'UI', SOP_CLASS_UID),
    text(0x0008_0018, 'UI', uid('instance')),
    text(0x0008_0020, 'DA', '20240229'),
    text(0x0008_0023, 'DA', '20240229'),
    text(0x0008_0030, 'TM', '093015.5'),
    text(0x0008_0033, 'TM', '093142'),
    text(0x0008_0050, 'SH', 'A2024000001'),
    text(0x0008_0060, 'CS', 'CT'),
    text(0x0008_0070, 'LO', 'SLUIS SYNTHETIC'),
    text(0x0008_0080, 'LO', 'Ziekenhuis Zuiderdiep'),
    text(0x0008_0090, 'PN', 'Groß^José^^dr.'),
    text(0x0008_1090, 'LO', 'Phantom CT 256'),
    text(0x0018_1000, 'LO', '4711'),
    text(0x0018_1020, 'LO', '1.0'),
    text(0x0018_5100, 'CS', 'HFS'),
    ...patientElements(ANNELIES, bsnIn, false),
    text(0x0020_000d, 'UI', uid('study')),
    text(0x0020_000e, 'UI', uid('series')),
    text(0x0020_0010, 'SH', '1'),
    text(0x0020_0011, 'IS', '1'),
    text(0x0020_0013, 'IS', '1'),
    text(0x0020_0052, 'UI', uid('frame of reference')),
    text(0x0020_1040, 'LO'),
    sequence(0x0040_0555, false),
  ];
}

/** Enhanced CT Image and Image Pixel modules (PS3.3 sections C.8.15.2 and C.7.6.3). */
function imageElements({ rows, columns }: Frame, frames: number): Element[] {
  return [
    ...calculated(),
    text(0x0018_9004, 'CS', 'RESEARCH'),
    ...imagePixelElements(rows, columns),
    text(0x0028_0008, 'IS', frames),
    text(0x0028_0301, 'CS', 'NO'),
    text(0x0028_2110, 'CS', '00'),
    text(0x2050_0020, 'CS', 'IDENTITY'),
  ];
}

/** Common CT/MR and Photoacoustic Image Description macro (PS3.3 section C.8.16.2). */
const calculated = (): Element[] => [
  text(0x0008_9205, 'CS', 'MONOCHROME'),
  text(0x0008_9206, 'CS', 'VOLUME'),
  text(0x0008_9207, 'CS', 'NONE'),
];

/** Dimensions, and the functional groups that all frames share and that each has (PS3.3 section C.7.6.16). */
function groupElements(frames: number, dimensions: string): Element[] {
  const perFrame = Array.from({ length: frames }, (_, index) => [
    sequence(0x0020_9111, false, [
      text(0x0020_9056, 'SH', '1'),
      numbers(0x0020_9057, 'UL', index + 1),
      numbers(0x0020_9157, 'UL', index + 1),
    ]),
    sequence(0x0020_9113, false, [
      text(0x0020_0032, 'DS', '-174.5', '-179.3', (index * 0.625 - 100).toFixed(3)),
    ]),
  ]);
  return [
    sequence(0x0020_9221, false, [text(0x0020_9164, 'UI', dimensions)]),
    sequence(0x0020_9222, false, [
      text(0x0020_9164, 'UI', dimensions),
      numbers(0x0020_9165, 'AT', 0x0020_9057),
      numbers(0x0020_9167, 'AT', 0x0020_9111),
    ]),
    sequence(0x5200_9229, true, shared()),
    sequence(0x5200_9230, true, ...perFrame),
  ];
}

const shared = (): Element[] => [
  sequence(0x0018_9329, false, [
    text(0x0008_9007, 'CS', 'DERIVED', 'PRIMARY', 'VOLUME', 'RESAMPLED'),
    ...calculated(),
  ]),
  sequence(0x0018_9477, false, [text(0x0008_3010, 'UI', derivedUid('sluis', 'irradiation'))]),
  sequence(0x0020_9071, false, [code(0x0008_2218, '51185008', 'SCT', 'Chest'), text(0x0020_9072, 'CS', 'U')]),
  sequence(0x0020_9116, false, [text(0x0020_0037, 'DS', '1', '0', '0', '0', '1', '0')]),
  sequence(0x0028_9110, false, [
    text(0x0018_0050, 'DS', '0.625'),
    text(0x0028_0030, 'DS', '0.683594', '0.683594'),
  ]),
  sequence(0x0028_9145, false, [
    text(0x0028_1052, 'DS', '-1024'),
    text(0x0028_1053, 'DS', '1'),
    text(0x0028_1054, 'LO', 'HU'),
  ]),
];
