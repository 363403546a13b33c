import { EXPLICIT_LE, IMPLICIT_LE, part10 } from '../part10.ts';
import {
  type Element,
  elementHead,
  encodeAsGiven,
  ITEM,
  itemHead,
  raw,
  sequence,
  text,
  UNDEFINED_LENGTH,
} from '../writer.ts';
import { base, dataset, file, type OddForm, refused } from './form.ts';

/** An element whose length is `stated`, whatever its value is. */
const lying = (tag: number, vr: 'OB' | 'SQ' | 'UT', stated: number, value = 'abcd'): Element =>
  raw(tag, elementHead(tag, vr, stated, 'explicit'), Buffer.from(value));

const nested = (depth: number): Element[] =>
  depth === 0 ? [] : [sequence(0x0008_0121, true, nested(depth - 1))];

/** Ascending up to the patient, then one of the general elements once more. */
function outOfOrder(): Element[] {
  const elements = base();
  const at = elements.findIndex(({ tag }) => tag === 0x0010_0020);
  return [...elements.slice(0, at), text(0x0008_0050, 'SH', 'A2'), ...elements.slice(at)];
}

const twice = (): Element[] => base().flatMap((one) => (one.tag === 0x0010_0020 ? [one, one] : [one]));

const itemOf = (value: Buffer, length = value.byteLength): Buffer =>
  Buffer.concat([itemHead(ITEM, length), value]);

/** Heads that cannot be read exactly: each is refused, with tag, offset and reason. */
export function broken(): OddForm[] {
  const whole = file(dataset());
  const nameAt = whole.indexOf(Buffer.from('10001000504e', 'hex'));
  const MALFORMED = refused('MALFORMED');
  const TRUNCATED = refused('TRUNCATED');
  const of = (...elements: Element[]): Buffer => part10(base(elements), EXPLICIT_LE);
  const forms: [string, Buffer, OddForm['expected']][] = [
    ['implicit-under-explicit', file(dataset([], IMPLICIT_LE)), refused('SYNTAX_LIES')],
    ['explicit-under-implicit', file(dataset(), IMPLICIT_LE), refused('SYNTAX_LIES')],
    ['big-under-little', file(dataset([], '1.2.840.10008.1.2.2')), refused('SYNTAX_LIES')],
    ['syntax-unknown', file(dataset(), '1.2.3.4.5'), refused('SYNTAX_UNSUPPORTED')],
    ['out-of-order', file(encodeAsGiven(outOfOrder(), 'explicit')), MALFORMED],
    ['twice', file(encodeAsGiven(twice(), 'explicit')), MALFORMED],
    ['vr-unknown', of(raw(0x0009_1001, Buffer.from('090001105a5a040061626364', 'hex'))), MALFORMED],
    ['vr-of-blanks', of(raw(0x0009_1001, Buffer.from('090001102020040061626364', 'hex'))), MALFORMED],
    ['longer-than-the-file', of(lying(0x0009_1001, 'OB', 0xff_ff_ff_fe)), TRUNCATED],
    ['longer-by-little', of(lying(0x0009_1001, 'OB', 100_000)), TRUNCATED],
    ['nested-too-deep', of(...nested(70)), refused('TOO_DEEP')],
    ['nested-by-thousands', file(deepest(3000)), refused('TOO_DEEP')],
    [
      'without-delimiter',
      of(raw(0x0008_1032, elementHead(0x0008_1032, 'SQ', UNDEFINED_LENGTH, 'explicit'))),
      MALFORMED,
    ],
    ['undefined-text', of(lying(0x0010_4000, 'UT', UNDEFINED_LENGTH)), MALFORMED],
    ['others-no-sequence', of(text(0x0010_1002, 'LO', 'ABC')), MALFORMED],
    ['others-no-items', of(lying(0x0010_1002, 'SQ', 4)), MALFORMED],
    ['others-item-too-long', of(othersOf(itemOf(Buffer.alloc(8), 100))), MALFORMED],
    ['others-element-in-two', of(othersOf(itemOf(Buffer.from('100020004c4f08003132', 'hex')))), MALFORMED],
    ['others-huge', of(others(400)), MALFORMED],
    ['group-length-of-two', of(raw(0x0010_0000, Buffer.from('10000000554c02000000', 'hex'))), MALFORMED],
    ['uid-of-letters', of(text(0x0020_000d, 'UI', '1.2.x.4')), MALFORMED],
    ['uid-with-path', of(text(0x0008_0018, 'UI', '1.2/../../3')), MALFORMED],
    ['head-cut', whole.subarray(0, nameAt + 4), TRUNCATED],
    ['head-cut-in-a-value', whole.subarray(0, nameAt + 12), TRUNCATED],
  ];
  return forms.map(([name, content, expected]) => ({ name, bytes: content, expected }));
}

const othersOf = (value: Buffer): Element =>
  raw(0x0010_1002, elementHead(0x0010_1002, 'SQ', value.byteLength, 'explicit'), value);

const others = (count: number): Element =>
  sequence(
    0x0010_1002,
    false,
    ...Array.from({ length: count }, (_, index) => [
      text(0x0010_0020, 'LO', `ID-${index.toString().padStart(40, '0')}`),
      text(0x0010_0021, 'LO', 'ZUIDERDIEP'.repeat(12)),
    ]),
  );

/** Sequences in each other, more than a stack holds, behind the one element that a dataset begins with. */
function deepest(depth: number): Buffer {
  const level = Buffer.concat([
    elementHead(0x0008_0121, 'SQ', UNDEFINED_LENGTH, 'explicit'),
    itemHead(ITEM, UNDEFINED_LENGTH),
  ]);
  const first = encodeAsGiven(base().slice(0, 1), 'explicit');
  return Buffer.concat([first, ...Array.from({ length: depth }, () => level)]);
}
