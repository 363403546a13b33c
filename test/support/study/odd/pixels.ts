import { encapsulate, type Fragments, jpegLike } from '../encapsulated.ts';
import {
  EXPLICIT_BE,
  EXPLICIT_LE,
  IMPLICIT_LE,
  JPEG_BASELINE,
  PIXEL_DATA,
  part10,
  RLE_LOSSLESS,
} from '../part10.ts';
import { generateStudy } from '../study.ts';
import { bytes, type Element, numbers, raw, text } from '../writer.ts';
import { base, dataset, file, INCOMPLETE, type OddForm, TAGGED } from './form.ts';

const frames = (count: number, fragments: number): Buffer[][] =>
  Array.from({ length: count }, (_, frame) => jpegLike(fragments, 301, frame + 1));

const compressed = (fragments: Fragments, more: readonly Element[] = [], syntax = JPEG_BASELINE): Buffer =>
  part10(base([raw(PIXEL_DATA, encapsulate(fragments)), ...more]), syntax);

/** Pixel data as encoders write it, none of which a patch may touch. */
export function oddPixels(): OddForm[] {
  const many = numberOfFrames(3);
  const tagged: [string, Buffer][] = [
    ['jpeg-one-fragment', compressed({ frames: frames(1, 1) })],
    ['jpeg-fragments', compressed({ frames: frames(1, 4) })],
    ['jpeg-fragments-no-table', compressed({ frames: frames(3, 4), emptyTable: true }, many)],
    ['jpeg-fragments-table', compressed({ frames: frames(3, 4) }, many)],
    ['jpeg-empty-fragment', compressed({ frames: [[Buffer.alloc(0), ...jpegLike(2, 100, 5)]] })],
    ['jpeg-extended-table', compressed({ frames: frames(3, 1), emptyTable: true }, [...many, ...extended()])],
    ['htj2k', compressed({ frames: frames(1, 2) }, [], '1.2.840.10008.1.2.4.202')],
    ['mpeg4', compressed({ frames: frames(1, 9), emptyTable: true }, [], '1.2.840.10008.1.2.4.102')],
    ['rle', slice(RLE_LOSSLESS)],
    ['pixels-native-8-bit', file(dataset())],
    ['pixels-native-16-bit', slice(EXPLICIT_LE)],
    ['pixels-native-implicit', slice(IMPLICIT_LE)],
    ['pixels-native-big-endian', slice(EXPLICIT_BE)],
    ['pixels-float', part10(base(float(), [PIXEL_DATA]), EXPLICIT_LE)],
    ['pixels-absent', part10(base([], [PIXEL_DATA]), EXPLICIT_LE)],
    ['overlay', part10(base(overlay()), EXPLICIT_LE)],
  ];
  const whole = compressed({ frames: frames(2, 3) });
  const native = file(dataset());
  return [
    ...tagged.map(([name, image]) => ({ name, bytes: image, expected: TAGGED })),
    { name: 'jpeg-no-frame', bytes: compressed({ frames: [], emptyTable: true }), expected: INCOMPLETE },
    { name: 'pixels-empty', bytes: part10(base([empty]), EXPLICIT_LE), expected: INCOMPLETE },
    { name: 'pixels-cut', bytes: native.subarray(0, -1000), expected: INCOMPLETE },
    { name: 'pixels-cut-by-one', bytes: native.subarray(0, -1), expected: INCOMPLETE },
    { name: 'fragments-cut', bytes: whole.subarray(0, -300), expected: INCOMPLETE },
    { name: 'fragments-without-end', bytes: whole.subarray(0, -8), expected: INCOMPLETE },
    { name: 'fragment-too-long', bytes: tooLong(whole), expected: INCOMPLETE },
    { name: 'noise-behind', bytes: Buffer.concat([native, Buffer.from('einde')]), expected: INCOMPLETE },
    { name: 'second-dataset-behind', bytes: Buffer.concat([native, dataset()]), expected: INCOMPLETE },
  ];
}

const slice = (
  transferSyntaxUid: Parameters<typeof generateStudy>[0]['transferSyntaxUid'] & string,
): Buffer =>
  Buffer.from(
    generateStudy({
      modality: 'MR',
      instances: 1,
      bytesPerInstance: 2048,
      seed: 2,
      transferSyntaxUid,
    }).instance(0).bytes,
  );

const empty: Element = bytes(PIXEL_DATA, 'OB', Buffer.alloc(0));

/** Float Pixel Data (PS3.3 section C.7.6.24): one sample of 32 bits, in another element than usual. */
const float = (): Element[] => [
  numbers(0x0028_0002, 'US', 1),
  text(0x0028_0004, 'CS', 'MONOCHROME2'),
  numbers(0x0028_0100, 'US', 32),
  bytes(0x7fe0_0008, 'OF', Buffer.alloc(32 * 32 * 4, 1)),
];

const numberOfFrames = (count: number): Element[] => [text(0x0028_0008, 'IS', count)];

/** Extended Offset Table and its lengths (PS3.5 section A.4): OV, which older readers do not know. */
const extended = (): Element[] => [
  bytes(0x7fe0_0001, 'OV', Buffer.from(new BigUint64Array([0n, 310n, 620n]).buffer)),
  bytes(0x7fe0_0002, 'OV', Buffer.from(new BigUint64Array([302n, 302n, 302n]).buffer)),
];

const overlay = (): Element[] => [
  numbers(0x6000_0010, 'US', 32),
  numbers(0x6000_0011, 'US', 32),
  text(0x6000_0040, 'CS', 'G'),
  numbers(0x6000_0050, 'SS', 1, 1),
  numbers(0x6000_0100, 'US', 1),
  numbers(0x6000_0102, 'US', 0),
  bytes(0x6000_3000, 'OW', Buffer.alloc(128, 3)),
];

/** The last fragment claims to reach beyond the file. */
function tooLong(image: Buffer): Buffer {
  const copy = Buffer.from(image);
  copy.writeUInt32LE(0x7fff_fff0, copy.byteLength - 8 - 302 - 4);
  return copy;
}
