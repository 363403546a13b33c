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
  otherPatientNames: 0x00101001,
  otherPatientIdsSequence: 0x00101002,
  medicalRecordLocator: 0x00101090,
  additionalPatientHistory: 0x001021b0,
  patientComments: 0x00104000,
  studyInstanceUid: 0x0020000d,
  seriesInstanceUid: 0x0020000e,
  imageComments: 0x00204000,
  samplesPerPixel: 0x00280002,
  photometricInterpretation: 0x00280004,
  numberOfFrames: 0x00280008,
  rows: 0x00280010,
  columns: 0x00280011,
  bitsAllocated: 0x00280100,
  universalEntityId: 0x00400032,
  universalEntityIdType: 0x00400033,
  identifierTypeCode: 0x00400035,
  floatPixelData: 0x7fe00008,
  doubleFloatPixelData: 0x7fe00009,
  dataElementsSigned: 0x04000020,
  modifiedAttributes: 0x04000550,
  originalAttributes: 0x04000561,
  attributeModificationDateTime: 0x04000562,
  modifyingSystem: 0x04000563,
  sourceOfPreviousValues: 0x04000564,
  reasonForModification: 0x04000565,
  macParameters: 0x4ffe0001,
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

export function isPrivate(tag: number): boolean {
  return groupOf(tag) % 2 === 1;
}

/** True for (gggg,0000), which counts the bytes of its group (PS3.5 section 7.2; retired, and seen). */
export function isGroupLength(tag: number): boolean {
  return (tag & 0xffff) === 0;
}
