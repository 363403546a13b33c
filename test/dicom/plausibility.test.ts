import dcmjs from 'dcmjs';
import { describe, expect, it } from 'vitest';
import { isCharacterSet } from '../../src/dicom/charset.ts';
import { identify } from '../../src/dicom/identity.ts';
import { doubtsAbout } from '../../src/dicom/plausibility.ts';
import { DICOMDIR } from '../../src/dicom/sop-classes.ts';
import { isStorageClass } from '../../src/dicom/storage-classes.ts';
import { type Built, ct, ENCODINGS, part10 } from './builder.ts';
import { faultOf, scanWhole } from './support.ts';

function doubts(more: readonly Built[], encoding: (typeof ENCODINGS)[number] = 'explicit-le') {
  const bytes = part10(ct(more), encoding);
  const found = scanWhole(bytes);
  return doubtsAbout(found, identify(bytes, found));
}

const uid = (tag: number, value: string): Built => ({ tag, vr: 'UI', value });
const ROOT = '1.2.840.10008.5.1.4.1.1';

describe('an ordinary instance', () => {
  it.each(ENCODINGS)('gives no doubt in %s', (encoding) => {
    expect(doubts([], encoding)).toEqual([]);
  });
});

describe('a SOP class', () => {
  const { DicomMetaDictionary: dictionary } = dcmjs.data as unknown as {
    DicomMetaDictionary: { sopClassNamesByUID: Record<string, string> };
  };
  const known = dictionary.sopClassNamesByUID;

  it('is known when dcmjs knows it', () => {
    expect(Object.keys(known).length).toBeGreaterThanOrEqual(30);
    for (const one of Object.keys(known)) expect([one, isStorageClass(one)]).toEqual([one, true]);
  });

  it.each([
    ['an enhanced CT', `${ROOT}.2.1`],
    ['a mammogram for processing', `${ROOT}.1.2.1`],
    ['a retired ultrasound', `${ROOT}.6`],
    ['a key object selection', `${ROOT}.88.59`],
    ['an encapsulated PDF', `${ROOT}.104.1`],
    ['a segmentation of 2023', `${ROOT}.66.7`],
    ['an RT plan', `${ROOT}.481.5`],
    ['a disc', DICOMDIR],
  ])('of %s is known', (_, one) => {
    expect(isStorageClass(one)).toBe(true);
  });

  it.each([
    ['of a vendor', '1.3.12.2.1107.5.9.1'],
    ['that is yet to come', `${ROOT}.999`],
    ['that is the root of them', ROOT],
    ['of luggage', `${ROOT}.501.1`],
    ['of no instance but a service', '1.2.840.10008.1.1'],
    ['that begins like one', `${ROOT}.2.1.`.slice(0, -1).concat('0')],
  ])('%s is doubted, and no more than that', (_, one) => {
    expect(doubts([uid(0x00080016, one)])).toEqual(['SOP_CLASS_UNKNOWN']);
  });
});

describe('a UID', () => {
  it.each([
    ['with a leading zero', 0x00080018, '1.2.03.4'],
    ['with a leading zero in front', 0x0020000d, '01.2.3'],
    ['of zeros', 0x0020000e, '1.2.00'],
    ['of a series that is empty', 0x0020000e, ''],
    ['of a study that is empty', 0x0020000d, ''],
  ])('%s is doubted', (_, tag, value) => {
    expect(doubts([uid(tag, value)])).toEqual(['UID_INVALID']);
  });

  it('of 64 characters, or with single zeros, is in order', () => {
    expect(doubts([uid(0x0020000d, `1.2.0.${'9'.repeat(58)}`), uid(0x0020000e, '0.0.1')])).toEqual([]);
  });

  it.each(['1.2.x', '1..2', '1.2.', `1.${'2'.repeat(63)}`])('%s is none, and refused before', (value) => {
    const bytes = part10(ct([uid(0x0020000d, value)]), 'explicit-le');
    expect(faultOf(() => scanWhole(bytes)).code).toBe('MALFORMED');
  });

  it('is not asked of the series of a disc', () => {
    const elements = ct([uid(0x00080016, DICOMDIR)]).filter(({ tag }) => tag < 0x00200000);
    const bytes = part10(elements, 'explicit-le');
    const found = scanWhole(bytes);
    expect(doubtsAbout(found, identify(bytes, found))).toEqual([]);
  });
});

describe('a character set', () => {
  it.each([
    '',
    'ISO_IR 100',
    'ISO_IR 192 ',
    'GB18030',
    'GBK',
    '\\ISO 2022 IR 87',
    'ISO 2022 IR 6\\ISO 2022 IR 13\\ISO 2022 IR 159',
    ' ISO 2022 IR 149\\ISO 2022 IR 58',
  ])('%j is defined', (terms) => {
    expect(isCharacterSet(terms)).toBe(true);
  });

  it.each([
    'ISO_IR 6',
    'ISO_IR_100',
    'iso_ir 100',
    'ISO_IR 87',
    'ISO 2022 IR 192',
    'UTF-8',
    'ISO_IR 100\\LATIN1',
  ])('%j is not', (terms) => {
    expect(isCharacterSet(terms)).toBe(false);
    expect(doubts([{ tag: 0x00080005, vr: 'CS', value: terms }])).toEqual(['CHARSET_UNKNOWN']);
  });
});
