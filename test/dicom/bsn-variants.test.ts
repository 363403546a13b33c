import { describe, expect, it } from 'vitest';
import { type BsnFinding, decideBsn } from '../../src/dicom/bsn.ts';
import { identify } from '../../src/dicom/identity.ts';
import { bsnInPid3 } from '../../src/dicom/pid3.ts';
import type { Encoding } from '../../src/dicom/scan.ts';
import { type Built, bsnItem, ct, part10 } from './builder.ts';
import { ANNA, BERT, scanWhole } from './support.ts';

const OID = '2.16.840.1.113883.2.4.6.3';
const SHORT = '21622401';
const ZERO = `0${SHORT}`;

/** One way in which a number sits in an instance, or in PID-3; what is found; what is decided. */
interface Variant {
  readonly name: string;
  readonly has: readonly Built[] | string;
  readonly finds?: readonly (readonly [
    BsnFinding['value'],
    BsnFinding['source'],
    BsnFinding['confidence'],
  ])[];
  /** The BSN, or `conflict`, or nothing. */
  readonly decides?: string;
  readonly invalid?: boolean;
  readonly foreign?: readonly number[];
  readonly encoding?: Encoding;
}

const patientId = (value: string): Built => ({ tag: 0x00100020, vr: 'LO', value });
const issuer = (value: string): Built => ({ tag: 0x00100021, vr: 'LO', value });
const qualifiers = (...oids: readonly string[]): Built => {
  const items = oids.map((value): Built[] => [{ tag: 0x00400032, vr: 'UT', value }]);
  return { tag: 0x00100024, vr: 'SQ', items };
};
const retired = (value: string | Uint8Array, vr = 'LO'): Built => ({ tag: 0x00101000, vr, value });
const others = (items: readonly (readonly Built[])[], more: Partial<Built> = {}): Built => {
  return { tag: 0x00101002, vr: 'SQ', items, ...more };
};
const bert: readonly Built[] = [
  { tag: 0x00100010, vr: 'PN', value: 'Pietersen^Bert' },
  patientId('77'),
  retired(BERT),
];
const nested = [[BERT, 'nested', 'foreign']] as const;

const variants: readonly Variant[] = [
  { name: 'nowhere', has: [] },
  {
    name: 'as Patient ID, by its sum alone',
    has: [patientId(ANNA)],
    finds: [[ANNA, '0010,0020', 'hint']],
  },
  {
    name: 'as Patient ID of the issuer NLMINBIZA',
    has: [patientId(ANNA), issuer('NLMINBIZA')],
    finds: [[ANNA, '0010,0020', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'as Patient ID whose issuer is the OID',
    has: [patientId(ANNA), issuer(OID)],
    finds: [[ANNA, '0010,0020', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'as Patient ID whose issuer is an HD triplet',
    has: [patientId(ANNA), issuer(`NLMINBIZA&${OID}&ISO`)],
    finds: [[ANNA, '0010,0020', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'as Patient ID whose issuer is a triplet without a name',
    has: [patientId(ANNA), issuer(`&${OID}&ISO`)],
    finds: [[ANNA, '0010,0020', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'as Patient ID whose qualifiers hold the OID',
    has: [patientId(ANNA), issuer('ZUID'), qualifiers(OID)],
    finds: [[ANNA, '0010,0020', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'as Patient ID whose second qualifiers hold the OID, where there may be one',
    has: [patientId(ANNA), qualifiers('1.2.3', OID)],
    finds: [[ANNA, '0010,0020', 'hint']],
  },
  {
    name: 'as Patient ID that another hospital issued',
    has: [patientId(ANNA), issuer('ZUID'), qualifiers('1.2.3')],
    finds: [[ANNA, '0010,0020', 'hint']],
  },
  {
    name: 'as Patient ID of the issuer without its leading zero',
    has: [patientId(SHORT), issuer('NLMINBIZA')],
    finds: [[ZERO, '0010,0020', 'issuer']],
    decides: ZERO,
  },
  {
    name: 'as Patient ID of the issuer, padded with NUL',
    has: [patientId(`${ANNA}\0`), issuer('NLMINBIZA\0')],
    finds: [[ANNA, '0010,0020', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'as letters where the issuer says BSN',
    has: [patientId('onbekend'), issuer('NLMINBIZA')],
    invalid: true,
  },
  {
    name: 'as nine zeros where the issuer says BSN',
    has: [patientId('000000000'), issuer(OID)],
    invalid: true,
  },
  {
    name: 'as a number that fails the 11-proof where the issuer says BSN',
    has: [others([bsnItem('999940003')])],
    invalid: true,
  },
  {
    name: 'in the retired place, padded with spaces',
    has: [retired(` ${ANNA}    `)],
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in the retired place as eight digits, which hospitals give their patients, too',
    has: [retired(`${SHORT}\\10${SHORT}99`)],
    finds: [[ZERO, '0010,1000', 'hint']],
  },
  {
    name: 'in the retired place twice',
    has: [retired(`${ANNA}\\ ${ANNA} `)],
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in the retired place with and without its leading zero',
    has: [retired(`${ZERO}\\${SHORT}`)],
    finds: [[ZERO, '0010,1000', 'agreed-place']],
    decides: ZERO,
  },
  {
    name: 'in the retired place beside numbers that cannot be one',
    has: [retired(`02025066011\\${ANNA}\\Z-77`)],
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in the retired place beside another that can be one',
    has: [retired(`${ANNA}\\${BERT}`)],
    finds: [
      [ANNA, '0010,1000', 'hint'],
      [BERT, '0010,1000', 'hint'],
    ],
  },
  { name: 'as nine zeros in the retired place', has: [retired('000000000')] },
  { name: 'as letters in the retired place', has: [retired('A99990019\\9999 90019')] },
  {
    name: 'in the retired place of VR UN',
    has: [retired(`${ANNA} `, 'UN')],
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in the retired place, without VRs',
    has: [retired(ANNA)],
    encoding: 'implicit-le',
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in the retired place, in big endian',
    has: [retired(ANNA)],
    encoding: 'explicit-be',
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in the retired place under a Japanese character set',
    has: [{ tag: 0x00080005, vr: 'CS', value: '\\ISO 2022 IR 87' }, retired(ANNA)],
    finds: [[ANNA, '0010,1000', 'agreed-place']],
    decides: ANNA,
  },
  {
    name: 'in an item of other ids that says so',
    has: [others([bsnItem(ANNA)])],
    finds: [[ANNA, '0010,1002', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in an item of other ids that says so by the OID alone',
    has: [others([[patientId(ANNA), qualifiers(OID)]])],
    finds: [[ANNA, '0010,1002', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in an item of other ids that does not say so',
    has: [others([[patientId(ANNA), { tag: 0x00100022, vr: 'CS', value: 'TEXT' }]])],
    finds: [[ANNA, '0010,1002', 'hint']],
  },
  {
    name: 'in the second of two items, in sequences and items without a length',
    has: [others([[patientId('77'), issuer('ZUID')], bsnItem(ANNA)], { open: true, openItems: true })],
    finds: [[ANNA, '0010,1002', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in an item of other ids of VR UN',
    has: [others([bsnItem(ANNA)], { vr: 'UN' })],
    finds: [[ANNA, '0010,1002', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in an item of other ids of VR UN without a length, in big endian',
    has: [others([bsnItem(ANNA)], { vr: 'UN', open: true })],
    encoding: 'explicit-be',
    finds: [[ANNA, '0010,1002', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in two items of other ids, and not the same',
    has: [others([bsnItem(ANNA), bsnItem(BERT)])],
    finds: [
      [ANNA, '0010,1002', 'issuer'],
      [BERT, '0010,1002', 'issuer'],
    ],
    decides: 'conflict',
  },
  {
    name: 'in three places that agree',
    has: [patientId(ANNA), issuer('NLMINBIZA'), retired(ANNA), others([bsnItem(ANNA), bsnItem(ANNA)])],
    finds: [
      [ANNA, '0010,0020', 'issuer'],
      [ANNA, '0010,1002', 'issuer'],
      [ANNA, '0010,1000', 'agreed-place'],
    ],
    decides: ANNA,
  },
  {
    name: 'in two places that do not agree',
    has: [retired(ANNA), others([bsnItem(BERT)])],
    finds: [
      [BERT, '0010,1002', 'issuer'],
      [ANNA, '0010,1000', 'agreed-place'],
    ],
    decides: 'conflict',
  },
  {
    name: 'as a claim beside a hint that is another number',
    has: [patientId(BERT), others([bsnItem(ANNA)])],
    finds: [
      [BERT, '0010,0020', 'hint'],
      [ANNA, '0010,1002', 'issuer'],
    ],
    decides: ANNA,
  },
  {
    name: 'as Medical Record Locator',
    has: [{ tag: 0x00101090, vr: 'LO', value: `77\\${ANNA}` }],
    finds: [[ANNA, '0010,1090', 'hint']],
  },
  {
    name: 'in what somebody wrote about the patient',
    has: [
      { tag: 0x001021b0, vr: 'LT', value: `zie ${BERT}` },
      { tag: 0x00104000, vr: 'LT', value: `BSN: ${ANNA}.\r\nof 9999.90.020, niet 999990019` },
      { tag: 0x00204000, vr: 'LT', value: `(${ANNA})` },
    ],
    finds: [
      [BERT, '0010,21B0', 'hint'],
      [ANNA, '0010,4000', 'hint'],
      [BERT, '0010,4000', 'hint'],
      [ANNA, '0020,4000', 'hint'],
    ],
  },
  {
    name: 'as a part of what somebody wrote and is no number of nine digits',
    has: [{ tag: 0x00104000, vr: 'LT', value: `1${ANNA} ${ANNA}0 1.2.${ANNA}.4 ${SHORT} 19700101` }],
  },
  {
    name: 'as that of another in the private history of an archive',
    has: [
      retired(ANNA),
      { tag: 0x55330010, vr: 'LO', value: 'Visus Change' },
      { tag: 0x55331005, vr: 'SQ', items: [[], bert] },
    ],
    encoding: 'implicit-le',
    finds: [[ANNA, '0010,1000', 'agreed-place'], ...nested],
    decides: ANNA,
    foreign: [0x55331005],
  },
  {
    name: 'as that of another in a private sequence of VR UN, and nowhere else',
    has: [
      { tag: 0x55330010, vr: 'LO', value: 'Visus Change' },
      { tag: 0x55331005, vr: 'UN', items: [[...bert, issuer('NLMINBIZA')]], open: true },
    ],
    finds: nested,
    foreign: [0x55331005],
  },
  { name: 'in a private element of its own', has: [{ tag: 0x00111010, vr: 'LO', value: ANNA }] },
  {
    name: 'in a referenced patient, with its issuer',
    has: [{ tag: 0x00081120, vr: 'SQ', items: [[patientId(BERT), issuer('NLMINBIZA')]] }],
    finds: nested,
    foreign: [0x00081120],
  },
  {
    name: 'in a referenced request',
    has: [{ tag: 0x0040a370, vr: 'SQ', items: [[others([bsnItem(BERT)])]] }],
    finds: nested,
    foreign: [0x0040a370],
  },
  {
    name: 'among the original attributes that were coerced',
    has: [
      {
        tag: 0x04000561,
        vr: 'SQ',
        items: [
          [
            { tag: 0x04000550, vr: 'SQ', items: [[retired(BERT)]] },
            { tag: 0x04000565, vr: 'CS', value: 'COERCE' },
          ],
        ],
      },
    ],
    finds: nested,
  },
  {
    name: 'among the original attributes that were corrected',
    has: [
      {
        tag: 0x04000561,
        vr: 'SQ',
        items: [
          [
            { tag: 0x04000550, vr: 'SQ', items: [[retired(BERT)]] },
            { tag: 0x04000565, vr: 'CS', value: 'CORRECT' },
          ],
        ],
      },
    ],
    finds: nested,
    foreign: [0x04000561],
  },
  {
    name: 'in PID-3 with its authority and type',
    has: `${ANNA}^^^NLMINBIZA^NNNLD`,
    finds: [[ANNA, 'pid-3', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in PID-3 with an HD triplet, behind the local number',
    has: `02025066011^^^ADT1^MR^ERASMUS MC~${ANNA}^^^NLMINBIZA&${OID}&ISO^NNNLD`,
    finds: [[ANNA, 'pid-3', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in PID-3 with the OID alone, in front of the local number',
    has: `${ANNA}^^^&${OID}&ISO^NNNLD~ZD12345678^^^ZorgDomein^VN`,
    finds: [[ANNA, 'pid-3', 'issuer']],
    decides: ANNA,
  },
  {
    name: 'in PID-3 by its type alone, or by its sum alone',
    has: `${ANNA}^^^^NNNLD~${BERT}^^^ADT1^MR`,
    finds: [
      [ANNA, 'pid-3', 'hint'],
      [BERT, 'pid-3', 'hint'],
    ],
  },
  { name: 'not in PID-3, which says of what', has: '^^^NLMINBIZA^NNNLD~""^^^NLMINBIZA^NNNLD' },
];

describe('a BSN', () => {
  it('sits, or does not sit, in at least 40 ways', () => {
    expect(new Set(variants.map(({ name }) => name)).size).toBe(variants.length);
    expect(variants.length).toBeGreaterThanOrEqual(40);
  });

  it.each(variants)('$name', ({ has, finds = [], decides, invalid = false, foreign = [], encoding }) => {
    const expected = finds.map(([value, source, confidence]) => ({ value, source, confidence }));
    const decision = decides === 'conflict' ? { conflict: true } : decides && { bsn: decides };
    if (typeof has === 'string') {
      expect(bsnInPid3(has)).toEqual(expected);
      expect(decideBsn(bsnInPid3(has))).toEqual(decision);
      return;
    }
    const bytes = part10(ct(has), encoding ?? 'explicit-le');
    const identity = identify(bytes, scanWhole(bytes));
    expect(identity.bsn).toEqual(expected);
    expect(decideBsn(identity.bsn)).toEqual(decision);
    expect(identity.bsnInvalid).toBe(invalid);
    expect(identity.foreign.map(({ tag }) => tag)).toEqual(foreign);
  });
});
