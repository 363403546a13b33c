import { type Element, sequence, text } from './writer.ts';

/** An invented person. Values are DICOM's: name with carets, birth date as YYYYMMDD. */
export interface SyntheticPatient {
  readonly name: string;
  /** The hospital's own number: eleven digits and no issuer, as Dutch scanners send it. */
  readonly patientId: string;
  /** From the range that is never given to a person. */
  readonly bsn: string;
  readonly birthDate: string;
  readonly sex: 'M' | 'F' | 'O';
}

export const ANNELIES: SyntheticPatient = {
  name: 'van der Berg^Annelies^^mevr.',
  patientId: '02025066011',
  bsn: '999990019',
  birthDate: '19620417',
  sex: 'F',
};

/**
 * Where the instance holds the BSN when it is made:
 * `retired-1000` Other Patient IDs (0010,1000), as real Dutch data does; `sequence-1002` an item of
 * Other Patient IDs Sequence; `patient-id` instead of the local number; `none` nowhere.
 */
export type BsnPlace = 'retired-1000' | 'sequence-1002' | 'patient-id' | 'none';

/** The Patient module (PS3.3 section C.7.1.1). `open` writes the sequence with undefined length. */
export function patientElements(patient: SyntheticPatient, bsnIn: BsnPlace, open: boolean): Element[] {
  const elements = [
    text(0x0010_0010, 'PN', patient.name),
    text(0x0010_0020, 'LO', bsnIn === 'patient-id' ? patient.bsn : patient.patientId),
    text(0x0010_0030, 'DA', patient.birthDate),
    text(0x0010_0040, 'CS', patient.sex),
  ];
  if (bsnIn === 'retired-1000') elements.push(text(0x0010_1000, 'LO', patient.bsn));
  if (bsnIn === 'sequence-1002') elements.push(otherPatientId(patient.bsn, open));
  return elements;
}

/** The item of the Dutch guideline, as somebody else may have written it before. */
export function otherPatientId(bsn: string, open: boolean): Element {
  const qualifiers = [
    text(0x0040_0032, 'UT', '2.16.840.1.113883.2.4.6.3'),
    text(0x0040_0033, 'CS', 'ISO'),
    text(0x0040_0035, 'CS', 'NNNLD'),
  ];
  return sequence(0x0010_1002, open, [
    text(0x0010_0020, 'LO', bsn),
    text(0x0010_0021, 'LO', 'NLMINBIZA'),
    text(0x0010_0022, 'CS', 'TEXT'),
    sequence(0x0010_0024, open, qualifiers),
  ]);
}
