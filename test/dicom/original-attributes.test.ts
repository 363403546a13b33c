import { describe, expect, it } from 'vitest';
import { LEGACY_1000, NL_2010, PATIENTID_BSN } from '../../src/dicom/dialect.ts';
import { applyEdits, patchReach } from '../../src/dicom/patch.ts';
import { scan } from '../../src/dicom/scan.ts';
import { type Built, bsnItem, counted, ct, ENCODINGS, part10 } from './builder.ts';
import { withLengthOfUn } from './patch-model.ts';
import { ANNA, BERT, expectExact, patchWith, scanWhole, walk } from './support.ts';

const record = { modifiedAt: '20260214120000+0100', modifyingSystem: 'SLUIS', source: 'NOORD' };
const recipe = { dialect: NL_2010, bsn: ANNA, record };

const others = (...items: Built[][]): Built => ({ tag: 0x00101002, vr: 'SQ', items });
const original = (...items: Built[][]): Built => ({ tag: 0x04000561, vr: 'SQ', items });
const entry = (...priors: Built[]): Built[] => [
  { tag: 0x04000550, vr: 'SQ', items: [priors] },
  { tag: 0x04000562, vr: 'DT', value: record.modifiedAt },
  { tag: 0x04000563, vr: 'LO', value: 'SLUIS' },
  { tag: 0x04000564, vr: 'LO', value: 'NOORD' },
  { tag: 0x04000565, vr: 'CS', value: 'COERCE' },
];
const earlier: Built[] = [{ tag: 0x04000565, vr: 'CS', value: 'CORRECT' }];
const before = others(bsnItem(BERT));
const after = others(bsnItem(BERT), bsnItem(ANNA));

describe.each(ENCODINGS)('in %s, what a patch replaces', (encoding) => {
  function expectPatched(from: readonly Built[], into: readonly Built[], by: object = {}): void {
    const bytes = part10(from, encoding);
    const { edits, refused } = patchWith(bytes, { ...recipe, ...by });
    expect(refused).toBeNull();
    const patched = Buffer.from(applyEdits(bytes, edits));
    expectExact(bytes, patched, edits);
    expect(patched.equals(part10(into, encoding))).toBe(true);
    expect(walk(patched, scanWhole(patched))).toEqual({ complete: true });
    expect(Math.max(...edits.map(({ at, remove }) => at + remove))).toBeLessThanOrEqual(
      patchReach(scanWhole(bytes)),
    );
  }

  it('is recorded as it was, as an item of its own', () => {
    expectPatched(ct([before]), ct([after, original(entry(before))]));
  });

  it.each([
    ['of defined length', { vr: 'SQ' }],
    ['of undefined length', { vr: 'SQ', open: true }],
    ['UN-coded', { vr: 'UN' }],
    ['UN-coded and of undefined length', { vr: 'UN', open: true }],
  ])('is recorded behind what others recorded, in a sequence %s', (_, form) => {
    const there = { ...original(earlier), ...form };
    expectPatched(ct([before, there]), ct([after, { ...original(earlier, entry(before)), ...form }]));
    const empty = { ...original(), ...form };
    expectPatched(ct([before, empty]), ct([after, { ...original(entry(before)), ...form }]));
  });

  it.each([
    ['of undefined length', { open: true, openItems: true }],
    ['UN-coded', { vr: 'UN' }],
    ['UN-coded and of undefined length', { vr: 'UN', open: true, openItems: true }],
  ])('keeps its form when it is %s, but for the length that a UN has to have,', (_, form) => {
    const prior = { ...before, ...form };
    const with2 = { ...after, ...form, closedFrom: 1 };
    const recorded = encoding === 'implicit-le' ? prior : withLengthOfUn(prior);
    expectPatched(ct([prior]), ct([with2, original(entry(recorded))]));
    const un = { ...original(earlier), vr: 'UN' };
    expectPatched(ct([prior, un]), ct([with2, { ...original(earlier, entry(prior)), vr: 'UN' }]));
  });

  it('is recorded for every element that changes, empty ones too, and for none that is new', () => {
    const id: Built = { tag: 0x00100020, vr: 'LO', value: '123' };
    const type: Built = { tag: 0x00100022, vr: 'CS', value: '' };
    const retired: Built = { tag: 0x00101000, vr: 'LO', value: 'A' };
    const dialect = { ...PATIENTID_BSN, otherPatientIds: true };
    const moved = [id, { ...type, value: 'TEXT' }];
    expectPatched(
      ct([id, type, retired]),
      ct([
        ...bsnItem(ANNA),
        { ...retired, value: `A\\${ANNA}` },
        others(moved),
        original(entry(id, type, retired)),
      ]),
      { dialect },
    );
    expectPatched(ct(), ct([{ ...retired, value: ANNA }, others(bsnItem(ANNA))]), { dialect: LEGACY_1000 });
  });

  it('is put where its tag belongs, and its group counted anew', () => {
    const near = [
      { tag: 0x04000010, vr: 'UI', value: '1.2' },
      { tag: 0x04000600, vr: 'LO', value: 'behind' },
      { tag: 0x04010010, vr: 'LO', value: 'MAKER' },
    ];
    for (const lie of [undefined, 7]) {
      const from = counted(ct([before, ...near]), 0x0400, encoding, lie);
      expectPatched(from, counted(ct([after, original(entry(before)), ...near]), 0x0400, encoding));
    }
  });

  it('is put at the end of a dataset that ends early, in front of padding', () => {
    const short = (more: Built[]) => ct(more).filter(({ tag }) => tag < 0x00280000 || tag === 0x04000561);
    expectPatched(short([before]), short([after, original(entry(before))]));
    const padding: Built = { tag: 0xfffcfffc, vr: 'OB', value: Buffer.alloc(10) };
    expectPatched([...short([before]), padding], [...short([after, original(entry(before))]), padding]);
  });

  it('is recorded nowhere when the dialect says so, or nobody says by whom', () => {
    expectPatched(ct([before]), ct([after]), { dialect: { ...NL_2010, originalAttributes: false } });
    expectPatched(ct([before]), ct([after]), { record: undefined });
  });
});

describe('a patch whose record can be written nowhere', () => {
  const lie = (tag: number): Built => ({ tag, vr: 'OB', value: 'ab', lie: 0xfffffff0 });
  const broken: readonly (readonly [string, Built[]])[] = [
    ['an element in front of its place is longer than the instance', [lie(0x00290010)]],
    ['an element of unknown representation', [{ tag: 0x00290010, vr: 'ZZ', value: 'ab' }]],
    ['the sequence holds something else than items', [{ tag: 0x04000561, vr: 'SQ', value: 'abcdefgh' }]],
    ['the sequence is written as a text', [{ tag: 0x04000561, vr: 'LO', value: 'ab' }]],
  ];

  it.each(broken)('is refused: %s', (_, more) => {
    const bytes = part10(ct([before, ...more]), 'explicit-le');
    expect(scanWhole(bytes).sites.originalAttributes).toEqual({ state: 'unknown' });
    expect(patchWith(bytes, recipe)).toEqual({ edits: [], refused: 'NO_RECORD' });
  });

  it.each(broken)('is no matter to one that needs none: %s', (_, more) => {
    const bytes = part10(ct(more), 'explicit-le');
    const { edits, refused } = patchWith(bytes, recipe);
    expect(refused).toBeNull();
    expectExact(bytes, applyEdits(bytes, edits), edits);
    expect(applyEdits(bytes, edits).byteLength).toBeGreaterThan(bytes.byteLength);
  });

  it('is refused when the elements behind the identifiers are out of order', () => {
    const elements = ct([before]);
    const bytes = part10([...elements, { tag: 0x00280010, vr: 'US', value: Buffer.alloc(2) }], 'explicit-le');
    expect(patchWith(bytes, recipe).refused).toBeNull(); // behind the pixel data nobody looks
    const early = part10(
      [...elements.slice(0, -1), { tag: 0x00270010, vr: 'LO', value: 'x' }, ...elements.slice(-1)],
      'explicit-le',
    );
    expect(patchWith(early, recipe).refused).toBe('NO_RECORD');
  });

  it('is refused behind the most that is ever looked at, and the scan asks for no such window', () => {
    const far = ct([before, { tag: 0x00420011, vr: 'OB', value: '', lie: 0xf0000000 }]);
    const bytes = part10(far, 'explicit-le');
    const found = scan(bytes, 8 * 2 ** 30);
    if ('need' in found) throw new Error('asks for more');
    expect(found.sites.originalAttributes).toEqual({ state: 'unknown' });
  });

  it('changes nothing of where the walk goes on', () => {
    for (const [, more] of broken) {
      const bytes = part10(ct([before, ...more]), 'explicit-le');
      const whole = part10(ct([before]), 'explicit-le');
      expect(scanWhole(bytes).scannedTo).toBe(scanWhole(whole).scannedTo);
    }
  });
});

describe('a scan of the first bytes', () => {
  it('asks for the bytes up to the place of the record, and not for those of the frames', () => {
    const big: Built = { tag: 0x00291010, vr: 'OB', value: Buffer.alloc(300_000) };
    const frames: Built = { tag: 0x52009230, vr: 'SQ', items: [[big]], open: true };
    const bytes = part10(ct([big, frames]), 'explicit-le');
    const asked: number[] = [];
    let window = bytes.subarray(0, 0);
    for (let found = scan(window, bytes.byteLength); 'need' in found; ) {
      asked.push(found.need);
      window = bytes.subarray(0, found.need);
      found = scan(window, bytes.byteLength);
    }
    expect(asked).toEqual([32 * 1024, 512 * 1024]);
    expect(scanWhole(bytes).sites.originalAttributes).toMatchObject({ state: 'absent' });
  });
});
