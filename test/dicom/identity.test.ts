import { describe, expect, it } from 'vitest';
import { type BsnFinding, decideBsn, identify } from '../../src/dicom/identity.ts';
import { type Built, bsnItem, ct, dataset, ENCODINGS, part10 } from './builder.ts';
import { ANNA, BERT, scanWhole } from './support.ts';

function identityOf(more: readonly Built[], encoding: (typeof ENCODINGS)[number] = 'explicit-le') {
  const bytes = part10(ct(more), encoding);
  return identify(bytes, scanWhole(bytes));
}

const patientId = (value: string): Built => ({ tag: 0x00100020, vr: 'LO', value });
const issuer = (value: string): Built => ({ tag: 0x00100021, vr: 'LO', value });
const retired = (value: string): Built => ({ tag: 0x00101000, vr: 'LO', value });

describe.each(ENCODINGS)('an identity in %s', (encoding) => {
  it('holds the values of the top level, and empty strings for what is absent', () => {
    expect(identityOf([], encoding)).toEqual({
      patientId: '02025066011',
      issuerOfPatientId: '',
      patientName: 'Jansen^Anna',
      patientBirthDate: '19700101',
      patientSex: 'F',
      accessionNumber: 'A1',
      bsn: [],
      bsnInvalid: false,
      nestedIdentity: false,
      foreign: [],
      charset: 'ISO_IR 100',
    });
  });

  it('is not taken from a private history of corrected identities, which is reported', () => {
    const person: Built[] = [
      { tag: 0x00100010, vr: 'PN', value: 'Pietersen^Bert' },
      patientId('77'),
      retired(BERT),
    ];
    for (const shape of [{}, { open: true }, { open: true, openItems: true }]) {
      for (const vr of ['SQ', 'UN']) {
        const history: Built = { tag: 0x55331005, vr, items: [[], person], ...shape };
        const creator: Built = { tag: 0x55330010, vr: 'LO', value: 'Visus Change' };
        const identity = identityOf([retired(ANNA), creator, history], encoding);
        expect(identity.nestedIdentity).toBe(true);
        expect(identity.patientName).toBe('Jansen^Anna');
        expect(decideBsn(identity.bsn)).toEqual({ bsn: ANNA });
      }
    }
  });

  it('is not doubted because a sequence names the same person', () => {
    const same: Built[] = [
      { tag: 0x00100010, vr: 'PN', value: 'JANSEN^ANNA^^' },
      patientId('02025066011'),
      retired(`${ANNA}\\02025066011`),
    ];
    const identity = identityOf([retired(ANNA), { tag: 0x00081120, vr: 'SQ', items: [same] }], encoding);
    expect(identity.nestedIdentity).toBe(false);
  });

  it('is another when sequences give its patient more ids or names than they keep, whatever these are', () => {
    const many = (id: (index: number) => Built, count: number): Built => {
      return { tag: 0x00081120, vr: 'SQ', items: Array.from({ length: count }, (_, index) => [id(index)]) };
    };
    const byNumber = (index: number) => patientId(index.toString());
    const ids: Built = { ...many(byNumber, 300), tag: 0x00101002 };
    const names = (index: number): Built => ({
      tag: 0x00100010,
      vr: 'PN',
      value: `Jansen^Anna${'^'.repeat(index)}`,
    });
    for (const [count, nestedIdentity] of [
      [256, false],
      [257, true],
      [300, true],
    ] as const) {
      expect(identityOf([ids, many(byNumber, count)], encoding)).toMatchObject({ nestedIdentity });
      expect(identityOf([many(names, count)], encoding)).toMatchObject({ nestedIdentity });
    }
  });

  it('is compared with those of the first 128 KiB, or of the head when that is longer, and no others', () => {
    const other: Built = { tag: 0x00400561, vr: 'SQ', items: [[patientId('77')]] };
    for (const [tag, bytes, nestedIdentity] of [
      [0x00211010, 100_000, true],
      [0x00211010, 131_000, false],
      [0x00091010, 1_000_000, false],
    ] as const) {
      const filler: Built = { tag, vr: 'OB', value: Buffer.alloc(bytes) };
      expect(identityOf([filler, other], encoding)).toMatchObject({ nestedIdentity });
      const within = { ...other, tag: 0x00091020 };
      expect(identityOf([filler, within], encoding)).toMatchObject({ nestedIdentity: true });
    }
  });
});

/** Everything a foreign element is to be: its bytes, found by what was built, and its tag. */
function expectForeign(
  more: readonly Built[],
  foreign: readonly Built[],
  encoding: (typeof ENCODINGS)[number],
) {
  const bytes = part10(ct(more), encoding);
  const identity = identify(bytes, scanWhole(bytes));
  const elements = foreign.map((element) => ({ tag: element.tag, bytes: dataset([element], encoding) }));
  expect(
    identity.foreign.map(({ tag, at, bytes: length }) => ({ tag, bytes: bytes.subarray(at, at + length) })),
  ).toEqual(elements);
  expect(identity.nestedIdentity).toBe(foreign.length > 0);
}

describe.each(ENCODINGS)('a foreign element in %s', (encoding) => {
  const bert: Built[] = [{ tag: 0x00100010, vr: 'PN', value: 'Pietersen^Bert' }];
  const anna: Built[] = [patientId('02025066011')];
  const creator: Built = { tag: 0x55330010, vr: 'LO', value: 'Visus Change' };
  const original = (reason: string, inside: readonly Built[]): Built[] => [
    { tag: 0x04000550, vr: 'SQ', items: [inside] },
    ...(reason === '' ? [] : [{ tag: 0x04000565, vr: 'CS', value: reason }]),
  ];

  it('is the whole top-level element, whatever its form and however deep the person stands in it', () => {
    for (const shape of [{}, { open: true }, { open: true, openItems: true }]) {
      for (const vr of ['SQ', 'UN']) {
        const deep: Built = { tag: 0x00081140, vr: 'SQ', items: [anna, bert] };
        const history: Built = { tag: 0x55331005, vr, items: [anna, [deep]], ...shape };
        const request: Built = { tag: 0x0040a370, vr: 'SQ', items: [bert], ...shape };
        const before: Built = { tag: 0x00081120, vr: 'SQ', items: [bert], ...shape };
        expectForeign([before, request, creator, history], [before, request, history], encoding);
      }
    }
  });

  it('is not listed where the dataset begins with it: without it nothing might be left', () => {
    const history: Built = { tag: 0x00091005, vr: 'SQ', items: [bert] };
    const bytes = part10([history], encoding);
    expect(identify(bytes, scanWhole(bytes))).toMatchObject({ nestedIdentity: true, foreign: [] });
  });

  it('is none that names the patient by any of his own ids and names', () => {
    const own: Built[] = [
      retired(`${ANNA}\\21622401`),
      { tag: 0x00101001, vr: 'PN', value: 'Jansen^Anneke\\Bakker^Anna' },
      { tag: 0x00101002, vr: 'SQ', items: [bsnItem(BERT)] },
    ];
    const same = [
      [patientId('021622401')],
      [patientId(BERT), { tag: 0x00100010, vr: 'PN', value: 'BAKKER^ANNA^' }],
      [retired(`${ANNA}\\ 02025066011`)],
    ];
    expectForeign([...own, { tag: 0x00081120, vr: 'SQ', items: same }], [], encoding);
  });

  it('is the item list of other ids when one of them holds a sequence about somebody else', () => {
    const others = (inside: readonly Built[]): Built => ({ tag: 0x00101002, vr: 'SQ', items: [inside] });
    expectForeign([others([...bsnItem(BERT)])], [], encoding);
    const holds = others([patientId('1'), { tag: 0x00111010, vr: 'SQ', items: [[patientId('77')]] }]);
    expectForeign([holds], [holds], encoding);
  });

  it('is no earlier form of the own values, which its item says by COERCE', () => {
    const earlier: Built = { tag: 0x04000561, vr: 'SQ', items: [original('COERCE', [...anna, ...bert])] };
    expectForeign([earlier], [], encoding);
    expectForeign([{ ...earlier, open: true, openItems: true }], [], encoding);
    for (const reason of ['CORRECT', 'coerced', '']) {
      const corrected: Built = {
        tag: 0x04000561,
        vr: 'SQ',
        // Each item speaks for itself, and says why behind what it held.
        items: [original('COERCE', bert), original(reason, bert), original('COERCE', anna)],
      };
      expectForeign([corrected], [corrected], encoding);
    }
    const elsewhere: Built = { tag: 0x00081120, vr: 'SQ', items: [original('COERCE', bert)] };
    expectForeign([elsewhere], [elsewhere], encoding);
    const nested: Built = { tag: 0x00081120, vr: 'SQ', items: [[earlier]] };
    expectForeign([nested], [nested], encoding);
  });

  it('is listed up to a limit, and none of them when there are more', () => {
    const element = (_: unknown, index: number): Built => {
      return { tag: 0x00290010 + index * 0x20000, vr: 'UN', items: [bert] };
    };
    const built = Array.from({ length: 64 }, element);
    expectForeign(built, built, encoding);
    const bytes = part10(ct(Array.from({ length: 65 }, element)), encoding);
    expect(identify(bytes, scanWhole(bytes))).toMatchObject({ nestedIdentity: true, foreign: [] });
  });

  it('counts when it is whole within the bytes that are looked at, however many more there are', () => {
    const person: Built = { tag: 0x00211011, vr: 'UN', items: [bert] };
    const length = dataset([person], encoding).byteLength;
    const head = part10(ct([person]), encoding).indexOf(dataset([person], encoding));
    const filler = (bytes: number): Built => ({ tag: 0x00211010, vr: 'OB', value: Buffer.alloc(bytes) });
    const empty = dataset([filler(0)], encoding).byteLength;
    const room = 128 * 1024 - head - empty - length;
    for (const [bytes, isSeen] of [
      [room, true],
      [room + 2, false],
      [room + length + 100, false],
    ] as const) {
      const whole = part10(ct([filler(bytes), person]), encoding);
      const found = scanWhole(whole);
      const identity = identify(whole, found);
      expect(identity.foreign).toHaveLength(isSeen ? 1 : 0);
      expect(identify(whole.subarray(0, 128 * 1024), found)).toEqual(identity);
    }
  });
});

describe('a BSN finding', () => {
  const none: readonly BsnFinding[] = [];

  it.each([
    ['a local number with the right sum is a hint', [patientId(ANNA)], 'hint', '0010,0020'],
    ['the issuer NLMINBIZA says so', [patientId(ANNA), issuer('NLMINBIZA')], 'issuer', '0010,0020'],
    ['the OID says so', [patientId(ANNA), issuer('2.16.840.1.113883.2.4.6.3')], 'issuer', '0010,0020'],
    [
      'a triplet says so',
      [patientId(ANNA), issuer('NLMINBIZA&2.16.840.1.113883.2.4.6.3&ISO')],
      'issuer',
      '0010,0020',
    ],
    [
      'the qualifiers say so',
      [
        patientId(ANNA),
        {
          tag: 0x00100024,
          vr: 'SQ',
          items: [[{ tag: 0x00400032, vr: 'UT', value: '2.16.840.1.113883.2.4.6.3' }]],
        },
      ],
      'issuer',
      '0010,0020',
    ],
    ['alone in the retired place', [retired(`${ANNA} `)], 'agreed-place', '0010,1000'],
    ['the only one that can be it', [retired(`77\\${ANNA}\\02025066011`)], 'agreed-place', '0010,1000'],
    [
      'an item without issuer',
      [{ tag: 0x00101002, vr: 'SQ', items: [[patientId(ANNA)]] }],
      'hint',
      '0010,1002',
    ],
    ['an item that says so', [{ tag: 0x00101002, vr: 'SQ', items: [bsnItem(ANNA)] }], 'issuer', '0010,1002'],
  ] as const)('%s', (_, more, confidence, source) => {
    const { bsn } = identityOf(more as readonly Built[]);
    expect(bsn).toEqual([{ value: ANNA, source, confidence }]);
    expect(decideBsn(bsn)).toEqual(confidence === 'hint' ? undefined : { bsn: ANNA });
  });

  it('has its leading zero even where a system dropped it, and is believed only beside an issuer then', () => {
    const hint = { value: '021622401', source: '0010,1000', confidence: 'hint' } as const;
    expect(identityOf([retired('21622401')]).bsn).toEqual([hint]);
    const claim = { ...hint, source: '0010,0020', confidence: 'issuer' };
    expect(identityOf([patientId('21622401'), issuer('NLMINBIZA')]).bsn).toEqual([claim]);
  });

  it('is a conflict when two places claim two numbers, and hints take no part in it', () => {
    const item: Built = { tag: 0x00101002, vr: 'SQ', items: [bsnItem(BERT)] };
    expect(decideBsn(identityOf([retired(ANNA), item]).bsn)).toEqual({ conflict: true });
    expect(decideBsn(identityOf([patientId(ANNA), item]).bsn)).toEqual({ bsn: BERT });
    expect(decideBsn(none)).toBeUndefined();
  });

  it('is reported as invalid when the issuer says BSN and the number is none', () => {
    expect(identityOf([patientId('999940003'), issuer('NLMINBIZA')])).toMatchObject({
      bsn: [],
      bsnInvalid: true,
    });
    expect(identityOf([patientId('999940003')])).toMatchObject({ bsn: [], bsnInvalid: false });
  });
});

describe('a nested name', () => {
  /** The best of a few: what else the machine does makes it longer, never shorter. */
  const msOf = (name: string): number => {
    const items = Array.from({ length: 90 }, (_, index): Built[] => [
      { tag: 0x00100010, vr: 'PN', value: `${name}${'^'.repeat(index)}` },
    ]);
    const own: Built = { tag: 0x00100010, vr: 'PN', value: name };
    const bytes = part10(ct([own, { tag: 0x00081120, vr: 'SQ', items }]), 'explicit-le');
    const found = scanWhole(bytes);
    const runs = Array.from({ length: 3 }, () => {
      const from = performance.now();
      expect(identify(bytes, found).nestedIdentity).toBe(false);
      return performance.now() - from;
    });
    return Math.min(...runs);
  };

  it('costs no more to compare when it is full of separators than when it is full of letters', () => {
    expect(msOf(`${'^'.repeat(3900)}x`)).toBeLessThan(20 * msOf('a'.repeat(3901)));
  });
});

describe('a head full of sequences', () => {
  /** A private sequence of two megabytes, in each item of it a sequence `depth` deep. */
  const msOf = (depth: number): number => {
    const inner = (left: number): Built => {
      return { tag: 0x00091001, vr: 'SQ', items: left === 0 ? [] : [[inner(left - 1)]] };
    };
    const item = [inner(depth)];
    const bytes = dataset(item, 'implicit-le').byteLength + 8;
    const items = Array.from({ length: Math.floor(2 ** 21 / bytes) }, () => item);
    const whole = part10(ct([{ tag: 0x00091001, vr: 'SQ', items }]), 'implicit-le');
    const found = scanWhole(whole);
    const runs = Array.from({ length: 7 }, () => {
      const from = performance.now();
      expect(identify(whole, found).nestedIdentity).toBe(false);
      return performance.now() - from;
    });
    return Math.min(...runs);
  };

  it('costs no more to look through when they are deep than when they are flat', () => {
    expect(msOf(60)).toBeLessThan(2.5 * msOf(0));
  });
});

describe('text', () => {
  const name = (charset: string, bytes: Uint8Array | string): string =>
    identityOf([
      { tag: 0x00080005, vr: 'CS', value: charset },
      { tag: 0x00100010, vr: 'PN', value: bytes },
    ]).patientName;

  it.each([
    ['', 'M\xfcller', 'Müller'],
    ['ISO_IR 100', 'Buc^J\xe9r\xf4me', 'Buc^Jérôme'],
    ['ISO_IR 100', 'O\x92Brien^\x8ei\x9eka', 'O’Brien^Žižka'],
    ['', '\x80 \x81', '€ \x81'],
    ['ISO_IR 192', Buffer.from('Wang^小東'), 'Wang^小東'],
    ['ISO_IR 144', '\xbb\xee\xda', 'Люк'],
    ['ISO_IR 13', '\xd4\xcf\xc0\xde', 'ﾔﾏﾀﾞ'],
    ['\\ISO 2022 IR 87', 'Yamada=\x1b$B;3ED\x1b(B^A', 'Yamada=山田^A'],
    ['\\ISO 2022 IR 149', 'Hong=\x1b$)C\xfb\xf3', 'Hong=洪'],
    ['GB18030', '\xcd\xf5', '王'],
    ['ISO 2022 IR 6\\ISO 2022 IR 126', 'A\x1b-F\xc4', 'AΔ'],
    ['NO SUCH SET', 'abc', 'abc'],
    ['ISO_IR 192', 'a\xff\x1bb', 'a\ufffd\x1bb'],
  ])('in %j is shown as it was meant', (charset, bytes, text) => {
    expect(name(charset, bytes)).toBe(text);
  });

  it('is left out when it is longer than a name can be', () => {
    const identity = identityOf([{ tag: 0x00100010, vr: 'PN', value: 'x'.repeat(5000) }]);
    expect(identity).toMatchObject({ patientName: '', patientId: '02025066011' });
  });
});
