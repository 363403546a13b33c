import { DICOMDIR } from './sop-classes.ts';

/** Suffixes behind 1.2.840.10008.5.1.4, the root of nearly every storage class. */
const SUFFIXES = [
  // CR, DX, MG, IO, CT, US, MR, NM and secondary capture.
  ...under('1.1', '1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3 3.1 4 4.1 4.2 4.3 4.4 5 6 6.1 6.2 6.3'),
  ...under('1.1', '7 7.1 7.2 7.3 7.4'),
  // Standalone overlays, curves and look-up tables; waveforms.
  ...under('1.1', '8 9 10 11'),
  ...under('1.1.9', '1 1.1 1.2 1.3 1.4 2.1 3.1 4.1 4.2 5.1 6.1 6.2 7.1 7.2 7.3 7.4 8.1'),
  // Presentation states.
  ...under('1.1.11', '1 2 3 4 5 6 7 8 9 10 11 12'),
  // Angiography, 3D X-ray, tomosynthesis, intravascular OCT, nuclear medicine, parametric maps.
  ...under('1.1', '12.1 12.1.1 12.2 12.2.1 12.3 12.77 13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 14.1 14.2 20 30 40'),
  // Raw data, registration, segmentation, surfaces.
  ...under('1.1', '66 66.1 66.2 66.3 66.4 66.5 66.6 66.7 66.8 67 68.1 68.2'),
  // Visible light, microscopy, ophthalmology.
  ...under('1.1.77', '1 2 1.1 1.1.1 1.2 1.2.1 1.3 1.4 1.4.1 1.6 1.7 1.8 1.9'),
  ...under('1.1.77.1.5', '1 2 3 4 5 6 7 8'),
  ...under('1.1', '78.1 78.2 78.3 78.4 78.5 78.6 78.7 78.8 79.1 80.1 81.1 82.1'),
  // Structured reports.
  ...under('1.1.88', '1 2 3 4 11 22 33 34 35 40 50 59 65 67 68 69 70 71 72 73 74 75 76 77'),
  // Assessments, annotations, encapsulated documents, PET, structured displays.
  ...under('1.1', '90.1 91.1 104.1 104.2 104.3 104.4 104.5 128 128.1 129 130 131'),
  // Protocols and inventories.
  ...under('1.1', '200.1 200.2 200.3 200.7 200.8 201.1'),
  // Radiotherapy.
  ...under('1.1.481', '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25'),
  ...under('34', '1 7 10'),
  // Hanging protocols, colour palettes, implant templates.
  '38.1',
  '39.1',
  '43.1',
  '44.1',
  '45.1',
];

function under(family: string, members: string): string[] {
  return members.split(' ').map((member) => `${family}.${member}`);
}

/** Stored prints and hardcopies, all retired, and the directory of a disc. */
const ELSEWHERE = ['1.2.840.10008.5.1.1.27', '1.2.840.10008.5.1.1.29', '1.2.840.10008.5.1.1.30', DICOMDIR];

const known: ReadonlySet<string> = new Set([
  ...SUFFIXES.map((suffix) => `1.2.840.10008.5.1.4.${suffix}`),
  ...ELSEWHERE,
]);

/**
 * True for the classes of stored instances: PS3.4 table B.5-1, the non-patient objects, and those that
 * were retired. What DICOS and DICONDE keep under the same root (501, 601) screens luggage and material:
 * in a hospital it is as unknown as a private class.
 */
export function isStorageClass(uid: string): boolean {
  return known.has(uid);
}
