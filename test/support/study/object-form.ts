import { type BsnPlace, patientElements, type SyntheticPatient } from './patient.ts';
import { type Element, numbers, sequence, text } from './writer.ts';

/** What an object that is no slice belongs to: a study, and one of its images that it speaks of. */
export interface ObjectPlace {
  readonly patient: SyntheticPatient;
  readonly bsnIn: BsnPlace;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly sopInstanceUid: string;
  readonly frameOfReferenceUid: string;
  readonly seed: number;
  readonly image: {
    readonly sopClassUid: string;
    readonly sopInstanceUid: string;
    readonly seriesInstanceUid: string;
  };
}

/** What one kind of object is beside the patient, the study, the series and the equipment. */
export interface ObjectForm {
  readonly sopClassUid: string;
  readonly modality: string;
  elements(place: ObjectPlace): Element[];
}

/** SOP Common, Patient, General Study, a series and General Equipment (PS3.3 annex C). */
export function sharedElements(form: ObjectForm, place: ObjectPlace): Element[] {
  return [
    text(0x0008_0005, 'CS', 'ISO_IR 100'),
    text(0x0008_0016, 'UI', form.sopClassUid),
    text(0x0008_0018, 'UI', place.sopInstanceUid),
    text(0x0008_0020, 'DA', '20240229'),
    text(0x0008_0030, 'TM', '093015.5'),
    text(0x0008_0050, 'SH', `A${(2_024_000_000 + place.seed).toString()}`.slice(0, 16)),
    text(0x0008_0060, 'CS', form.modality),
    text(0x0008_0070, 'LO', 'SLUIS SYNTHETIC'),
    text(0x0008_0080, 'LO', 'Ziekenhuis Zuiderdiep'),
    text(0x0008_0090, 'PN', 'Groß^José^^dr.'),
    text(0x0008_1030, 'LO', 'CT thorax zonder contrast'),
    ...patientElements(place.patient, place.bsnIn, false),
    text(0x0020_000d, 'UI', place.studyInstanceUid),
    text(0x0020_000e, 'UI', place.seriesInstanceUid),
    text(0x0020_0010, 'SH', '1'),
    text(0x0020_0011, 'IS', '901'),
    text(0x0020_0013, 'IS', '1'),
  ];
}

/** A code sequence of one item (PS3.3 section 8.8). */
export const code = (tag: number, value: string, scheme: string, meaning: string): Element =>
  sequence(tag, false, [
    text(0x0008_0100, 'SH', value),
    text(0x0008_0102, 'SH', scheme),
    text(0x0008_0104, 'LO', meaning),
  ]);

/** An item's reference to the study's image (PS3.3 table 10-11). */
export const imageReference = ({ image }: ObjectPlace): Element[] => [
  text(0x0008_1150, 'UI', image.sopClassUid),
  text(0x0008_1155, 'UI', image.sopInstanceUid),
];

/** The same by study and series, as documents keep their evidence (PS3.3 table C.17-3). */
export const evidence = (tag: number, place: ObjectPlace): Element =>
  sequence(tag, false, [
    sequence(0x0008_1115, false, [
      sequence(0x0008_1199, false, imageReference(place)),
      text(0x0020_000e, 'UI', place.image.seriesInstanceUid),
    ]),
    text(0x0020_000d, 'UI', place.studyInstanceUid),
  ]);

/** Eight bits a sample, red, green and blue (PS3.3 section C.7.6.3). */
export const colourPixelElements = (rows: number, columns: number): Element[] => [
  numbers(0x0028_0002, 'US', 3),
  text(0x0028_0004, 'CS', 'RGB'),
  numbers(0x0028_0006, 'US', 0),
  numbers(0x0028_0010, 'US', rows),
  numbers(0x0028_0011, 'US', columns),
  numbers(0x0028_0100, 'US', 8),
  numbers(0x0028_0101, 'US', 8),
  numbers(0x0028_0102, 'US', 7),
  numbers(0x0028_0103, 'US', 0),
];
