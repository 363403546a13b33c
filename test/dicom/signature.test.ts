import { describe, expect, it } from 'vitest';
import { LEGACY_1000, NL_2010, NONE } from '../../src/dicom/dialect.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { type Built, bsnItem, counted, ct, ENCODINGS, number16, part10 } from './builder.ts';
import { ANNA, BERT, patchWith, scanWhole } from './support.ts';

const record = { modifiedAt: '20260214', modifyingSystem: 'SLUIS', source: '' };
const recipe = { dialect: NL_2010, bsn: ANNA };
const SIGNED = { edits: [], refused: 'SIGNED_OBJECT' };
const others: Built = { tag: 0x00101002, vr: 'SQ', items: [bsnItem(BERT)] };

describe.each(ENCODINGS)('in %s, a signed instance', (encoding) => {
  const list = (...tags: number[]): Built => ({
    tag: 0x04000020,
    vr: 'AT',
    value: Buffer.concat(
      tags.flatMap((tag) => [number16(tag >>> 16, encoding), number16(tag & 0xffff, encoding)]),
    ),
  });
  const mac = (...items: Built[][]): Built => ({ tag: 0x4ffe0001, vr: 'SQ', items });
  const signed = (more: Built[], ...tags: number[]) => part10(ct([...more, mac([list(...tags)])]), encoding);

  it('lists what is signed, of all its signatures', () => {
    const bytes = part10(ct([mac([list(0x00100020, 0x00080018)], [list(0x00101002)])]), encoding);
    expect(scanWhole(bytes).sites.signed).toEqual([0x00080018, 0x00100020, 0x00101002]);
    expect(scanWhole(part10(ct([mac()]), encoding)).sites.signed).toEqual([]);
    expect(scanWhole(part10(ct(), encoding)).sites.signed).toEqual([]);
  });

  it('goes untagged when a signature covers what would change', () => {
    expect(patchWith(signed([], 0x00080018, 0x00101002), recipe)).toEqual(SIGNED);
    expect(patchWith(signed([others], 0x00101002), recipe)).toEqual(SIGNED);
    expect(patchWith(signed([], 0x00101000), { ...recipe, dialect: LEGACY_1000 })).toEqual(SIGNED);
  });

  it('goes untagged when a signature covers the place of the record', () => {
    const bytes = signed([others], 0x04000561);
    expect(patchWith(bytes, { ...recipe, record })).toEqual(SIGNED);
    expect(patchWith(bytes, recipe).refused).toBeNull();
  });

  it('goes untagged when a signature covers what is to be taken out', () => {
    const foreign: Built = { tag: 0x00111010, vr: 'LO', value: 'Bert' };
    const bytes = signed([foreign], 0x00111010);
    const at = bytes.indexOf('Bert') - 8;
    const recipeOf = { dialect: NONE, bsn: undefined, foreign: [{ tag: 0x00111010, at, bytes: 12 }] };
    expect(patchWith(bytes, recipeOf)).toEqual(SIGNED);
  });

  it('is tagged when its signatures cover other elements', () => {
    for (const tags of [[], [0x00080018, 0x00100010, 0x7fe00010], [0x00100000]]) {
      const bytes = part10(counted(ct([mac([list(...tags)])]), 0x0010, encoding), encoding);
      const { edits, refused } = patchWith(bytes, recipe);
      expect(refused).toBeNull();
      expect(edits.length).toBeGreaterThan(0);
      expect(patchWith(applyEdits(bytes, edits), recipe)).toEqual({ edits: [], refused: null });
    }
  });

  it('is no matter when it has the item already', () => {
    const there = { ...others, items: [bsnItem(ANNA)] };
    expect(patchWith(signed([there], 0x00101002), recipe)).toEqual({ edits: [], refused: null });
  });

  it('counts as signed throughout when it cannot be read what is', () => {
    const tags = Array.from({ length: 1025 }, (_, index) => 0x00280000 + index);
    const unreadable: Built[] = [
      mac([list(...tags)]),
      mac([]),
      mac([{ tag: 0x04000015, vr: 'CS', value: 'SHA256' }]),
      mac([list(0x00080018)], [{ tag: 0x04000015, vr: 'CS', value: 'SHA256' }]),
      mac([{ ...list(), value: Buffer.alloc(6) }]),
      mac([list(0x00080018), { tag: 0x04000110, vr: 'OB', value: Buffer.alloc(300_000) }]),
      { tag: 0x4ffe0001, vr: 'SQ', value: Buffer.alloc(16, 9) },
      { tag: 0x4ffe0001, vr: 'OB', value: Buffer.alloc(16, 9) },
    ];
    for (const element of unreadable) {
      const bytes = part10(ct([element]), encoding);
      expect(scanWhole(bytes).sites.signed).toBe('all');
      expect(patchWith(bytes, recipe)).toEqual(SIGNED);
    }
  });

  it('is read whatever the lengths of its signatures, and when they are UN', () => {
    for (const form of [{ open: true }, { open: true, openItems: true }]) {
      const bytes = part10(ct([{ ...mac([list(0x00101002)]), ...form }]), encoding);
      expect(scanWhole(bytes).sites.signed).toEqual([0x00101002]);
    }
    const little: Built = { tag: 0x04000020, vr: 'AT', value: Buffer.from('1800080010000210', 'hex') };
    for (const open of [false, true]) {
      const bytes = part10(ct([{ ...mac([little]), vr: 'UN', open }]), encoding);
      expect(scanWhole(bytes).sites.signed).toEqual([0x00101002, 0x00180008]);
    }
  });
});

describe('a signature of a nested dataset', () => {
  it('covers nothing of the instance itself', () => {
    const list: Built = { tag: 0x04000020, vr: 'AT', value: Buffer.from('10000210', 'hex') };
    const nested: Built = { tag: 0x4ffe0001, vr: 'SQ', items: [[list]] };
    const bytes = part10(ct([{ tag: 0x00400275, vr: 'SQ', items: [[nested]] }]), 'explicit-le');
    expect(scanWhole(bytes).sites.signed).toEqual([]);
    expect(patchWith(bytes, recipe).refused).toBeNull();
  });
});
