import * as dicomParser from 'dicom-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIALECTS, LEGACY_1000 } from '../../src/dicom/dialect.ts';
import type { PatchRecipe } from '../../src/dicom/patch.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { type Built, bsnItem, counted, ct, ENCODINGS, part10 } from './builder.ts';
import { modelled } from './patch-model.ts';
import { ANNA, BERT, bounded, expectExact, patchWith, scanWhole, walk } from './support.ts';

const shape = fc.record({
  open: fc.boolean(),
  openItems: fc.boolean(),
  vr: fc.constantFrom('SQ', 'SQ', 'UN'),
});

const maybe = (element: fc.Arbitrary<Built>): fc.Arbitrary<Built[]> =>
  fc.oneof(
    fc.constant<Built[]>([]),
    element.map((one) => [one]),
  );

const texts = (tag: number, vrs: string[], ...values: string[]): fc.Arbitrary<Built[]> =>
  maybe(fc.record({ tag: fc.constant(tag), vr: fc.constantFrom(...vrs), value: fc.constantFrom(...values) }));

const sequences = (tag: number, ...items: Built[][]): fc.Arbitrary<Built[]> =>
  maybe(
    fc
      .tuple(shape, fc.array(fc.constantFrom(...items), { maxLength: 3 }))
      .map(([how, chosen]): Built => ({ tag, items: chosen, ...how })),
  );

const ours: Built[] = [
  { tag: 0x00400032, vr: 'UT', value: '1.2.528.1' },
  { tag: 0x00400033, vr: 'CS', value: 'ISO' },
];
const facility: Built = {
  tag: 0x00400036,
  vr: 'SQ',
  items: [[{ tag: 0x00400031, vr: 'UT', value: 'North' }]],
  open: true,
};
const kind: Built[] = [{ tag: 0x00400035, vr: 'CS', value: 'MR' }];
const bsnQualifiers = bsnItem(ANNA).at(-1)?.items?.[0] as Built[];

/** Heads with the attributes that a patch may touch in every state, and some others around them. */
const heads: fc.Arbitrary<Built[]> = fc
  .tuple(
    texts(0x00100020, ['LO', 'SH', 'UN'], '', ' ', '123', ' 123', '1\\23', 'HOSP-123', ANNA, 'x'.repeat(60)),
    texts(0x00100021, ['LO', 'UN'], '', 'HOSP', 'NLMINBIZA', '\xe9\xe8'),
    texts(0x00100022, ['CS'], '', 'TEXT', 'RFID'),
    sequences(0x00100024, [], ours, [...ours, facility], bsnQualifiers, kind, [
      { tag: 0x00400032, vr: 'UT' },
    ]),
    texts(0x00101000, ['LO', 'SH', 'UN', 'LT'], '', '  ', 'A', 'A\\B', 'A \0', ANNA, `A\\${ANNA} `, '\\'),
    sequences(0x00101002, [], bsnItem(ANNA), bsnItem(BERT), bsnItem(ANNA).slice(0, 3), [
      { tag: 0x00100020, vr: 'LO', value: '123' },
      { tag: 0x00100022, vr: 'CS', value: 'TEXT' },
    ]),
    sequences(0x04000561, [], [{ tag: 0x04000565, vr: 'CS', value: 'CORRECT' }]),
    maybe(fc.constant<Built>({ tag: 0x04000550, vr: 'SQ', items: [[]] })),
    maybe(fc.constant<Built>({ tag: 0x00110010, vr: 'LO', value: 'MAKER' })),
    maybe(fc.constant<Built>({ tag: 0x04ff1010, vr: 'LO', value: 'MAKER' })),
  )
  .map((parts) => {
    const touched = parts.flat();
    return [
      ...ct(touched).filter(({ tag }) => tag !== 0x00100020),
      ...touched.filter(({ tag }) => tag === 0x00100020),
    ].sort((a, b) => a.tag - b.tag);
  });

/** A hospital's own: nothing says who issues a BSN. */
const RETIRED_ALONE = { ...LEGACY_1000, name: 'eigen', otherPatientId: null };

const recipes: fc.Arbitrary<PatchRecipe> = fc
  .tuple(
    fc.constantFrom(...DIALECTS, RETIRED_ALONE),
    fc.constantFrom(ANNA, ANNA, undefined),
    fc.constantFrom(
      {},
      { issuer: { issuerOfPatientId: 'HOSP', universalEntityId: null, universalEntityIdType: null } },
      { issuer: { issuerOfPatientId: 'HOSP', universalEntityId: '1.2.528.2', universalEntityIdType: 'ISO' } },
    ),
    fc.constantFrom({}, { patientId: 'prefix' as const }, { patientId: 'reconciled-by-gateway' as const }),
    fc.constantFrom(
      {},
      { record: { modifiedAt: '20260214120000+0100', modifyingSystem: 'SLUIS', source: '' } },
      { record: { modifiedAt: '20260214120000.123456', modifyingSystem: 'SLUIS', source: 'noord' } },
    ),
  )
  .map(([dialect, bsn, ...more]) => Object.assign({ dialect, bsn }, ...more) as PatchRecipe);

const encodings = fc.constantFrom(...ENCODINGS);

describe('any recipe on any head', () => {
  it('makes of it what the elements say, byte for byte, and only where the edits are', () => {
    fc.assert(
      fc.property(heads, recipes, encodings, (elements, recipe, encoding) => {
        const original = part10(elements, encoding);
        const { edits, refused } = patchWith(original, recipe);
        expect(refused).toBeNull();
        const patched = Buffer.from(applyEdits(original, edits));
        expectExact(original, patched, edits);
        expect(patched.equals(part10(modelled(elements, recipe, encoding), encoding))).toBe(true);
      }),
      bounded,
    );
  });

  it('counts the groups it writes into anew, whatever their lengths said before', () => {
    fc.assert(
      fc.property(
        heads,
        recipes,
        encodings,
        fc.constantFrom(undefined, 0, 4711),
        (elements, recipe, encoding, lie) => {
          const groups = [0x0010, 0x0400].filter((group) => elements.some(({ tag }) => tag >>> 16 === group));
          const before = groups.reduce((list, group) => counted(list, group, encoding, lie), elements);
          const original = part10(before, encoding);
          const { edits } = patchWith(original, recipe);
          const wanted = modelled(elements, recipe, encoding);
          const changed = groups.filter((group) => {
            const of = (list: readonly Built[]) => list.filter(({ tag }) => tag >>> 16 === group);
            return of(wanted).some((element, index) => of(elements)[index] !== element);
          });
          const after = groups.reduce(
            (list, group) => counted(list, group, encoding, changed.includes(group) ? undefined : lie),
            [...wanted],
          );
          expect(Buffer.from(applyEdits(original, edits)).equals(part10(after, encoding))).toBe(true);
        },
      ),
      bounded,
    );
  });

  it('changes nothing the second time, whenever that is', () => {
    fc.assert(
      fc.property(heads, recipes, encodings, (elements, recipe, encoding) => {
        const original = part10(elements, encoding);
        const once = applyEdits(original, patchWith(original, recipe).edits);
        const { record } = recipe;
        const later = record === undefined ? {} : { record: { ...record, modifiedAt: '20300101' } };
        expect(patchWith(once, { ...recipe, ...later })).toEqual({ edits: [], refused: null });
        expect(walk(once, scanWhole(once)).complete).toBe(true);
      }),
      bounded,
    );
  });

  it('reads back with dicom-parser as what the recipe says of the patient', () => {
    fc.assert(
      fc.property(heads, recipes, encodings, (elements, recipe, encoding) => {
        // dicom-parser does not know CP-246 in big endian.
        fc.pre(
          encoding !== 'explicit-be' || elements.every(({ vr, items }) => vr !== 'UN' || items === undefined),
        );
        const original = part10(elements, encoding);
        const patched = applyEdits(original, patchWith(original, recipe).edits);
        const found = dicomParser.parseDicom(patched);
        const { dialect, bsn, issuer } = recipe;
        if (dialect.name === 'none') {
          expect(Buffer.compare(patched, original)).toBe(0);
          return;
        }
        const id = found.string('x00100020') ?? '';
        const names = [found.string('x00100021'), found.elements.x00100024?.length];
        if (issuer !== undefined && id !== '' && (id !== bsn || dialect.otherPatientId !== null))
          expect(names.some((name) => name !== undefined && name !== '' && name !== 0)).toBe(true);
        if (bsn === undefined) return;
        if (dialect.patientId === 'bsn') expect([id, found.string('x00100021')]).toEqual([bsn, 'NLMINBIZA']);
        else if (dialect.otherPatientId !== null && found.elements.x00101002?.vr !== 'UN')
          expect(others(found)).toContain(bsn);
        if (dialect.otherPatientIds && elements.every(({ vr }) => vr !== 'LT')) {
          expect((found.string('x00101000') ?? '').split('\\').map((value) => value.trim())).toContain(bsn);
        }
      }),
      bounded,
    );
  });
});

const others = (found: dicomParser.DataSet) =>
  (found.elements.x00101002?.items ?? []).map(({ dataSet }) => dataSet?.string('x00100020'));
