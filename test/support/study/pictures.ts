import { colourPixelElements, imageReference, type ObjectForm } from './object-form.ts';
import { PIXEL_DATA } from './part10.ts';
import { bytes, numbers, sequence, text } from './writer.ts';

const SIDE = 32;

/** Secondary Capture Image, PS3.3 section A.8.1: a screen that somebody photographed, in colour. */
export const SECONDARY_CAPTURE: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
  modality: 'OT',
  elements: (place) => [
    text(0x0008_0064, 'CS', 'WSD'),
    text(0x0018_0015, 'CS', 'CHEST'),
    text(0x0020_0020, 'CS'),
    ...colourPixelElements(SIDE, SIDE),
    bytes(PIXEL_DATA, 'OB', screen(place.seed)),
  ],
};

function screen(seed: number): Buffer {
  const pixels = Buffer.alloc(SIDE * SIDE * 3);
  for (let at = 0; at < pixels.byteLength; at += 1) pixels[at] = (at * 7 + seed * 31) % 256;
  return pixels;
}

/** Grayscale Softcopy Presentation State, PS3.3 section A.33.1. */
export const PRESENTATION_STATE: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.11.1',
  modality: 'PR',
  elements: (place) => [
    sequence(0x0008_1115, false, [
      sequence(0x0008_1140, false, imageReference(place)),
      text(0x0020_000e, 'UI', place.image.seriesInstanceUid),
    ]),
    text(0x0018_0015, 'CS', 'CHEST'),
    sequence(0x0070_005a, false, [
      numbers(0x0070_0052, 'SL', 1, 1),
      numbers(0x0070_0053, 'SL', SIDE, SIDE),
      text(0x0070_0100, 'CS', 'SCALE TO FIT'),
      text(0x0070_0102, 'IS', '1', '1'),
    ]),
    text(0x0070_0080, 'CS', 'WEERGAVE'),
    text(0x0070_0081, 'LO'),
    text(0x0070_0082, 'DA', '20240229'),
    text(0x0070_0083, 'TM', '101500'),
    text(0x0070_0084, 'PN'),
    text(0x2050_0020, 'CS', 'IDENTITY'),
  ],
};
