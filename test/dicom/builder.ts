import type { Encoding } from '../../src/dicom/scan.ts';

/** An element for the builder; `items` makes it a sequence. Shares no code with src. */
export interface Built {
  readonly tag: number;
  readonly vr: string;
  readonly value?: string | Uint8Array;
  readonly items?: readonly (readonly Built[])[];
  /** The sequence, its items, or both, end at delimiters. */
  readonly open?: boolean;
  readonly openItems?: boolean;
  /** From this item on they have lengths nevertheless. */
  readonly closedFrom?: number;
  /** Writes this length instead of the right one. */
  readonly lie?: number;
}

export const CT_CLASS = '1.2.840.10008.5.1.4.1.1.2';
export const SYNTAX: Readonly<Record<Encoding, string>> = {
  'implicit-le': '1.2.840.10008.1.2',
  'explicit-le': '1.2.840.10008.1.2.1',
  'explicit-be': '1.2.840.10008.1.2.2',
};
export const ENCODINGS = ['explicit-le', 'implicit-le', 'explicit-be'] as const;

const LONG = ['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'];
const UNDEFINED = 0xffffffff;

export function dataset(elements: readonly Built[], encoding: Encoding): Buffer {
  return Buffer.concat(elements.map((element) => encodeElement(element, encoding)));
}

/** Preamble (0xAA throughout, to see that it is kept), file meta, dataset. */
export function part10(elements: readonly Built[], encoding: Encoding, syntax = SYNTAX[encoding]): Buffer {
  const meta = dataset(
    [
      { tag: 0x00020002, vr: 'UI', value: CT_CLASS },
      { tag: 0x00020003, vr: 'UI', value: '1.2.3.4' },
      { tag: 0x00020010, vr: 'UI', value: syntax },
    ],
    'explicit-le',
  );
  const group = { tag: 0x00020000, vr: 'UL', value: number32(meta.byteLength, 'explicit-le') };
  const preamble = Buffer.alloc(128, 0xaa);
  return Buffer.concat([
    preamble,
    Buffer.from('DICM'),
    dataset([group], 'explicit-le'),
    meta,
    dataset(elements, encoding),
  ]);
}

/** What nearly every instance has; `more` is merged in tag order, and replaces what has its tag. */
export function ct(more: readonly Built[] = []): Built[] {
  const usual: Built[] = [
    { tag: 0x00080005, vr: 'CS', value: 'ISO_IR 100' },
    { tag: 0x00080016, vr: 'UI', value: CT_CLASS },
    { tag: 0x00080018, vr: 'UI', value: '1.2.3.4' },
    { tag: 0x00080050, vr: 'SH', value: 'A1' },
    { tag: 0x00080060, vr: 'CS', value: 'CT' },
    { tag: 0x00100010, vr: 'PN', value: 'Jansen^Anna' },
    { tag: 0x00100020, vr: 'LO', value: '02025066011' },
    { tag: 0x00100030, vr: 'DA', value: '19700101' },
    { tag: 0x00100040, vr: 'CS', value: 'F' },
    { tag: 0x0020000d, vr: 'UI', value: '1.2.3' },
    { tag: 0x0020000e, vr: 'UI', value: '1.2.3.5' },
    { tag: 0x00280010, vr: 'US', value: Buffer.alloc(2) },
    { tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(64, 0x5a) },
  ];
  const replaced = new Set(more.map(({ tag }) => tag));
  return [...usual.filter(({ tag }) => !replaced.has(tag)), ...more].sort((a, b) => a.tag - b.tag);
}

/** Puts (gggg,0000) in front of the group, with the length that the group really has, or with another. */
export function counted(
  elements: readonly Built[],
  group: number,
  encoding: Encoding,
  lie?: number,
): Built[] {
  const tag = group * 0x10000;
  const members = elements.filter((element) => element.tag >>> 16 === group && element.tag !== tag);
  const length = lie ?? dataset(members, encoding).byteLength;
  const element = { tag, vr: 'UL', value: number32(length, encoding) };
  return [...elements.filter((one) => one.tag !== tag), element].sort((a, b) => a.tag - b.tag);
}

/** The item that nl-2010 writes, spelled out a second time so that the test does not believe the code. */
export function bsnItem(bsn: string): Built[] {
  return [
    { tag: 0x00100020, vr: 'LO', value: bsn },
    { tag: 0x00100021, vr: 'LO', value: 'NLMINBIZA' },
    { tag: 0x00100022, vr: 'CS', value: 'TEXT' },
    {
      tag: 0x00100024,
      vr: 'SQ',
      items: [
        [
          { tag: 0x00400032, vr: 'UT', value: '2.16.840.1.113883.2.4.6.3' },
          { tag: 0x00400033, vr: 'CS', value: 'ISO' },
          { tag: 0x00400035, vr: 'CS', value: 'NNNLD' },
        ],
      ],
    },
  ];
}

export function number32(value: number, encoding: Encoding): Buffer {
  const bytes = Buffer.alloc(4);
  if (encoding === 'explicit-be') bytes.writeUInt32BE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
}

export function number16(value: number, encoding: Encoding): Buffer {
  const bytes = Buffer.alloc(2);
  if (encoding === 'explicit-be') bytes.writeUInt16BE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
}

function tagBytes(tag: number, encoding: Encoding): Buffer {
  return Buffer.concat([number16(tag >>> 16, encoding), number16(tag & 0xffff, encoding)]);
}

function encodeElement(element: Built, encoding: Encoding): Buffer {
  const value = element.items === undefined ? plain(element) : sequence(element, element.items, encoding);
  const length = element.lie ?? (element.open === true ? UNDEFINED : value.byteLength);
  const tag = tagBytes(element.tag, encoding);
  if (encoding === 'implicit-le') return Buffer.concat([tag, number32(length, encoding), value]);
  const vr = Buffer.from(element.vr, 'latin1');
  if (!LONG.includes(element.vr)) return Buffer.concat([tag, vr, number16(length, encoding), value]);
  return Buffer.concat([tag, vr, Buffer.alloc(2), number32(length, encoding), value]);
}

function plain({ value = '', vr }: Built): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value);
  return bytes.byteLength % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')]);
}

function sequence(element: Built, items: readonly (readonly Built[])[], dataset: Encoding): Buffer {
  const encoding = element.vr === 'UN' ? 'implicit-le' : dataset;
  const { openItems = false, closedFrom = items.length } = element;
  const encoded = items.map((item, index) => encodeItem(item, encoding, openItems && index < closedFrom));
  const end = element.open === true ? [tagBytes(0xfffee0dd, encoding), Buffer.alloc(4)] : [];
  return Buffer.concat([...encoded, ...end]);
}

export function encodeItem(item: readonly Built[], encoding: Encoding, open = false): Buffer {
  const value = Buffer.concat(item.map((element) => encodeElement(element, encoding)));
  const length = number32(open ? UNDEFINED : value.byteLength, encoding);
  const end = open ? [tagBytes(0xfffee00d, encoding), Buffer.alloc(4)] : [];
  return Buffer.concat([tagBytes(0xfffee000, encoding), length, value, ...end]);
}
