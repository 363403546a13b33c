import { type ByteVr, LONG_VRS, type NumberVr, numberBytes, type TextVr, type Vr, wordBytes } from './vr.ts';

/** The encodings the generator writes (PS3.5 sections 7.1.2, 7.1.3 and 7.3); the first two are little endian. */
export type Encoding = 'explicit' | 'implicit' | 'big-endian';

/** One data element. `tag` is group and element in one number: 0x00100010. */
export type Element =
  | { readonly tag: number; readonly vr: TextVr; readonly text: string }
  | { readonly tag: number; readonly vr: NumberVr; readonly numbers: readonly number[] }
  | { readonly tag: number; readonly vr: ByteVr; readonly bytes: Uint8Array }
  | SequenceElement
  /** Written as it is, whatever the encoding: what is wrong on purpose. The tag says where it stands. */
  | { readonly tag: number; readonly vr: 'raw'; readonly raw: Uint8Array };

export interface SequenceElement {
  readonly tag: number;
  /** UN: the items are implicit little endian inside (PS3.5 section 6.2.2 note 4). */
  readonly vr: 'SQ' | 'UN';
  readonly items: readonly (readonly Element[])[];
  /** Write the sequence with undefined length and a delimiter. */
  readonly open: boolean;
  /** The same for its items. */
  readonly openItems: boolean;
}

/** Several values are joined with a backslash; odd lengths are padded when written. */
export const text = (tag: number, vr: TextVr, ...values: readonly (string | number)[]): Element => ({
  tag,
  vr,
  text: values.join('\\'),
});

export const numbers = (tag: number, vr: NumberVr, ...values: readonly number[]): Element => ({
  tag,
  vr,
  numbers: values,
});

/** Words in `value` are little endian; they are turned around where the encoding wants it. */
export const bytes = (tag: number, vr: ByteVr, value: Uint8Array): Element => ({ tag, vr, bytes: value });

export const sequence = (
  tag: number,
  open: boolean,
  ...items: readonly (readonly Element[])[]
): SequenceElement => ({ tag, vr: 'SQ', items, open, openItems: open });

export const raw = (tag: number, ...parts: readonly Uint8Array[]): Element => ({
  tag,
  vr: 'raw',
  raw: Buffer.concat(parts),
});

export const UNDEFINED_LENGTH = 0xff_ff_ff_ff;
export const ITEM = 0xff_fe_e0_00;
const ITEM_DELIMITER = 0xff_fe_e0_0d;
export const SEQUENCE_DELIMITER = 0xff_fe_e0_dd;

/** The dataset's bytes, elements sorted by tag on every level as the standard wants (PS3.5 section 7.1). */
export function encode(elements: readonly Element[], encoding: Encoding): Buffer {
  return encodeAsGiven(
    elements.toSorted((a, b) => a.tag - b.tag),
    encoding,
  );
}

/** The same in the order given, on the top level: for datasets that are wrong on purpose. */
export function encodeAsGiven(elements: readonly Element[], encoding: Encoding): Buffer {
  return Buffer.concat(elements.map((element) => encodeElement(element, encoding)));
}

/** Tag, VR and length: what stands before a value of `length` bytes. */
export function elementHead(tag: number, vr: Vr, length: number, encoding: Encoding): Buffer {
  const long = encoding !== 'implicit' && LONG_VRS.has(vr);
  const head = Buffer.alloc(long ? 12 : 8);
  writeTag(head, tag, encoding);
  if (encoding === 'implicit') {
    head.writeUInt32LE(length, 4);
    return head;
  }
  head.write(vr, 4, 'latin1');
  if (long) writeUint32(head, length, 8, encoding);
  else if (encoding === 'big-endian') head.writeUInt16BE(length, 6);
  else head.writeUInt16LE(length, 6);
  return head;
}

/** An item or delimiter: it has no VR in any encoding (PS3.5 section 7.5). */
export function itemHead(tag: number, length: number, encoding: Encoding = 'explicit'): Buffer {
  const head = Buffer.alloc(8);
  writeTag(head, tag, encoding);
  writeUint32(head, length, 4, encoding);
  return head;
}

function encodeElement(element: Element, encoding: Encoding): Buffer {
  if (element.vr === 'raw') return Buffer.from(element.raw);
  if ('items' in element) return encodeSequence(element, encoding);
  const value = valueBytes(element, encoding === 'big-endian');
  return Buffer.concat([elementHead(element.tag, element.vr, value.byteLength, encoding), value]);
}

function encodeSequence({ tag, vr, items, open, openItems }: SequenceElement, encoding: Encoding): Buffer {
  const inside = vr === 'UN' ? 'implicit' : encoding;
  const content = Buffer.concat(items.map((item) => encodeItem(item, openItems, inside)));
  const head = elementHead(tag, vr, open ? UNDEFINED_LENGTH : content.byteLength, encoding);
  const end = open ? [itemHead(SEQUENCE_DELIMITER, 0, inside)] : [];
  return Buffer.concat([head, content, ...end]);
}

function encodeItem(item: readonly Element[], open: boolean, encoding: Encoding): Buffer {
  const content = encode(item, encoding);
  const head = itemHead(ITEM, open ? UNDEFINED_LENGTH : content.byteLength, encoding);
  return Buffer.concat([head, content, ...(open ? [itemHead(ITEM_DELIMITER, 0, encoding)] : [])]);
}

function valueBytes(element: Exclude<Element, SequenceElement | { vr: 'raw' }>, bigEndian: boolean): Buffer {
  if ('text' in element) return padded(Buffer.from(element.text, 'latin1'), element.vr === 'UI' ? 0 : 0x20);
  if ('bytes' in element) return padded(wordBytes(element.vr, element.bytes, bigEndian), 0);
  return numberBytes(element.vr, element.numbers, bigEndian);
}

/** PS3.5 section 6.2: every value has an even length. */
function padded(value: Buffer, padding: number): Buffer {
  return value.byteLength % 2 === 0 ? value : Buffer.concat([value, Buffer.of(padding)]);
}

function writeTag(head: Buffer, tag: number, encoding: Encoding): void {
  if (encoding === 'big-endian') {
    head.writeUInt32BE(tag >>> 0, 0);
    return;
  }
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xff_ff, 2);
}

function writeUint32(head: Buffer, value: number, at: number, encoding: Encoding): void {
  if (encoding === 'big-endian') head.writeUInt32BE(value, at);
  else head.writeUInt32LE(value, at);
}
