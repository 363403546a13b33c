import { code, evidence, imageReference, type ObjectForm } from './object-form.ts';
import { bytes, type Element, sequence, text } from './writer.ts';

/** What the report says; Dutch, with letters outside ASCII. */
const PARAGRAPHS = [
  ['Klinische gegevens', 'Dyspnoe sinds één week. Ruis over de rechter onderkwab, graag beoordeling.'],
  ['Verslag', 'Geen infiltraat. Coëfficiënt van de nodus in S8 ongewijzigd; geen pleuravocht.'],
  ['Conclusie', 'Geen aanwijzingen voor een pneumonie. Zie ook het onderzoek van vóór de ingreep.'],
] as const;

const textItem = (heading: string, value: string, index: number): Element[] => [
  text(0x0040_a010, 'CS', 'CONTAINS'),
  text(0x0040_a040, 'CS', 'TEXT'),
  code(0x0040_a043, `99${index.toString()}`, '99SLUIS', heading),
  text(0x0040_a160, 'UT', value),
];

/** Basic Text SR, PS3.3 section A.35.1. */
export const BASIC_TEXT_SR: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11',
  modality: 'SR',
  elements: (place) => [
    text(0x0008_0023, 'DA', '20240229'),
    text(0x0008_0033, 'TM', '101500'),
    sequence(0x0008_1111, false),
    text(0x0040_a040, 'CS', 'CONTAINER'),
    code(0x0040_a043, '18748-4', 'LN', 'Diagnostic imaging report'),
    text(0x0040_a050, 'CS', 'SEPARATE'),
    sequence(0x0040_a372, false),
    evidence(0x0040_a375, place),
    text(0x0040_a491, 'CS', 'COMPLETE'),
    text(0x0040_a493, 'CS', 'UNVERIFIED'),
    sequence(
      0x0040_a730,
      true,
      ...PARAGRAPHS.map(([heading, value], index) => textItem(heading, value, index + 1)),
      [
        text(0x0040_a010, 'CS', 'CONTAINS'),
        text(0x0040_a040, 'CS', 'IMAGE'),
        sequence(0x0008_1199, true, imageReference(place)),
      ],
    ),
  ],
};

/** Key Object Selection Document, PS3.3 section A.35.4. */
export const KEY_OBJECT_SELECTION: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.88.59',
  modality: 'KO',
  elements: (place) => [
    text(0x0008_0023, 'DA', '20240229'),
    text(0x0008_0033, 'TM', '101500'),
    sequence(0x0008_1111, false),
    text(0x0040_a040, 'CS', 'CONTAINER'),
    code(0x0040_a043, '113000', 'DCM', 'Of Interest'),
    text(0x0040_a050, 'CS', 'SEPARATE'),
    evidence(0x0040_a375, place),
    sequence(0x0040_a504, false, [text(0x0008_0105, 'CS', 'DCMR'), text(0x0040_db00, 'CS', '2010')]),
    sequence(0x0040_a730, false, [
      sequence(0x0008_1199, false, imageReference(place)),
      text(0x0040_a010, 'CS', 'CONTAINS'),
      text(0x0040_a040, 'CS', 'IMAGE'),
    ]),
  ],
};

/** The smallest document that readers open: one empty page. Its cross references are right. */
export function smallPdf(): Buffer {
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>',
  ];
  let document = '%PDF-1.4\n';
  let table = `xref\n0 ${(objects.length + 1).toString()}\n0000000000 65535 f \n`;
  for (const [index, object] of objects.entries()) {
    table += `${document.length.toString().padStart(10, '0')} 00000 n \n`;
    document += `${(index + 1).toString()} 0 obj\n${object}\nendobj\n`;
  }
  const trailer = `trailer\n<</Size ${(objects.length + 1).toString()}/Root 1 0 R>>`;
  return Buffer.from(
    `${document}${table}${trailer}\nstartxref\n${document.length.toString()}\n%%EOF\n`,
    'latin1',
  );
}

/** Encapsulated PDF, PS3.3 section A.45.1. */
export const ENCAPSULATED_PDF: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1',
  modality: 'DOC',
  elements: () => [
    text(0x0008_0023, 'DA', '20240229'),
    text(0x0008_0033, 'TM', '101500'),
    text(0x0008_002a, 'DT'),
    text(0x0008_0064, 'CS', 'WSD'),
    text(0x0028_0301, 'CS', 'YES'),
    sequence(0x0040_a043, false),
    text(0x0042_0010, 'ST', 'Uitslagbrief'),
    text(0x0042_0012, 'LO', 'application/pdf'),
    bytes(0x0042_0011, 'OB', smallPdf()),
  ],
};
