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
