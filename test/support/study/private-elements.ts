import { bytes, type Element, numbers, sequence, text } from './writer.ts';

/**
 * Private blocks such as GE scanners write (PS3.5 section 7.8). Group 0009 lies between the UIDs and the
 * patient, so that a scanner of heads has to get past it; `open` writes its sequence with undefined length.
 */
export function privateElements(slice: number, open: boolean): Element[] {
  return [
    text(0x0009_0010, 'LO', 'GEMS_IDEN_01'),
    text(0x0009_1001, 'LO', 'GE_GENESIS_FF'),
    text(0x0009_1002, 'SH', 'CT01'),
    numbers(0x0009_1027, 'SL', 1_066_135_502 + slice),
    bytes(0x0009_10f1, 'OB', Buffer.alloc(301, slice)),
    text(0x0019_0010, 'LO', 'GEMS_ACQU_01'),
    numbers(0x0019_1002, 'SL', 912),
    text(0x0019_1003, 'DS', '389.75'),
    text(0x0019_0011, 'LO', 'SLUIS_SYNTHETIC'),
    sequence(0x0019_1101, open, [text(0x0008_0104, 'LO', 'kalibratie'), numbers(0x0028_0010, 'US', slice)]),
    text(0x0043_0010, 'LO', 'GEMS_PARM_01'),
    text(0x0043_1010, 'DS', '4', '1.5'),
    bytes(0x0043_1029, 'UN', Buffer.from('\u0001\u0002\u0003', 'latin1')),
  ];
}

/** A private block of `size` bytes in front of the patient: 1 MB was seen, more than any first look takes. */
export function bigPrivateBlock(size: number): Element[] {
  return [text(0x0009_0010, 'LO', 'SLUIS_SYNTHETIC'), bytes(0x0009_1001, 'OB', Buffer.alloc(size, 0x2a))];
}

/** Somebody else than the patient, whose number passes the 11-proof too. */
export const BERT = {
  name: 'de Vries^Bert',
  patientId: '02025066099',
  bsn: '999990020',
  birthDate: '19510630',
};

/**
 * What a Dutch archive leaves behind when it corrects an identity: the person that the study was under
 * before, in a private sequence (research: 296 of 297 real files, 73 with a number of somebody else).
 */
export function correctedIdentity(open: boolean): Element[] {
  const before = [
    text(0x0010_0010, 'PN', BERT.name),
    text(0x0010_0020, 'LO', BERT.patientId),
    text(0x0010_0030, 'DA', BERT.birthDate),
    text(0x0010_1000, 'LO', BERT.bsn),
  ];
  return [
    text(0x5533_0055, 'LO', 'Visus Change'),
    sequence(0x5533_5533, open, [text(0x0008_0014, 'UI', '2.25.1'), ...before]),
  ];
}
