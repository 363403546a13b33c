import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, encodingOf, IMPLICIT_LE, part10 } from '../part10.ts';
import { ANNELIES, otherPatientId } from '../patient.ts';
import { BERT } from '../private-elements.ts';
import { type Element, encode, numbers, sequence, text } from '../writer.ts';
import { base, type OddForm, TAGGED } from './form.ts';

const SYNTAXES = {
  explicit: EXPLICIT_LE,
  implicit: IMPLICIT_LE,
  'big-endian': EXPLICIT_BE,
  deflated: DEFLATED_LE,
} as const;

const OTHER_IDS = 0x0010_1002;
const local = (id: string): Element[] => [
  text(0x0010_0020, 'LO', id),
  text(0x0010_0021, 'LO', 'ZUIDERDIEP'),
  text(0x0010_0022, 'CS', 'TEXT'),
];
const one = local('ABC');
/** Five characters: padded. */
const two = local('ABCDE');

/** Every state of (0010,1002), and of what stands beside it in group 0010, by name. */
function states(): Record<string, Element[]> {
  const closed = sequence(OTHER_IDS, false, one);
  const both = sequence(OTHER_IDS, false, one, two);
  return {
    plain: [],
    'others-empty': [sequence(OTHER_IDS, false)],
    'others-empty-open': [sequence(OTHER_IDS, true)],
    'others-1': [closed],
    'others-2': [both],
    'others-open': [sequence(OTHER_IDS, true, one, two)],
    'others-open-closed-items': [{ ...both, open: true }],
    'others-closed-open-items': [{ ...both, openItems: true }],
    'others-empty-item': [sequence(OTHER_IDS, false, [], one)],
    'others-un': [{ ...closed, vr: 'UN' }],
    'others-un-open': [{ ...closed, vr: 'UN', open: true, openItems: true }],
    'others-un-empty': [{ ...sequence(OTHER_IDS, false), vr: 'UN' }],
    'bsn-there': [otherPatientId(ANNELIES.bsn, false)],
    'bsn-there-open': [otherPatientId(ANNELIES.bsn, true)],
    'bsn-retired': [text(0x0010_1000, 'LO', ANNELIES.bsn)],
    'bsn-retired-of-several': [text(0x0010_1000, 'LO', 'ABC', ANNELIES.bsn, 'X')],
    'retired-empty': [text(0x0010_1000, 'LO')],
    'retired-other': [text(0x0010_1000, 'LO', 'ABCDE')],
    'id-empty': [text(0x0010_0020, 'LO')],
    'id-longest': [text(0x0010_0020, 'LO', '7'.repeat(64))],
    'id-with-issuer': [text(0x0010_0021, 'LO', 'ZUIDERDIEP')],
    'id-with-issuer-empty': [text(0x0010_0021, 'LO')],
    'id-with-type': [text(0x0010_0022, 'CS', 'TEXT')],
    'id-with-qualifiers': [qualifiers(false)],
    'id-with-qualifiers-open': [text(0x0010_0021, 'LO', 'ZUIDERDIEP'), qualifiers(true)],
    'id-is-bsn': [text(0x0010_0020, 'LO', ANNELIES.bsn)],
    'id-is-bsn-with-issuer': [
      text(0x0010_0020, 'LO', ANNELIES.bsn),
      text(0x0010_0021, 'LO', 'NLMINBIZA'),
      text(0x0010_0022, 'CS', 'TEXT'),
    ],
    'attributes-original': [original(false, 'SLUIS')],
    'attributes-original-open': [original(true, 'ANDERS')],
    'attributes-original-un': [{ ...original(false, 'ANDERS'), vr: 'UN' }],
    'attributes-original-empty': [sequence(0x0400_0561, false)],
    'charset-several': [
      text(0x0008_0005, 'CS', '', 'ISO 2022 IR 87'),
      text(0x0010_0010, 'PN', 'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B'),
    ],
  };
}

const qualifiers = (open: boolean): Element =>
  sequence(0x0010_0024, open, [
    text(0x0040_0032, 'UT', '2.16.528.1.1007.3.3.12345678'),
    text(0x0040_0033, 'CS', 'ISO'),
  ]);

/** Somebody else changed the description of the study before. */
const original = (open: boolean, system: string) =>
  sequence(0x0400_0561, open, [
    sequence(0x0400_0550, open, [text(0x0008_1030, 'LO', 'CT thorax')]),
    text(0x0400_0562, 'DT', '20240301120000'),
    text(0x0400_0563, 'LO', system),
    text(0x0400_0564, 'LO'),
    text(0x0400_0565, 'CS', 'CORRECT'),
  ]);

/** All of them in each encoding, some with group lengths, and the absence of a Patient ID. */
export function oddPatients(): OddForm[] {
  return Object.entries(SYNTAXES).flatMap(([name, syntax]) => [
    ...Object.entries(states()).map(([state, more]) => ({
      name: `${state}-${name}`,
      bytes: part10(base(more), syntax),
      expected: TAGGED,
    })),
    ...lengthForms(syntax).map(([state, elements]) => ({
      name: `${state}-${name}`,
      bytes: part10(elements, syntax),
      expected: TAGGED,
    })),
    { name: `id-absent-${name}`, bytes: part10(base([], [0x0010_0020]), syntax), expected: TAGGED },
    { name: `patient-absent-${name}`, bytes: part10(withoutPatient(), syntax), expected: TAGGED },
  ]);
}

/** Group lengths (retired, PS3.5 section 7.2): in all groups, and a wrong one beside a sequence. */
function lengthForms(syntax: string): [string, Element[]][] {
  const others = sequence(OTHER_IDS, true, local(BERT.patientId));
  const wrong = base([others, numbers(0x0010_0000, 'UL', 12)]);
  const toEnd = numbers(0x0008_0001, 'UL', 4242);
  return [
    ['group-lengths', withGroupLengths(base([toEnd]), syntax)],
    ['group-lengths-others', withGroupLengths(base([others]), syntax)],
    ['group-length-wrong', wrong],
  ];
}

function withGroupLengths(elements: readonly Element[], syntax: string): Element[] {
  const groups = new Map<number, Element[]>();
  for (const element of elements) {
    const group = element.tag >>> 16;
    groups.set(group, [...(groups.get(group) ?? []), element]);
  }
  return [...groups].flatMap(([group, members]) => [
    numbers(group * 0x1_00_00, 'UL', encode(members, encodingOf(syntax)).byteLength),
    ...members,
  ]);
}

const withoutPatient = (): Element[] => base().filter(({ tag }) => tag >>> 16 !== 0x0010);
