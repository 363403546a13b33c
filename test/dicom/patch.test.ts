import { describe, expect, it } from 'vitest';
import { type Dialect, NL_2010, NONE } from '../../src/dicom/dialect.ts';
import { growth } from '../../src/dicom/edit.ts';
import { decideBsn, identify } from '../../src/dicom/identity.ts';
import { applyEdits, patch, patchNeeds } from '../../src/dicom/patch.ts';
import { type Built, bsnItem, counted, ct, dataset, ENCODINGS, part10 } from './builder.ts';
import { ANNA, BERT, expectExact, faultOf, patchWhole, scanWhole, walk } from './support.ts';

const OTHER: Built[] = [
  { tag: 0x00100020, vr: 'LO', value: 'ABC' },
  { tag: 0x00100022, vr: 'CS', value: 'TEXT' },
];

type Others = Pick<Built, 'vr' | 'items' | 'open' | 'openItems'>;

/** Every state that (0010,1002) can be in; `after` is what it has to be with the item added. */
const states: readonly (readonly [string, Others | undefined, Others])[] = [
  ['absent', undefined, { vr: 'SQ', items: [bsnItem(ANNA)] }],
  ['empty', { vr: 'SQ', items: [] }, { vr: 'SQ', items: [bsnItem(ANNA)] }],
  ['of defined length', { vr: 'SQ', items: [OTHER] }, { vr: 'SQ', items: [OTHER, bsnItem(ANNA)] }],
  ['of two items', { vr: 'SQ', items: [OTHER, OTHER] }, { vr: 'SQ', items: [OTHER, OTHER, bsnItem(ANNA)] }],
  ['holding an empty item', { vr: 'SQ', items: [[]] }, { vr: 'SQ', items: [[], bsnItem(ANNA)] }],
  [
    'of undefined length',
    { vr: 'SQ', items: [OTHER], open: true },
    { vr: 'SQ', items: [OTHER, bsnItem(ANNA)], open: true },
  ],
  [
    'of undefined length and empty',
    { vr: 'SQ', items: [], open: true },
    { vr: 'SQ', items: [bsnItem(ANNA)], open: true },
  ],
  ['UN-coded', { vr: 'UN', items: [OTHER] }, { vr: 'UN', items: [OTHER, bsnItem(ANNA)] }],
  ['UN-coded and empty', { vr: 'UN', items: [] }, { vr: 'UN', items: [bsnItem(ANNA)] }],
  [
    'UN-coded, without length',
    { vr: 'UN', items: [OTHER], open: true },
    { vr: 'UN', items: [OTHER, bsnItem(ANNA)], open: true },
  ],
];

const withOthers = (others: Others | undefined): Built[] =>
  ct(others === undefined ? [] : [{ tag: 0x00101002, ...others }]);

describe.each(ENCODINGS)('in %s, with Other Patient IDs', (encoding) => {
  describe.each(states)('%s', (_, before, after) => {
    it('adds one item and leaves every other byte as it was', () => {
      const original = part10(withOthers(before), encoding);
      const edits = patchWhole(original, scanWhole(original), NL_2010, ANNA);
      const patched = applyEdits(original, edits);
      expectExact(original, patched, edits);
      expect(Buffer.from(patched).equals(part10(withOthers(after), encoding))).toBe(true);
      expect(growth(edits)).toBe(patched.byteLength - original.byteLength);
      expect(edits.every(({ remove }) => remove === 0 || remove === 4)).toBe(true);
    });

    it('does nothing the second time', () => {
      const original = part10(withOthers(before), encoding);
      const once = applyEdits(original, patchWhole(original, scanWhole(original), NL_2010, ANNA));
      expect(patchWhole(once, scanWhole(once), NL_2010, ANNA)).toEqual([]);
    });

    it('counts the group anew, also when the number was wrong before', () => {
      for (const lie of [undefined, 0, 12_345]) {
        const original = part10(counted(withOthers(before), 0x0010, encoding, lie), encoding);
        const patched = applyEdits(original, patchWhole(original, scanWhole(original), NL_2010, ANNA));
        const wanted = part10(counted(withOthers(after), 0x0010, encoding), encoding);
        expect(Buffer.from(patched).equals(wanted)).toBe(true);
      }
    });

    it('reads back as the BSN that its place claims, and is still whole', () => {
      const original = part10(withOthers(before), encoding);
      const patched = applyEdits(original, patchWhole(original, scanWhole(original), NL_2010, ANNA));
      const found = scanWhole(patched);
      const { bsn } = identify(patched, found);
      expect(bsn).toEqual([{ value: ANNA, source: '0010,1002', confidence: 'issuer' }]);
      expect(decideBsn(bsn)).toEqual({ bsn: ANNA });
      expect(walk(patched, found)).toEqual({ complete: true });
    });
  });

  it('knows its own item again when another writer gave it no lengths', () => {
    const original = part10(
      withOthers({ vr: 'SQ', items: [OTHER, bsnItem(ANNA)], open: true, openItems: true }),
      encoding,
    );
    expect(patchWhole(original, scanWhole(original), NL_2010, ANNA)).toEqual([]);
  });

  it('adds an item beside one that names another number, or this one with less beside it', () => {
    for (const item of [bsnItem(BERT), bsnItem(ANNA).slice(0, 2), bsnItem(ANNA).slice(0, 3)]) {
      const original = part10(withOthers({ vr: 'SQ', items: [item] }), encoding);
      const patched = applyEdits(original, patchWhole(original, scanWhole(original), NL_2010, ANNA));
      const wanted = part10(withOthers({ vr: 'SQ', items: [item, bsnItem(ANNA)] }), encoding);
      expect(Buffer.from(patched).equals(wanted)).toBe(true);
    }
  });

  it('makes a group 0010 where there was none', () => {
    const bare = ct().filter(({ tag }) => tag >>> 16 !== 0x0010);
    const original = part10(bare, encoding);
    const patched = applyEdits(original, patchWhole(original, scanWhole(original), NL_2010, ANNA));
    const wanted = [...bare, { tag: 0x00101002, vr: 'SQ', items: [bsnItem(ANNA)] }].sort(
      (a, b) => a.tag - b.tag,
    );
    expect(Buffer.from(patched).equals(part10(wanted, encoding))).toBe(true);
  });

  it('adds at the end of a dataset that ends early, in front of zero padding', () => {
    const short = ct().filter(({ tag }) => tag < 0x00100030);
    for (const padding of [0, 2, 8, 700]) {
      const zeros = Buffer.alloc(padding);
      const original = Buffer.concat([part10(short, encoding), zeros]);
      const patched = applyEdits(original, patchWhole(original, scanWhole(original), NL_2010, ANNA));
      const wanted = part10([...short, { tag: 0x00101002, vr: 'SQ', items: [bsnItem(ANNA)] }], encoding);
      expect(Buffer.from(patched).equals(Buffer.concat([wanted, zeros]))).toBe(true);
    }
  });
});

describe('patch', () => {
  const original = part10(withOthers({ vr: 'SQ', items: [OTHER] }), 'explicit-le');

  it('needs the elements from Patient ID to the last that it may change, and no other bytes', () => {
    const needs = patchNeeds(scanWhole(original));
    const from = original.indexOf(
      dataset([{ tag: 0x00100020, vr: 'LO', value: '02025066011' }], 'explicit-le'),
    );
    const item = dataset(OTHER, 'explicit-le');
    expect(needs).toEqual({ start: from, end: original.indexOf(item) + item.byteLength });
    const bare = ct().filter(({ tag }) => tag !== 0x00100020);
    expect(patchNeeds(scanWhole(part10(bare, 'explicit-le')))).toBeUndefined();
    expect(() => patch(scanWhole(original), { dialect: NL_2010, bsn: ANNA })).toThrow(RangeError);
  });

  it('refuses to be given the bytes of another instance', () => {
    const needs = patchNeeds(scanWhole(original));
    if (needs === undefined) throw new Error('there is a Patient ID');
    const others = original.subarray(needs.start - 2, needs.end - 2);
    const fault = faultOf(() => patch(scanWhole(original), { dialect: NL_2010, bsn: ANNA }, others));
    expect(fault).toMatchObject({ code: 'MALFORMED', tag: '0010,0020' });
  });

  it('writes nothing without a BSN, and nothing in the dialect none', () => {
    const found = scanWhole(original);
    expect(patchWhole(original, found, NL_2010, undefined)).toEqual([]);
    expect(patch(found, { dialect: NONE, bsn: ANNA }).edits).toEqual([]);
  });

  it('never cuts into a DICOMDIR, which holds offsets into itself', () => {
    const directory = [{ tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.1.3.10' }];
    for (const more of [[], [{ tag: 0x00101002, vr: 'SQ', items: [OTHER] }]]) {
      const bytes = part10(ct([...directory, ...more]), 'explicit-le');
      expect(patchNeeds(scanWhole(bytes))).toBeUndefined();
      expect(patch(scanWhole(bytes), { dialect: NL_2010, bsn: ANNA }).edits).toEqual([]);
    }
  });

  it('writes what a hospital configured', () => {
    const dialect: Dialect = {
      ...NL_2010,
      name: 'eigen',
      otherPatientId: {
        issuerOfPatientId: 'BSN',
        typeOfPatientId: 'RFID',
        universalEntityId: '1.2',
        universalEntityIdType: 'DNS',
        identifierTypeCode: 'NI',
      },
    };
    const bytes = part10(ct(), 'explicit-le');
    const edits = patchWhole(bytes, scanWhole(bytes), dialect, ANNA);
    const text = Buffer.from(edits[0]?.insert ?? []).toString('latin1');
    for (const word of ['BSN', 'RFID', '1.2', 'DNS', 'NI', ANNA]) expect(text).toContain(word);
    expect(text).not.toContain('NLMINBIZA');
  });

  it.each(['', 'Zürich', 'A\\B', ' A', 'A ', 'tab\t', 'x'.repeat(65)])(
    'refuses a dialect that says %j',
    (issuer) => {
      const form = NL_2010.otherPatientId;
      if (form === null) throw new Error('nl-2010 writes an item');
      const dialect = { ...NL_2010, name: 'eigen', otherPatientId: { ...form, issuerOfPatientId: issuer } };
      expect(() => patchWhole(original, scanWhole(original), dialect, ANNA)).toThrow(RangeError);
    },
  );

  it('refuses to write what is no BSN, and does not repeat it', () => {
    const write = () => patchWhole(original, scanWhole(original), NL_2010, '123456789');
    expect(write).toThrow(RangeError);
    expect(write).not.toThrow(/123456789/);
  });
});
