import dcmjs from 'dcmjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSrDocument, type SrDocument, type SrItem } from '../../../src/study/rendering/sr-document.ts';
import { reportOfSr, srStatus } from '../../../src/study/rendering/sr-report.ts';
import { type Built, ENCODINGS } from '../../dicom/builder.ts';
import { samples, samplesAreHere } from '../../dicom/samples.ts';
import { fuzz } from '../support.ts';
import { code, item, latin1, observer, sr, textItem, utf8 } from './sr-builder.ts';

function read(bytes: Uint8Array): SrDocument {
  const document = readSrDocument(bytes);
  if ('fault' in document) throw new Error(document.fault);
  return document;
}

const faultOf = (bytes: Uint8Array): string => {
  const document = readSrDocument(bytes);
  return 'fault' in document ? document.fault : '';
};

const measurement = item('HAS PROPERTIES', 'NUM', latin1('Diameter'), [
  {
    tag: 0x0040a300,
    vr: 'SQ',
    items: [
      [code(0x004008ea, latin1('millimeter'), 'mm', 'UCUM'), { tag: 0x0040a30a, vr: 'DS', value: '12.5' }],
    ],
  },
]);

const instance = (uid: string, ...more: readonly Built[]): Built => ({
  tag: 0x00081199,
  vr: 'SQ',
  items: [
    [
      { tag: 0x00081150, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.2' },
      { tag: 0x00081155, vr: 'UI', value: uid },
      ...more,
    ],
  ],
});

const linesOf = (document: SrDocument): string[] =>
  reportOfSr(document, 'nl').blocks.map((block) =>
    block.kind === 'entry' ? `${block.label}|${block.text}` : block.text,
  );

describe('a structured report', () => {
  it.each(ENCODINGS)('in %s reads the same', (encoding) => {
    const content = [
      textItem(latin1('Bevindingen'), latin1('Coëfficiënt: één à twee.')),
      item(
        'CONTAINS',
        'CONTAINER',
        latin1('Metingen'),
        [],
        [item('CONTAINS', 'CODE', latin1('Afwijking'), [code(0x0040a168, latin1('Nodus'))], [measurement])],
      ),
    ];
    const document = read(sr({ content, encoding }));

    expect(document.title).toBe('Verslag röntgen');
    expect(document.patient.name).toBe('Müller-de Léon^Zoë^^mevr.');
    expect(document.institution).toBe('Ziekenhuis Zuiderdiep');
    expect(document.content).toEqual([
      {
        relationship: 'CONTAINS',
        concept: 'Bevindingen',
        value: { kind: 'text', text: 'Coëfficiënt: één à twee.' },
        observedAt: '',
        children: [],
      },
      {
        relationship: 'CONTAINS',
        concept: 'Metingen',
        value: { kind: 'container' },
        observedAt: '',
        children: [
          {
            relationship: 'CONTAINS',
            concept: 'Afwijking',
            value: { kind: 'code', text: 'Nodus' },
            observedAt: '',
            children: [
              {
                relationship: 'HAS PROPERTIES',
                concept: 'Diameter',
                value: { kind: 'number', text: '12.5', unit: 'mm', qualifier: '' },
                observedAt: '',
                children: [],
              },
            ],
          },
        ],
      },
    ]);
  });

  it('is decoded with the character set it declares, and an item with its own', () => {
    const letters = 'é ë ï ö ü ß € – Ĳ';
    const inUtf8 = read(
      sr({ charset: 'ISO_IR 192', write: utf8, content: [textItem(utf8('Tekst'), utf8(letters))] }),
    );
    expect(inUtf8.content[0]?.value).toEqual({ kind: 'text', text: letters });
    expect(inUtf8.patient.name).toBe('Müller-de Léon^Zoë^^mevr.');

    const own: Built[] = [
      { tag: 0x00080005, vr: 'CS', value: 'ISO_IR 192' },
      ...textItem(utf8('Café'), utf8(letters)),
    ];
    const mixed = read(sr({ content: [own, textItem(latin1('Café'), latin1('naïef'))] }));
    expect(mixed.content.map(({ concept }) => concept)).toEqual(['Café', 'Café']);
    expect(mixed.content.map(({ value }) => 'text' in value && value.text)).toEqual([letters, 'naïef']);

    const cyrillic = Buffer.from('\x1b-L\xb4\xd0', 'latin1');
    const escaped = read(
      sr({ charset: '\\ISO 2022 IR 144', content: [textItem(latin1('Tekst'), cyrillic)] }),
    );
    expect(escaped.content[0]?.value).toEqual({ kind: 'text', text: 'Да' });
  });

  it('gives every kind of value, and the kinds it does not know by their name', () => {
    const place = Buffer.alloc(12);
    place.writeUInt32LE(1, 0);
    place.writeUInt32LE(2, 4);
    place.writeUInt32LE(70_000, 8);
    const content = [
      item('HAS OBS CONTEXT', 'PNAME', latin1('Waarnemer'), [
        { tag: 0x0040a123, vr: 'PN', value: 'Groot^Eva' },
      ]),
      item('CONTAINS', 'DATE', latin1('Datum'), [{ tag: 0x0040a121, vr: 'DA', value: '20240229' }]),
      item('CONTAINS', 'TIME', latin1('Tijd'), [{ tag: 0x0040a122, vr: 'TM', value: '0930' }]),
      item('CONTAINS', 'DATETIME', latin1('Moment'), [
        { tag: 0x0040a120, vr: 'DT', value: '20240229093015+0100' },
      ]),
      item('CONTAINS', 'UIDREF', latin1('UID'), [{ tag: 0x0040a124, vr: 'UI', value: '1.2.3' }]),
      item('CONTAINS', 'IMAGE', undefined, [
        instance('1.2.3.4', { tag: 0x00081160, vr: 'IS', value: '5\\2' }),
      ]),
      item('CONTAINS', 'COMPOSITE', undefined, [instance('1.2.3.5')]),
      item('CONTAINS', 'SCOORD', latin1('Vorm'), [{ tag: 0x00700023, vr: 'CS', value: 'CIRCLE' }]),
      item('INFERRED FROM', '', undefined, [{ tag: 0x0040db73, vr: 'UL', value: place }]).filter(
        ({ tag }) => tag !== 0x0040a040,
      ),
      item('CONTAINS', 'TABLE', latin1('Tabel')),
      item('CONTAINS', 'NUM', latin1('Volume'), [code(0x0040a301, latin1('Measurement failure'))]),
    ];
    const document = read(sr({ content }));
    expect(document.content.map(({ value }) => value)).toEqual([
      { kind: 'name', text: 'Groot^Eva' },
      { kind: 'date', text: '20240229' },
      { kind: 'time', text: '0930' },
      { kind: 'datetime', text: '20240229093015+0100' },
      { kind: 'uid', text: '1.2.3' },
      { kind: 'instance', of: 'image', sopInstanceUid: '1.2.3.4', frames: '5, 2', segments: '', shownBy: '' },
      { kind: 'instance', of: 'composite', sopInstanceUid: '1.2.3.5', frames: '', segments: '', shownBy: '' },
      { kind: 'coordinates', of: 'CIRCLE' },
      { kind: 'place', text: '1.2.70000' },
      { kind: 'unknown', of: 'TABLE' },
      { kind: 'number', text: '', unit: '', qualifier: 'Measurement failure' },
    ]);
    expect(linesOf(document)).toEqual([
      'Waarnemer|Groot, Eva',
      'Datum|29-02-2024',
      'Tijd|09:30',
      'Moment|29-02-2024 09:30:15 (UTC+0100)',
      'UID|1.2.3',
      '|Beeld 1.2.3.4, frame 5, 2',
      '|Object 1.2.3.5',
      'Vorm|Aanduiding in het beeld: CIRCLE',
      'Afgeleid uit|Zie punt 1.2.70000',
      'Tabel|Niet weergegeven: TABLE',
      'Volume|geen waarde (Measurement failure)',
    ]);
  });
});

describe('what a structured report says beside its texts', () => {
  it.each(ENCODINGS)('in %s: which segments of an image are meant, and how it was shown', (encoding) => {
    const segments = encoding === 'explicit-be' ? [0, 1, 1, 0] : [1, 0, 0, 1];
    const content = [
      item('CONTAINS', 'IMAGE', latin1('Beeld'), [
        instance('1.2.3.4', { tag: 0x00081160, vr: 'IS', value: '7' }, instance('1.2.3.9'), {
          tag: 0x0062000b,
          vr: 'US',
          value: Buffer.from(segments),
        }),
      ]),
    ];
    expect(linesOf(read(sr({ content, encoding })))).toEqual([
      'Beeld|Beeld 1.2.3.4, frame 7, segment 1, 256, weergegeven volgens 1.2.3.9',
    ]);
  });

  it('when something was observed, where that was another day than the report', () => {
    const observed = (at: string, text: string): Built[] =>
      [
        ...textItem(latin1('Bevinding'), latin1(text)),
        { tag: 0x0040a032, vr: 'DT' as const, value: at },
      ].sort((a, b) => a.tag - b.tag);
    const content = [observed('20240301093000', 'Nu.'), observed('20230115', 'Toen.')];
    expect(linesOf(read(sr({ content })))).toEqual([
      'Bevinding',
      'Nu.',
      'Bevinding (waargenomen op 15-01-2023)',
      'Toen.',
    ]);
  });

  it('who wrote it, and which document it replaces or adds to', () => {
    const more: Built[] = [
      {
        tag: 0x0040a078,
        vr: 'SQ',
        items: [
          [{ tag: 0x0040a123, vr: 'PN', value: 'Groot^Eva^^dr.' }],
          [{ tag: 0x0040a123, vr: 'PN', value: 'Bos^Jan' }],
        ],
      },
      {
        tag: 0x0040a360,
        vr: 'SQ',
        items: [
          [
            {
              tag: 0x00081115,
              vr: 'SQ',
              items: [[instance('1.2.3.8'), { tag: 0x0020000e, vr: 'UI', value: '1.2.7' }]],
            },
            { tag: 0x0020000d, vr: 'UI', value: '1.2.6' },
          ],
        ],
      },
    ];
    const { head } = reportOfSr(read(sr({ more })), 'nl');
    expect(head).toContainEqual(['Auteur', 'Groot, dr. Eva; Bos, Jan']);
    expect(head).toContainEqual(['Vervangt of vult aan', '1.2.3.8']);
  });
});

describe('the status in words', () => {
  const flags = (completion: string, verification: string, preliminary?: string): Built[] => [
    { tag: 0x0040a491, vr: 'CS', value: completion },
    { tag: 0x0040a493, vr: 'CS', value: verification },
    ...(preliminary === undefined ? [] : [{ tag: 0x0040a496, vr: 'CS', value: preliminary }]),
  ];
  const eva = observer(latin1('Groot^Eva^^dr.'), 'Zuiderdiep', '20240229140500');

  it.each([
    [
      [...flags('COMPLETE', 'VERIFIED'), eva],
      'Definitief, geverifieerd door Groot, dr. Eva, Zuiderdiep op 29-02-2024 14:05:00',
    ],
    [flags('COMPLETE', 'VERIFIED', 'FINAL'), 'Definitief, geverifieerd'],
    [
      flags('COMPLETE', 'UNVERIFIED', 'FINAL'),
      'Volledig, niet geverifieerd, door de maker definitief genoemd',
    ],
    [flags('PARTIAL', 'VERIFIED', 'FINAL'), 'Onvolledig, geverifieerd, door de maker definitief genoemd'],
    [flags('', '', 'FINAL'), 'Door de maker definitief genoemd'],
    [flags('COMPLETE', 'VERIFIED', 'INTERIM'), 'Volledig, geverifieerd, INTERIM'],
    [flags('complete', 'verified'), 'Complete, verified'],
    [flags('COMPLETE', 'UNVERIFIED'), 'Volledig, niet geverifieerd'],
    [flags('PARTIAL', 'UNVERIFIED'), 'Onvolledig, niet geverifieerd'],
    [flags('COMPLETE', 'UNVERIFIED', 'PRELIMINARY'), 'Voorlopig, volledig, niet geverifieerd'],
    [
      [...flags('COMPLETE', 'VERIFIED', 'PRELIMINARY'), eva],
      'Voorlopig, volledig, geverifieerd door Groot, dr. Eva, Zuiderdiep op 29-02-2024 14:05:00',
    ],
    [flags('', ''), 'Status niet vermeld'],
  ] as const)('%#', (more, status) => {
    expect(srStatus(read(sr({ more })), 'nl')).toBe(status);
  });

  it('is final of nothing that is not complete, not verified, or preliminary', () => {
    const values = {
      completion: [undefined, '', 'COMPLETE', 'PARTIAL'],
      verification: [undefined, '', 'VERIFIED', 'UNVERIFIED'],
      preliminary: [undefined, '', 'FINAL', 'PRELIMINARY'],
    };
    const final: string[] = [];
    for (const completion of values.completion) {
      for (const verification of values.verification) {
        for (const preliminary of values.preliminary) {
          const given = [
            [0x0040a491, completion],
            [0x0040a493, verification],
            [0x0040a496, preliminary],
          ] as const;
          const more = given.flatMap(([tag, value]) =>
            value === undefined ? [] : [{ tag, vr: 'CS' as const, value }],
          );
          const absent = given.filter(([, value]) => value === undefined).map(([tag]) => tag);
          const status = srStatus(read(sr({ more, absent })), 'nl');
          expect(status.length).toBeGreaterThan(0);
          if (status.startsWith('Definitief'))
            final.push(`${completion} ${verification} ${preliminary ?? ''}`.trim());
          if (completion === 'PARTIAL') expect(status).toMatch(/onvolledig/i);
          if (verification === 'UNVERIFIED') expect(status).toMatch(/niet geverifieerd/i);
          if (preliminary === 'PRELIMINARY') expect(status).toContain('Voorlopig');
        }
      }
    }
    expect([...new Set(final)]).toEqual(['COMPLETE VERIFIED', 'COMPLETE VERIFIED FINAL']);
  });

  it('names everybody who verified', () => {
    const two = {
      ...eva,
      items: [...(eva.items ?? []), ...(observer(latin1('Bos^Jan'), '', '').items ?? [])],
    };
    expect(srStatus(read(sr({ more: [...flags('COMPLETE', 'VERIFIED'), two] })), 'en')).toBe(
      'Final, verified by Groot, dr. Eva, Zuiderdiep on 2024-02-29 14:05:00; Bos, Jan',
    );
  });
});

describe('what is no report that can be read', () => {
  it('is a fault that names no value', () => {
    const cases: [string, Uint8Array][] = [
      [
        'it is no structured report',
        sr({ more: [{ tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.2' }] }),
      ],
      [
        'it is no structured report',
        sr({ more: [{ tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.88.59' }] }),
      ],
      ['it has no content', sr({ content: [] })],
      [
        'a content item has no value type',
        sr({ content: [[{ tag: 0x0040a010, vr: 'CS', value: 'CONTAINS' }]] }),
      ],
      [
        'a text in it is longer than 64 KiB',
        sr({ content: [textItem(latin1('x'), Buffer.alloc(65_538, 0x61))] }),
      ],
      ['it is larger than 16 MiB', Buffer.alloc(16 * 1024 ** 2 + 1)],
    ];
    for (const [fault, bytes] of cases) expect(faultOf(bytes)).toBe(fault);
    expect(faultOf(sr().subarray(0, -20))).toContain('the instance ends');
    expect(faultOf(Buffer.from('Jansen^Anna'))).not.toContain('Jansen');
  });

  it('says in one place two things', () => {
    const twice = [
      ...textItem(latin1('Tekst'), latin1('Wel.')),
      { tag: 0x0040a160, vr: 'UT' as const, value: 'Niet.' },
    ];
    expect(faultOf(sr({ content: [twice] }))).toBe('an element in it comes twice');
    const [one, other] = ['Een', 'Twee'].map((text) => [textItem(latin1(text), latin1(text))]);
    const split = item('CONTAINS', 'CONTAINER', undefined, [], one);
    const merged = [...split, ...item('', '', undefined, [], other).slice(-1)];
    expect(faultOf(sr({ content: [merged] }))).toBe('an element in it comes twice');
  });

  it('is more text than its pages hold, in whatever place', () => {
    const long = Buffer.alloc(64_000, 'a ');
    const many = Array.from({ length: 80 }, () => item('HAS PROPERTIES', 'CODE', long));
    expect(faultOf(sr({ content: many }))).toBe('it has more than 200 pages');
    const escapes = Array.from({ length: 80 }, () => textItem(latin1('x'), Buffer.alloc(64_000, 0x1b)));
    expect(faultOf(sr({ content: escapes }))).toBe('it has more than 200 pages');
  });

  it('has too many items, or too deep ones', () => {
    const many = Array.from({ length: 20_001 }, () => item('CONTAINS', 'CONTAINER', undefined));
    expect(faultOf(sr({ content: many }))).toBe('it has more than 20000 content items');
    expect(faultOf(sr({ content: many.slice(1) }))).toBe('');

    let deep = item('CONTAINS', 'CONTAINER', undefined);
    for (let depth = 0; depth < 70; depth++) deep = item('CONTAINS', 'CONTAINER', undefined, [], [deep]);
    expect(faultOf(sr({ content: [deep] }))).toContain('nested');
  });

  it('never makes anything throw, however it is damaged', () => {
    const whole = sr({ content: [textItem(latin1('Tekst'), latin1('één')), measurement] });
    const mutant = fc
      .tuple(
        fc.array(fc.tuple(fc.nat(whole.byteLength - 1), fc.nat(255)), { maxLength: 8 }),
        fc.integer({ min: 0, max: whole.byteLength }),
      )
      .map(([changes, length]) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        return length < 64 ? bytes : bytes.subarray(0, length);
      });
    fc.assert(
      fc.property(mutant, (bytes) => {
        const document = readSrDocument(bytes);
        expect('fault' in document ? document.fault.length : document.content.length).toBeGreaterThan(0);
      }),
      fuzz,
    );
  });
});

describe.runIf(samplesAreHere)('public structured reports', () => {
  it.each(['test-SR.dcm', 'reportsi.dcm', 'reportsi_with_empty_number_tags.dcm'])(
    '%s says what dcmjs reads in it',
    (name) => {
      const bytes = samples().find((sample) => sample.name === name)?.bytes ?? Buffer.alloc(0);
      expect(textsOf(read(bytes).content).map((text) => text.trimEnd())).toEqual(textsByDcmjs(bytes));
    },
  );
});

/** All texts, codes, names and numbers, in the document's order. */
function textsOf(items: readonly SrItem[]): string[] {
  return items.flatMap(({ concept, value, children }) => [
    ...(concept === '' ? [] : [concept]),
    ...('text' in value && value.kind !== 'place' && value.text !== '' ? [value.text] : []),
    ...textsOf(children),
  ]);
}

type Naturalized = Readonly<Record<string, unknown>>;

/** What dcmjs has, and its types do not say. */
interface DcmjsData {
  readonly DicomMessage: { readFile(bytes: ArrayBufferLike): { readonly dict: unknown } };
  readonly DicomMetaDictionary: { naturalizeDataset(dict: unknown): Naturalized };
}

function textsByDcmjs(bytes: Buffer): string[] {
  const { DicomMessage, DicomMetaDictionary } = dcmjs.data as unknown as DcmjsData;
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const dataset = DicomMetaDictionary.naturalizeDataset(DicomMessage.readFile(copy).dict);
  const list = (value: unknown): Naturalized[] =>
    value === undefined ? [] : ([value].flat() as Naturalized[]);
  const meaning = (value: unknown): string[] => list(value).map((one) => String(one.CodeMeaning));
  const texts = (one: Naturalized): string[] => [
    ...meaning(one.ConceptNameCodeSequence),
    ...meaning(one.ConceptCodeSequence),
    ...list(one.MeasuredValueSequence).map((value) => String(value.NumericValue)),
    ...[one.TextValue, one.Date, one.Time, one.DateTime, one.UID].flatMap((value) =>
      value === undefined ? [] : [(value as string).trimEnd()],
    ),
    ...list(one.PersonName).map((value) => value.Alphabetic as string),
    ...list(one.ContentSequence).flatMap(texts),
  ];
  return list(dataset.ContentSequence).flatMap(texts);
}
