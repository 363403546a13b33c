import { EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, part10 } from '../part10.ts';
import { bigPrivateBlock, correctedIdentity, privateElements } from '../private-elements.ts';
import { bytes, type Element, type Encoding, elementHead, numbers, raw, sequence, text } from '../writer.ts';
import { base, type OddForm, TAGGED } from './form.ts';

/** A private block in front of the patient with each VR of PS3.5 table 7.1-1 (the long ones) and some others. */
const everyVr = (): Element[] => [
  text(0x0009_0010, 'LO', 'SLUIS_SYNTHETIC'),
  bytes(0x0009_1001, 'OB', Buffer.of(1, 2, 3)),
  bytes(0x0009_1002, 'OD', Buffer.alloc(16, 1)),
  bytes(0x0009_1003, 'OF', Buffer.alloc(12, 2)),
  bytes(0x0009_1004, 'OL', Buffer.alloc(8, 3)),
  bytes(0x0009_1005, 'OV', Buffer.alloc(8, 4)),
  bytes(0x0009_1006, 'OW', Buffer.alloc(6, 5)),
  numbers(0x0009_1007, 'SV', -5),
  numbers(0x0009_1008, 'UV', 2 ** 40),
  text(0x0009_1009, 'UC', 'zonder grens'),
  text(0x0009_100a, 'UR', 'https://example.org/a'),
  text(0x0009_100b, 'UT', 'tekst'),
  bytes(0x0009_100c, 'UN', Buffer.of(9, 8, 7, 6)),
  numbers(0x0009_100d, 'AT', 0x0010_0020, 0x7fe0_0010),
  numbers(0x0009_100e, 'FL', 0.5),
  numbers(0x0009_100f, 'FD', -0.25),
  text(0x0009_1010, 'DT', '20240229093015.5+0100'),
  text(0x0009_1011, 'LT', 'regel\r\nregel'),
  sequence(0x0009_1012, true, [text(0x0008_0104, 'LO', 'x')], []),
  sequence(0x0009_1013, false, []),
];

const codes = (depth: number, open: boolean): Element[] =>
  depth === 0 ? [text(0x0008_0104, 'LO', 'diep')] : [sequence(0x0008_0121, open, codes(depth - 1, open))];

/** A value of odd length, which PS3.5 section 6.2 forbids. */
const oddText = (tag: number, value: string, encoding: Encoding): Element =>
  raw(tag, elementHead(tag, 'LO', value.length, encoding), Buffer.from(value, 'latin1'));

/** Lists of elements by name; the same three times, since what is in UN is implicit whatever is around it. */
function forms(encoding: Encoding): Record<string, Element[]> {
  const items = [text(0x0008_0100, 'SH', 'A'), text(0x0008_0104, 'LO', 'B')];
  const un = { ...sequence(0x0008_1032, false, items, []), vr: 'UN' } as const;
  return {
    'every-vr': everyVr(),
    'private-blocks': privateElements(1, true),
    'private-big': bigPrivateBlock(1024 * 1024),
    'private-undefined-length': [
      text(0x0009_0010, 'LO', 'SLUIS_SYNTHETIC'),
      { ...sequence(0x0009_1001, true, items, codes(2, true)), vr: 'UN' },
    ],
    'un-sequence': [un],
    'un-undefined': [{ ...un, open: true, openItems: true }],
    'un-undefined-closed-items': [{ ...un, open: true }],
    'corrected-identity': correctedIdentity(false),
    'corrected-identity-open': correctedIdentity(true),
    'corrected-identity-un': correctedIdentity(true).map((element) =>
      'items' in element ? { ...element, vr: 'UN' as const } : element,
    ),
    deep: codes(60, true),
    'deep-closed': codes(60, false),
    'odd-lengths': [
      oddText(0x0008_1030, 'onevens', encoding),
      oddText(0x0010_0010, 'Jansen^An', encoding),
      oddText(0x0010_0020, '1234567', encoding),
    ],
    'empty-values': [text(0x0010_0010, 'PN'), text(0x0010_0030, 'DA'), numbers(0x0010_9431, 'FL')],
    'icon-in-a-sequence': [icon()],
    'delimiters-in-values': [
      bytes(0x0009_1001, 'OB', Buffer.from('feffdde000000000feff0de000000000'.repeat(20), 'hex')),
      text(0x0009_0010, 'LO', 'SLUIS_SYNTHETIC'),
    ],
    'patient-comments-long': [text(0x0010_4000, 'LT', 'opmerking '.repeat(900))],
  };
}

/** Icon Image Sequence (PS3.3 section C.7.6.1.1.6): pixel data inside an item. */
const icon = (): Element =>
  sequence(0x0088_0200, true, [
    numbers(0x0028_0002, 'US', 1),
    text(0x0028_0004, 'CS', 'MONOCHROME2'),
    numbers(0x0028_0010, 'US', 4),
    numbers(0x0028_0011, 'US', 4),
    numbers(0x0028_0100, 'US', 8),
    numbers(0x0028_0101, 'US', 8),
    numbers(0x0028_0102, 'US', 7),
    numbers(0x0028_0103, 'US', 0),
    bytes(0x7fe0_0010, 'OB', Buffer.alloc(16, 9)),
  ]);

export function oddElements(): OddForm[] {
  const encodings = [
    ['explicit', EXPLICIT_LE],
    ['implicit', IMPLICIT_LE],
    ['big-endian', EXPLICIT_BE],
  ] as const;
  return encodings.flatMap(([encoding, syntax]) =>
    Object.entries(forms(encoding)).map(([name, more]) => ({
      name: `${name}-${encoding}`,
      bytes: part10(base(more), syntax),
      expected: TAGGED,
    })),
  );
}
