import { describe, expect, it } from 'vitest';
import { type BsnFinding, decideBsn, identify } from '../../src/dicom/identity.ts';
import { type Built, bsnItem, ct, ENCODINGS, part10 } from './builder.ts';
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
    ['beside others in the retired place', [retired(`${ANNA}\\77`)], 'hint', '0010,1000'],
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

  it('has its leading zero even where a system dropped it', () => {
    expect(identityOf([retired('21622401')]).bsn).toEqual([
      { value: '021622401', source: '0010,1000', confidence: 'agreed-place' },
    ]);
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

describe('text', () => {
  const name = (charset: string, bytes: Uint8Array | string): string =>
    identityOf([
      { tag: 0x00080005, vr: 'CS', value: charset },
      { tag: 0x00100010, vr: 'PN', value: bytes },
    ]).patientName;

  it.each([
    ['', 'M\xfcller', 'Müller'],
    ['ISO_IR 100', 'Buc^J\xe9r\xf4me', 'Buc^Jérôme'],
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
