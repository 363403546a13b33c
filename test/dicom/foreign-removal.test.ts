import { describe, expect, it } from 'vitest';
import { NL_2010, NONE } from '../../src/dicom/dialect.ts';
import type { ForeignElement } from '../../src/dicom/foreign.ts';
import { applyEdits, patch } from '../../src/dicom/patch.ts';
import { type Built, bsnItem, counted, ct, dataset, ENCODINGS, part10 } from './builder.ts';
import { ANNA, expectExact, patchWith, scanWhole, walk } from './support.ts';

const item: Built[] = [
  { tag: 0x00100010, vr: 'PN', value: 'Bert' },
  { tag: 0x00101000, vr: 'LO', value: '999990020' },
];
const creator = (group: number): Built => ({ tag: group * 0x10000 + 0x10, vr: 'LO', value: 'Visus Change' });
const history = (group: number, form: Partial<Built> = {}): Built => ({
  tag: group * 0x10000 + group,
  vr: 'SQ',
  items: [item, item],
  ...form,
});
const tagged: Built = { tag: 0x00101002, vr: 'SQ', items: [bsnItem(ANNA)] };

describe.each(ENCODINGS)('in %s, a foreign element', (encoding) => {
  const placeOf = (bytes: Buffer, element: Built): ForeignElement => {
    const encoded = dataset([element], encoding);
    return { tag: element.tag, at: bytes.indexOf(encoded), bytes: encoded.byteLength };
  };

  function expectStripped(before: Built[], out: Built[], after: Built[], dialect = NL_2010): void {
    const bytes = part10(before, encoding);
    const foreign = out.map((element) => placeOf(bytes, element));
    const { edits, refused } = patchWith(bytes, { dialect, bsn: ANNA, foreign });
    expect(refused).toBeNull();
    const patched = Buffer.from(applyEdits(bytes, edits));
    expectExact(bytes, patched, edits);
    expect(patched.equals(part10(after, encoding))).toBe(true);
    expect(patched.includes('Bert')).toBe(false);
    expect(walk(patched, scanWhole(patched))).toEqual({ complete: true });
    expect(patchWith(patched, { dialect, bsn: ANNA, foreign: [] })).toEqual({ edits: [], refused: null });
  }

  it.each([0x0009, 0x0011, 0x0021, 0x0401, 0x5533])('is taken out of group %i as a whole', (group) => {
    for (const form of [{}, { open: true }, { open: true, openItems: true }, { vr: 'UN', open: true }]) {
      const element = history(group, form);
      expectStripped(ct([creator(group), element]), [element], ct([creator(group), tagged]));
    }
  });

  it('is taken out next to other edits, and together with others', () => {
    const all = [history(0x0009), history(0x0011), history(0x0401)];
    const record: Built = { tag: 0x04000561, vr: 'SQ', items: [] };
    expectStripped(ct([...all, record]), all, ct([record, tagged]));
  });

  it('is taken out for a receiver that wants no BSN written, too', () => {
    expectStripped(ct([history(0x0011)]), [history(0x0011)], ct(), NONE);
  });

  it.each([0x0009, 0x0011, 0x0021, 0x0401, 0x5533])('is counted out of its group %i', (group) => {
    for (const lie of [undefined, 3]) {
      const before = counted(ct([creator(group), history(group)]), group, encoding, lie);
      const after = counted(ct([creator(group), tagged]), group, encoding);
      expectStripped(before, [history(group)], after);
    }
  });

  it('takes the length of its group with it when nobody can see where the group ends', () => {
    const long: Built = { tag: 0x55339999, vr: 'UN', value: Buffer.alloc(200_000, 1) };
    const before = counted(ct([history(0x5533), long]), 0x5533, encoding);
    expectStripped(before, [history(0x5533)], ct([long, tagged]));
  });

  it('takes the length of its group with it when the group goes on right behind what is looked at', () => {
    const last: Built = { tag: 0x55339999, vr: 'UN', value: 'ab' };
    const filled = (bytes: number) => {
      const filler: Built = { tag: 0x55335534, vr: 'UN', value: Buffer.alloc(bytes, 1) };
      return counted(ct([history(0x5533), filler, last]), 0x5533, encoding);
    };
    const empty = part10(filled(0), encoding).indexOf(dataset([last], encoding));
    for (const room of [0, 2, 6, 8]) {
      const before = filled(128 * 1024 - room - empty);
      const after = ct([tagged, ...before.filter(({ tag }) => tag > 0x55335533 && tag < 0x7fe00000)]);
      expectStripped(before, [history(0x5533)], after);
    }
  });

  it('is counted out of its group behind a (0400,0561) that is none', () => {
    for (const [vr, value] of [
      ['LO', 'text'],
      ['SQ', 'no items'],
    ] as const) {
      const broken: Built = { tag: 0x04000561, vr, value };
      const before = counted(ct([broken, creator(0x5533), history(0x5533)]), 0x5533, encoding);
      const after = counted(ct([broken, creator(0x5533), tagged]), 0x5533, encoding);
      expectStripped(before, [history(0x5533)], after);
    }
  });
});

describe('a head with more private groups than are counted', () => {
  it('still has its own groups counted', () => {
    const groups = Array.from({ length: 200 }, (_, index) => 0x0029 + 2 * index);
    const before: Built = { tag: 0x00101002, vr: 'SQ', items: [item] };
    const lengths = groups.map(
      (group): Built => ({ tag: group * 0x10000, vr: 'UL', value: Buffer.alloc(4) }),
    );
    const elements = [0x0010, 0x0400].reduce(
      (list, group) => counted(list, group, 'explicit-le'),
      ct([before, ...lengths, { tag: 0x04000561, vr: 'SQ', items: [] }]),
    );
    const record = { modifiedAt: '2026', modifyingSystem: 'SLUIS', source: '' };
    const bytes = part10(elements, 'explicit-le');
    const patched = applyEdits(bytes, patchWith(bytes, { dialect: NL_2010, bsn: ANNA, record }).edits);
    const { groups: found } = scanWhole(patched).sites;
    expect(found.map(({ group }) => group)).toEqual([0x0010, ...groups.slice(0, 63), 0x0400]);
    for (const { group, lengthAt, from, to } of found) {
      if (group === 0x0010 || group === 0x0400) {
        expect(Buffer.from(patched).readUInt32LE(lengthAt)).toBe((to ?? 0) - from);
      }
    }
  });
});

describe('what is to be taken out', () => {
  const element = history(0x0011);
  const bytes = part10(ct([element]), 'explicit-le');
  const encoded = dataset([element], 'explicit-le');
  const at = bytes.indexOf(encoded);
  const place = { tag: element.tag, at, bytes: encoded.byteLength };

  it.each([
    ['is no private element', [{ ...place, tag: 0x00120010 }]],
    ['lies in the file meta', [{ ...place, at: 200, tag: 0x00090010, bytes: 20 }]],
    ['reaches into group 0010', [{ ...place, tag: 0x00090010 }]],
    ['lies in front of group 0010 by its place, and behind it by its tag', [{ ...place, at: at - 200 }]],
    ['has no bytes', [{ ...place, bytes: 0 }]],
    ['is at no byte', [{ ...place, at: Number.NaN }]],
    ['is named twice', [place, place]],
    ['reaches into the next one', [place, { ...place, tag: place.tag + 1, at: at + 8 }]],
  ] as const)('is a mistake when it %s', (_, foreign) => {
    expect(() => patchWith(bytes, { dialect: NONE, bsn: undefined, foreign })).toThrow(RangeError);
  });

  it('is never taken out of a DICOMDIR', () => {
    const directory = part10(
      ct([{ tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.1.3.10' }, element]),
      'explicit-le',
    );
    const found = scanWhole(directory);
    const foreign = [{ ...place, at: directory.indexOf(encoded) }];
    expect(patch(found, { dialect: NL_2010, bsn: ANNA, foreign }).edits).toEqual([]);
  });
});
