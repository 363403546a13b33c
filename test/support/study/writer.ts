/** The two encodings the generator writes (PS3.5 sections 7.1.2 and 7.1.3), both little endian. */
export type Encoding = 'explicit' | 'implicit';

type TextVr = 'AE' | 'AS' | 'CS' | 'DA' | 'DS' | 'IS' | 'LO' | 'PN' | 'SH' | 'TM' | 'UI' | 'UT';
type NumberVr = 'US' | 'SS' | 'UL' | 'SL';
type ByteVr = 'OB' | 'OW' | 'UN';
export type Vr = TextVr | NumberVr | ByteVr | 'SQ';

/** One data element. `tag` is group and element in one number: 0x00100010. */
export type Element =
  | { readonly tag: number; readonly vr: TextVr; readonly text: string }
  | { readonly tag: number; readonly vr: NumberVr; readonly numbers: readonly number[] }
  | { readonly tag: number; readonly vr: ByteVr; readonly bytes: Uint8Array }
  | {
      readonly tag: number;
      readonly vr: 'SQ';
      readonly items: readonly (readonly Element[])[];
      /** Write the sequence and its items with undefined length and delimiters. */
      readonly open: boolean;
    };

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

export const bytes = (tag: number, vr: ByteVr, value: Uint8Array): Element => ({ tag, vr, bytes: value });

export const sequence = (tag: number, open: boolean, ...items: readonly (readonly Element[])[]): Element => ({
  tag,
  vr: 'SQ',
  items,
  open,
});

export const UNDEFINED_LENGTH = 0xff_ff_ff_ff;
export const ITEM = 0xff_fe_e0_00;
const ITEM_DELIMITER = 0xff_fe_e0_0d;
export const SEQUENCE_DELIMITER = 0xff_fe_e0_dd;

/** PS3.5 table 7.1-1: these have two reserved bytes and a 32 bit length. */
const LONG_VRS: ReadonlySet<Vr> = new Set<Vr>(['OB', 'OW', 'UN', 'UT', 'SQ']);
const NUMBER_BYTES: Readonly<Record<NumberVr, number>> = { US: 2, SS: 2, UL: 4, SL: 4 };

/** The dataset's bytes, elements sorted by tag on every level as the standard wants (PS3.5 section 7.1). */
export function encode(elements: readonly Element[], encoding: Encoding): Buffer {
  const sorted = elements.toSorted((a, b) => a.tag - b.tag);
  return Buffer.concat(sorted.map((element) => encodeElement(element, encoding)));
}

/** Tag, VR and length: what stands before a value of `length` bytes. */
export function elementHead(tag: number, vr: Vr, length: number, encoding: Encoding): Buffer {
  const long = encoding === 'explicit' && LONG_VRS.has(vr);
  const head = Buffer.alloc(long ? 12 : 8);
  writeTag(head, tag);
  if (encoding === 'implicit') {
    head.writeUInt32LE(length, 4);
    return head;
  }
  head.write(vr, 4, 'latin1');
  if (long) head.writeUInt32LE(length, 8);
  else head.writeUInt16LE(length, 6);
  return head;
}

/** An item or delimiter: it has no VR in any encoding (PS3.5 section 7.5). */
export function itemHead(tag: number, length: number): Buffer {
  const head = Buffer.alloc(8);
  writeTag(head, tag);
  head.writeUInt32LE(length, 4);
  return head;
}

function encodeElement(element: Element, encoding: Encoding): Buffer {
  if (element.vr === 'SQ') return encodeSequence(element.tag, element.items, element.open, encoding);
  const value = valueBytes(element);
  return Buffer.concat([elementHead(element.tag, element.vr, value.byteLength, encoding), value]);
}

function encodeSequence(
  tag: number,
  items: readonly (readonly Element[])[],
  open: boolean,
  encoding: Encoding,
): Buffer {
  const encoded = items.flatMap((item) => {
    const content = encode(item, encoding);
    if (!open) return [itemHead(ITEM, content.byteLength), content];
    return [itemHead(ITEM, UNDEFINED_LENGTH), content, itemHead(ITEM_DELIMITER, 0)];
  });
  const content = Buffer.concat(encoded);
  if (!open) return Buffer.concat([elementHead(tag, 'SQ', content.byteLength, encoding), content]);
  const head = elementHead(tag, 'SQ', UNDEFINED_LENGTH, encoding);
  return Buffer.concat([head, content, itemHead(SEQUENCE_DELIMITER, 0)]);
}

function valueBytes(element: Exclude<Element, { vr: 'SQ' }>): Buffer {
  if ('text' in element) return padded(Buffer.from(element.text, 'latin1'), element.vr === 'UI' ? 0 : 0x20);
  if ('bytes' in element) return padded(Buffer.from(element.bytes), 0);
  const size = NUMBER_BYTES[element.vr];
  const value = Buffer.alloc(element.numbers.length * size);
  const signed = element.vr === 'SS' || element.vr === 'SL';
  element.numbers.forEach((number, index) => {
    if (signed) value.writeIntLE(number, index * size, size);
    else value.writeUIntLE(number, index * size, size);
  });
  return value;
}

/** PS3.5 section 6.2: every value has an even length. */
function padded(value: Buffer, padding: number): Buffer {
  return value.byteLength % 2 === 0 ? value : Buffer.concat([value, Buffer.of(padding)]);
}

function writeTag(head: Buffer, tag: number): void {
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xff_ff, 2);
}
