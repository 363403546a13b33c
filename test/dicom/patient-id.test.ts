import { describe, expect, it } from 'vitest';
import { LEGACY_1000, NL_2010, NONE, PATIENTID_BSN } from '../../src/dicom/dialect.ts';
import { identify } from '../../src/dicom/identity.ts';
import { applyEdits, type PatchRecipe } from '../../src/dicom/patch.ts';
import { type Built, bsnItem, ct, ENCODINGS, part10 } from './builder.ts';
import { ANNA, expectExact, patchWith, scanWhole } from './support.ts';

const NOORD = {
  issuerOfPatientId: 'NOORD',
  universalEntityId: '1.2.528.1.1',
  universalEntityIdType: 'ISO',
};
const NAME_ONLY = { issuerOfPatientId: 'NOORD', universalEntityId: null, universalEntityIdType: null };

const id = (value: string): Built => ({ tag: 0x00100020, vr: 'LO', value });
const issuer = (value: string): Built => ({ tag: 0x00100021, vr: 'LO', value });
const type = (value: string): Built => ({ tag: 0x00100022, vr: 'CS', value });
const retired = (value: string, vr = 'LO'): Built => ({ tag: 0x00101000, vr, value });
const others = (...items: Built[][]): Built => ({ tag: 0x00101002, vr: 'SQ', items });
const qualifiers = (...item: Built[]): Built => ({ tag: 0x00100024, vr: 'SQ', items: [item] });
const entity: Built = { tag: 0x00400032, vr: 'UT', value: '1.2.528.1.1' };
const iso: Built = { tag: 0x00400033, vr: 'CS', value: 'ISO' };
const bsnQualifiers = bsnItem(ANNA).slice(-1);

/** A CT without Patient ID, and what is given. */
const without = (...more: Built[]): Built[] =>
  [...ct().filter(({ tag }) => tag !== 0x00100020), ...more].sort((a, b) => a.tag - b.tag);

describe.each(ENCODINGS)('in %s', (encoding) => {
  /** Patches, sees that nothing else changed and that a second patch does nothing, and compares. */
  function expectPatched(before: readonly Built[], recipe: PatchRecipe, after: readonly Built[]): void {
    const original = part10(before, encoding);
    const { edits, refused } = patchWith(original, recipe);
    expect(refused).toBeNull();
    const patched = Buffer.from(applyEdits(original, edits));
    expectExact(original, patched, edits);
    expect(patched.equals(part10(after, encoding))).toBe(true);
    expect(patchWith(patched, recipe)).toEqual({ edits: [], refused: null });
  }

  describe('a Patient ID that names no issuer', () => {
    const recipe = { dialect: NL_2010, bsn: undefined, issuer: NOORD };

    it('gets the sender as its issuer, with the entity when there is one', () => {
      const after = without(id('123'), issuer('NOORD'), qualifiers(entity, iso));
      expectPatched(without(id('123')), recipe, after);
      expectPatched(
        without(id('123')),
        { ...recipe, issuer: NAME_ONLY },
        without(id('123'), issuer('NOORD')),
      );
    });

    it('gets it in the place of an issuer, or qualifiers, that say nothing', () => {
      const after = without(id('123'), issuer('NOORD'), qualifiers(entity, iso));
      for (const empty of [
        [issuer('')],
        [issuer('  ')],
        [issuer(''), qualifiers()],
        [{ ...qualifiers(), items: [] }],
        [{ ...qualifiers({ tag: 0x00400032, vr: 'UT', value: '' }), open: true, openItems: true }],
      ]) {
        expectPatched(without(id('123'), ...empty), recipe, after);
      }
    });

    it('gets it beside the kind of number it is, which names no issuer and is kept', () => {
      const kind: Built = { tag: 0x00400035, vr: 'CS', value: 'MR' };
      const before = without(id('123'), qualifiers(kind));
      const named = [id('123'), issuer('NOORD'), qualifiers(entity, iso, kind)];
      expectPatched(before, recipe, without(...named));
      const byName = [id('123'), issuer('NOORD'), qualifiers(kind)];
      expectPatched(before, { ...recipe, issuer: NAME_ONLY }, without(...byName));
      const exchange = { dialect: PATIENTID_BSN, bsn: ANNA };
      for (const [given, [number, name, said]] of [
        [NOORD, named],
        [NAME_ONLY, byName],
      ] as const) {
        const moved = [number, name, type('TEXT'), said] as Built[];
        expectPatched(before, { ...exchange, issuer: given }, without(...bsnItem(ANNA), others(moved)));
      }
    });

    it('keeps qualifiers that say nothing when the sender has no entity', () => {
      const empty = { ...qualifiers(), open: true };
      const wanted = without(id('123'), issuer('NOORD'), empty);
      expectPatched(without(id('123'), empty), { ...recipe, issuer: NAME_ONLY }, wanted);
    });

    it('gets none when it is absent or empty, when it names one, and when nobody says which', () => {
      for (const before of [
        without(),
        without(id('')),
        without(id(' ')),
        without(id('123'), issuer('ZUID')),
        without(id('123'), qualifiers(entity)),
        without(id('123'), { ...qualifiers(entity), vr: 'UN' }),
      ]) {
        expectPatched(before, recipe, before);
      }
      expectPatched(without(id('123')), { dialect: NL_2010, bsn: undefined }, without(id('123')));
    });

    it('is that of the BSN when it is the BSN, and never gets a prefix then', () => {
      const [, bsnIssuer] = bsnItem(ANNA) as [Built, Built];
      const before = without(id(ANNA));
      const after = without(id(ANNA), bsnIssuer, ...bsnQualifiers, others(bsnItem(ANNA)));
      expectPatched(before, { ...recipe, bsn: ANNA, patientId: 'prefix' }, after);
    });

    it('is nobody’s when it is the BSN and the dialect does not say who issues that', () => {
      const dialect = { ...LEGACY_1000, otherPatientId: null };
      const after = without(id(ANNA), retired(ANNA));
      expectPatched(without(id(ANNA)), { ...recipe, dialect, bsn: ANNA }, after);
    });

    it('goes as it came in the dialect none', () => {
      expectPatched(without(id('123')), { ...recipe, dialect: NONE, bsn: ANNA }, without(id('123')));
    });
  });

  describe('the policy prefix', () => {
    const recipe: PatchRecipe = {
      dialect: NL_2010,
      bsn: undefined,
      issuer: NAME_ONLY,
      patientId: 'prefix',
    };

    it('puts the issuer in front of the number, once', () => {
      expectPatched(without(id(' 123 ')), recipe, without(id('NOORD-123'), issuer('NOORD')));
      expectPatched(without(id('NOORD-123')), recipe, without(id('NOORD-123'), issuer('NOORD')));
    });

    it('leaves two numbers, of which one only would have it', () => {
      expectPatched(without(id('12\\34')), recipe, without(id('12\\34'), issuer('NOORD')));
    });

    it('leaves the number when it would be longer than 64 characters, or is not of the sender', () => {
      const fits = 'x'.repeat(64 - 'NOORD-'.length);
      expectPatched(without(id(fits)), recipe, without(id(`NOORD-${fits}`), issuer('NOORD')));
      expectPatched(without(id(`${fits}x`)), recipe, without(id(`${fits}x`), issuer('NOORD')));
      const foreign = without(id('123'), issuer('ZUID'));
      expectPatched(foreign, recipe, foreign);
    });

    it('is for the receiver that wants it: the others keep the number', () => {
      for (const patientId of ['keep-with-issuer', 'reconciled-by-gateway'] as const) {
        expectPatched(without(id('123')), { ...recipe, patientId }, without(id('123'), issuer('NOORD')));
      }
    });
  });

  describe('the dialect patientid-bsn', () => {
    const recipe = { dialect: PATIENTID_BSN, bsn: ANNA, issuer: NOORD };
    const bsn = bsnItem(ANNA);

    it('makes the BSN the Patient ID, and keeps the one that was there with its issuer', () => {
      const moved = [id('123'), issuer('ZUID'), type('RFID'), qualifiers(entity, iso)];
      const before = without(...moved);
      expectPatched(before, recipe, without(...bsn, others(moved)));
    });

    it('keeps the sender as issuer of a number that names none', () => {
      const moved = [id('123'), issuer('NOORD'), type('TEXT'), qualifiers(entity, iso)];
      expectPatched(without(id('123')), recipe, without(...bsn, others(moved)));
      const bare = [id('123'), type('TEXT')];
      const { issuer: _, ...unnamed } = recipe;
      expectPatched(without(id('123')), unnamed, without(...bsn, others(bare)));
    });

    it('keeps all that qualifies the issuer, in whatever form it came', () => {
      const facility: Built = {
        tag: 0x00400036,
        vr: 'SQ',
        items: [[entity]],
        open: true,
        openItems: true,
      };
      for (const form of [{}, { open: true }, { open: true, openItems: true }, { vr: 'UN' }]) {
        const qualifying = { ...qualifiers(entity, iso, facility), ...form };
        const moved = [id('123'), type('TEXT'), qualifying];
        expectPatched(without(id('123'), qualifying), recipe, without(...bsn, others(moved)));
        // Among items that are implicit because some writer knew them as UN, it has to be so too.
        const un = { ...others([id('9')]), vr: 'UN' };
        const together = { ...others([id('9')], moved), vr: 'UN' };
        expectPatched(without(id('123'), qualifying, un), recipe, without(...bsn, together));
      }
    });

    it('moves nothing when there is no number, it is the BSN, or an item says the same', () => {
      expectPatched(without(), recipe, without(...bsn));
      expectPatched(without(id('')), recipe, without(...bsn));
      expectPatched(without(id(ANNA)), recipe, without(...bsn));
      expectPatched(without(id(ANNA), issuer('ZUID'), type('TEXT')), recipe, without(...bsn));
      const moved = [id('123'), issuer('ZUID'), type('TEXT')];
      const there = others(moved);
      expectPatched(without(id('123'), issuer('ZUID'), there), recipe, without(...bsn, there));
    });

    it('touches nothing of what already is so', () => {
      expectPatched(without(...bsn), recipe, without(...bsn));
    });

    it('is nl-2010 without an item as long as there is no BSN', () => {
      const after = without(id('123'), issuer('NOORD'), qualifiers(entity, iso));
      expectPatched(without(id('123')), { ...recipe, bsn: undefined }, after);
    });

    it('reads back as the BSN that its issuer claims', () => {
      const original = part10(ct(), encoding);
      const patched = applyEdits(original, patchWith(original, recipe).edits);
      const { bsn: found, patientId } = identify(patched, scanWhole(patched));
      expect(patientId).toBe(ANNA);
      expect(found).toContainEqual(
        expect.objectContaining({ value: ANNA, source: '0010,0020', confidence: 'issuer' }),
      );
    });
  });

  describe('the dialect legacy-1000', () => {
    const recipe = { dialect: LEGACY_1000, bsn: ANNA };
    const both = (value: string, vr?: string) => ct([retired(value, vr), others(bsnItem(ANNA))]);

    it('writes the BSN where the national guideline says, and into the retired element too', () => {
      expectPatched(ct(), recipe, both(ANNA));
    });

    it('adds it to the values that are there, without their padding', () => {
      expectPatched(ct([retired('A')]), recipe, both(`A\\${ANNA}`));
      expectPatched(ct([retired('A\\B1')]), recipe, both(`A\\B1\\${ANNA}`));
      expectPatched(ct([retired('AB\0 ')]), recipe, both(`AB\\${ANNA}`));
      expectPatched(ct([retired('A', 'UN')]), recipe, both(`A\\${ANNA}`, 'UN'));
    });

    it('takes the place of an element that says nothing', () => {
      for (const empty of ['', '  ', '\0\0']) expectPatched(ct([retired(empty)]), recipe, both(ANNA));
    });

    it('adds nothing where it is one of the values', () => {
      for (const value of [ANNA, `A\\${ANNA}`, `${ANNA} \\B`]) {
        expectPatched(ct([retired(value)]), recipe, both(value));
      }
    });

    it('leaves an element that cannot take one more value', () => {
      const full = 'x'.repeat(65_526);
      expectPatched(
        ct([retired(full)]),
        recipe,
        both(encoding === 'implicit-le' ? `${full}\\${ANNA}` : full),
      );
      const room = 'x'.repeat(65_524);
      expectPatched(ct([retired(room)]), recipe, both(`${room}\\${ANNA}`));
      if (encoding !== 'implicit-le') expectPatched(ct([retired('A', 'LT')]), recipe, both('A', 'LT'));
    });

    it('leaves an element that would be longer than is ever read again', () => {
      for (const vr of ['UN', 'LO']) {
        const full = 'x'.repeat(vr === 'LO' && encoding !== 'implicit-le' ? 65_526 : 65_528);
        expectPatched(ct([retired(full, vr)]), recipe, both(full, vr));
      }
    });
  });

  it('Other Patient IDs are never made longer than is read again: the instance goes as it came', () => {
    const patch = (bytes: number) => {
      const original = part10(ct([others([id('x'.repeat(bytes))])]), encoding);
      const { edits, refused } = patchWith(original, { dialect: NL_2010, bsn: ANNA });
      if (refused === null) scanWhole(applyEdits(original, edits));
      else expect(edits).toEqual([]);
      return refused;
    };
    expect(patch(1000)).toBeNull();
    for (let bytes = 65_000; bytes < 65_500; bytes += 2) patch(bytes);
    expect(patch(65_498)).toBe('NO_RECORD');
  });
});

describe('a recipe', () => {
  const original = part10(ct(), 'explicit-le');
  const recipe = { dialect: NL_2010, bsn: ANNA };

  it.each([
    { issuerOfPatientId: 'A\\B' },
    { issuerOfPatientId: 'A^B' },
    { issuerOfPatientId: '' },
    { issuerOfPatientId: 'Zürich' },
    { issuerOfPatientId: 'x'.repeat(65) },
    { universalEntityId: '1.2' },
    { universalEntityIdType: 'ISO' },
  ])('is refused when its issuer cannot be written: %j', (wrong) => {
    expect(() => patchWith(original, { ...recipe, issuer: { ...NAME_ONLY, ...wrong } })).toThrow(RangeError);
  });

  it.each([
    { modifiedAt: 'now' },
    { modifiedAt: '2026-02-14' },
    { modifiedAt: '202602141' },
    { modifiedAt: '20260214.5' },
    { modifyingSystem: '' },
    { source: 'A\\B' },
  ])('is refused when its record cannot be written: %j', (wrong) => {
    const record = { modifiedAt: '20260214', modifyingSystem: 'SLUIS', source: '', ...wrong };
    expect(() => patchWith(original, { ...recipe, record })).toThrow(RangeError);
  });

  it('is refused when the BSN is to be the Patient ID and nothing says who issues it', () => {
    const dialect = { ...PATIENTID_BSN, otherPatientId: null };
    expect(() => patchWith(original, { dialect, bsn: ANNA })).toThrow(RangeError);
  });
});
