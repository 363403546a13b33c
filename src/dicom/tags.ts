/** A tag as one number: group in the upper 16 bits, element in the lower. Numbers sort as tags do. */
export const Tag = {
  metaGroupLength: 0x00020000,
  mediaStorageSopClassUid: 0x00020002,
  mediaStorageSopInstanceUid: 0x00020003,
  transferSyntaxUid: 0x00020010,
  specificCharacterSet: 0x00080005,
  sopClassUid: 0x00080016,
  sopInstanceUid: 0x00080018,
  accessionNumber: 0x00080050,
  modality: 0x00080060,
  patientGroupLength: 0x00100000,
  patientName: 0x00100010,
  patientId: 0x00100020,
  issuerOfPatientId: 0x00100021,
  typeOfPatientId: 0x00100022,
  issuerOfPatientIdQualifiers: 0x00100024,
  patientBirthDate: 0x00100030,
  patientSex: 0x00100040,
  /** Retired in PS3.3 2017a, and where Dutch archives do keep the BSN. */
  otherPatientIds: 0x00101000,
  otherPatientIdsSequence: 0x00101002,
  studyInstanceUid: 0x0020000d,
  seriesInstanceUid: 0x0020000e,
  universalEntityId: 0x00400032,
  universalEntityIdType: 0x00400033,
  identifierTypeCode: 0x00400035,
  pixelData: 0x7fe00010,
  dataSetTrailingPadding: 0xfffcfffc,
  item: 0xfffee000,
  itemEnd: 0xfffee00d,
  sequenceEnd: 0xfffee0dd,
} as const;

/** `0010,1002` */
export function tagText(tag: number): string {
  const digits = tag.toString(16).padStart(8, '0').toUpperCase();
  return `${digits.slice(0, 4)},${digits.slice(4)}`;
}

export function groupOf(tag: number): number {
  return tag >>> 16;
}
