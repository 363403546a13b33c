import type { Encoding } from '../../../src/dicom/scan.ts';
import { type Built, part10, SYNTAX } from '../../dicom/builder.ts';

const BASIC_TEXT_SR = '1.2.840.10008.5.1.4.1.1.88.11';
export const SR_UID = '1.2.826.0.1.3680043.8.498.1';
const STUDY_UID = '1.2.826.0.1.3680043.8.498.2';

/** An element of text in the encoding of the document around it, which the builder writes byte for character. */
export type Write = (text: string) => Buffer;
export const latin1: Write = (text) => Buffer.from(text, 'latin1');
export const utf8: Write = (text) => Buffer.from(text, 'utf8');

export const code = (tag: number, meaning: Uint8Array, value = '121', scheme = '99SLUIS'): Built => ({
  tag,
  vr: 'SQ',
  items: [
    [
      { tag: 0x00080100, vr: 'SH', value },
      { tag: 0x00080102, vr: 'SH', value: scheme },
      { tag: 0x00080104, vr: 'LO', value: meaning },
    ],
  ],
});

/** A content item: relationship, value type, name, value, and the items below it. */
export function item(
  relationship: string,
  type: string,
  concept: Uint8Array | undefined,
  value: readonly Built[] = [],
  children: readonly (readonly Built[])[] = [],
): Built[] {
  return [
    { tag: 0x0040a010, vr: 'CS', value: relationship },
    { tag: 0x0040a040, vr: 'CS', value: type },
    ...(concept === undefined ? [] : [code(0x0040a043, concept)]),
    ...value,
    ...(children.length === 0
      ? []
      : [{ tag: 0x0040a730, vr: 'SQ', items: children, open: true, openItems: true }]),
  ].sort((a, b) => a.tag - b.tag);
}

export const textItem = (concept: Uint8Array, text: Uint8Array): Built[] =>
  item('CONTAINS', 'TEXT', concept, [{ tag: 0x0040a160, vr: 'UT', value: text }]);

export interface SrOptions {
  readonly charset?: string;
  readonly write?: Write;
  readonly encoding?: Encoding;
  readonly content?: readonly (readonly Built[])[];
  /** Merged in; replaces what has its tag. */
  readonly more?: readonly Built[];
  /** Tags that it is without. */
  readonly absent?: readonly number[];
}

/** A Basic Text SR of invented people; Part 10, as a whole. */
export function sr(options: SrOptions = {}): Buffer {
  const { charset = 'ISO_IR 100', write = latin1, encoding = 'explicit-le', more = [] } = options;
  const content = options.content ?? [textItem(write('Conclusie'), write('Geen afwijkingen.'))];
  const usual: Built[] = [
    { tag: 0x00080005, vr: 'CS', value: charset },
    { tag: 0x00080016, vr: 'UI', value: BASIC_TEXT_SR },
    { tag: 0x00080018, vr: 'UI', value: SR_UID },
    { tag: 0x00080020, vr: 'DA', value: '20240229' },
    { tag: 0x00080023, vr: 'DA', value: '20240301' },
    { tag: 0x00080030, vr: 'TM', value: '093015.5' },
    { tag: 0x00080033, vr: 'TM', value: '101500' },
    { tag: 0x00080050, vr: 'SH', value: 'A2024000007' },
    { tag: 0x00080060, vr: 'CS', value: 'SR' },
    { tag: 0x00080070, vr: 'LO', value: 'RIS' },
    { tag: 0x00080080, vr: 'LO', value: write('Ziekenhuis Zuiderdiep') },
    { tag: 0x00080090, vr: 'PN', value: write('Groß^José^^dr.') },
    { tag: 0x00081030, vr: 'LO', value: 'CT thorax' },
    { tag: 0x00100010, vr: 'PN', value: write('Müller-de Léon^Zoë^^mevr.') },
    { tag: 0x00100020, vr: 'LO', value: '02025066011' },
    { tag: 0x00100021, vr: 'LO', value: 'ZZD' },
    { tag: 0x00100030, vr: 'DA', value: '19620417' },
    { tag: 0x00100040, vr: 'CS', value: 'F' },
    { tag: 0x0020000d, vr: 'UI', value: STUDY_UID },
    { tag: 0x0020000e, vr: 'UI', value: '1.2.826.0.1.3680043.8.498.3' },
    { tag: 0x00200010, vr: 'SH', value: '7' },
    { tag: 0x00200011, vr: 'IS', value: '1' },
    { tag: 0x00200013, vr: 'IS', value: '1' },
    { tag: 0x0040a040, vr: 'CS', value: 'CONTAINER' },
    code(0x0040a043, write('Verslag röntgen'), '18748-4', 'LN'),
    { tag: 0x0040a050, vr: 'CS', value: 'SEPARATE' },
    { tag: 0x0040a491, vr: 'CS', value: 'COMPLETE' },
    { tag: 0x0040a493, vr: 'CS', value: 'UNVERIFIED' },
    { tag: 0x0040a730, vr: 'SQ', items: content },
  ];
  const replaced = new Set([...more.map(({ tag }) => tag), ...(options.absent ?? [])]);
  const elements = [...usual.filter(({ tag }) => !replaced.has(tag)), ...more].sort((a, b) => a.tag - b.tag);
  return part10(elements, encoding, SYNTAX[encoding]);
}

/** (0040,A073) with one observer. */
export const observer = (name: Uint8Array, organization: string, at: string): Built => ({
  tag: 0x0040a073,
  vr: 'SQ',
  items: [
    [
      { tag: 0x0040a027, vr: 'LO', value: organization },
      { tag: 0x0040a030, vr: 'DT', value: at },
      { tag: 0x0040a075, vr: 'PN', value: name },
    ],
  ],
});
