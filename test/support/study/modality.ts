import { type Element, numbers, text } from './writer.ts';

export type Modality = 'CT' | 'MR';

/** What one slice is of its modality alone. */
export interface ModalityForm {
  readonly sopClassUid: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly studyDescription: string;
  /** The modality's own image module; `slice` counts from 0 within the series. */
  elements(slice: number): Element[];
}

/** CT Image module, PS3.3 section C.8.2.1. Values of odd length are meant: they are padded. */
const CT: ModalityForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  manufacturer: 'SLUIS SYNTHETIC',
  model: 'Phantom CT 16',
  studyDescription: 'CT thorax zonder contrast',
  elements: (slice) => [
    text(0x0008_0008, 'CS', 'ORIGINAL', 'PRIMARY', 'AXIAL'),
    text(0x0018_0015, 'CS', 'CHEST'),
    text(0x0018_0060, 'DS', '120'),
    text(0x0018_1151, 'IS', 199 + (slice % 30)),
    text(0x0018_1150, 'IS', '500'),
    text(0x0018_1210, 'SH', 'STANDARD'),
    text(0x0028_1052, 'DS', '-1024'),
    text(0x0028_1053, 'DS', '1'),
    text(0x0028_1054, 'LO', 'HU'),
  ],
};

/** MR Image module, PS3.3 section C.8.3.1. */
const MR: ModalityForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.4',
  manufacturer: 'SLUIS SYNTHETIC',
  model: 'Phantom MR 3T',
  studyDescription: 'MR hersenen',
  elements: (slice) => [
    text(0x0008_0008, 'CS', 'ORIGINAL', 'PRIMARY', 'OTHER'),
    text(0x0018_0015, 'CS', 'HEAD'),
    text(0x0018_0020, 'CS', 'SE'),
    text(0x0018_0021, 'CS', 'NONE'),
    text(0x0018_0022, 'CS'),
    text(0x0018_0023, 'CS', '2D'),
    text(0x0018_0080, 'DS', '512.5'),
    text(0x0018_0081, 'DS', '11.25'),
    text(0x0018_0087, 'DS', '3'),
    text(0x0018_0091, 'IS', '1'),
    text(0x0018_1314, 'DS', 70 + (slice % 30)),
  ],
};

export const MODALITIES: Readonly<Record<Modality, ModalityForm>> = { CT, MR };

/** Image Pixel module, PS3.3 section C.7.6.3: twelve bits of sixteen, unsigned, grey. */
export function imagePixelElements(rows: number, columns: number): Element[] {
  return [
    numbers(0x0028_0002, 'US', 1),
    text(0x0028_0004, 'CS', 'MONOCHROME2'),
    numbers(0x0028_0010, 'US', rows),
    numbers(0x0028_0011, 'US', columns),
    numbers(0x0028_0100, 'US', 16),
    numbers(0x0028_0101, 'US', 12),
    numbers(0x0028_0102, 'US', 11),
    numbers(0x0028_0103, 'US', 0),
  ];
}
