import { encodeItem, encodeSequence } from '../../dicom/encode.ts';

type ValueVr = 'CS' | 'DA' | 'DT' | 'IS' | 'LO' | 'OB' | 'PN' | 'SH' | 'ST' | 'TM' | 'UI' | 'UL' | 'UT';

/** An element of a new instance, its value as it is written. Plain data: it may go to a worker. */
export type RawElement =
  | { readonly tag: number; readonly vr: ValueVr; readonly value: Uint8Array }
  | { readonly tag: number; readonly items: readonly (readonly RawElement[])[] };

/** Explicit little endian (PS3.5 section 7.1.2). Elements come in any order and are written by tag. */
export function encodeElements(elements: readonly RawElement[]): Uint8Array[] {
  return elements
    .toSorted((a, b) => a.tag - b.tag)
    .flatMap((element) => {
      if ('value' in element) return [valueHead(element.tag, element.vr, element.value), ...padded(element)];
      const items = element.items.map((item) => encodeItem(encodeElements(item), 'explicit-le'));
      return [encodeSequence(element.tag, items, 'explicit-le')];
    });
}

/** An element of ASCII text. */
export function ascii(tag: number, vr: ValueVr, text: string): RawElement {
  return { tag, vr, value: Buffer.from(text, 'latin1') };
}

export function uint32(tag: number, value: number): RawElement {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return { tag, vr: 'UL', value: bytes };
}

function valueHead(tag: number, vr: ValueVr, value: Uint8Array): Uint8Array {
  const long = vr === 'OB' || vr === 'UT';
  const head = Buffer.alloc(long ? 12 : 8);
  const bytes = value.byteLength + (value.byteLength % 2);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.write(vr, 4, 'latin1');
  if (long) head.writeUInt32LE(bytes, 8);
  else head.writeUInt16LE(bytes, 6);
  return head;
}

/** PS3.5 section 6.2: even length, with a space behind text and a NUL behind the rest. */
function padded({ vr, value }: { vr: ValueVr; value: Uint8Array }): Uint8Array[] {
  if (value.byteLength % 2 === 0) return [value];
  return [value, Uint8Array.of(vr === 'UI' || vr === 'OB' ? 0 : 0x20)];
}
