import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIALECTS, NL_2010 } from '../../src/dicom/dialect.ts';
import { DicomError } from '../../src/dicom/error.ts';
import { identify } from '../../src/dicom/identity.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { type Scan, scan } from '../../src/dicom/scan.ts';
import { type Built, bsnItem, ct, ENCODINGS, part10 } from './builder.ts';
import { ANNA, BERT, bounded, expectExact, patchWhole, patchWith, scanWhole, walk } from './support.ts';

const shapes = fc.record({ open: fc.boolean(), openItems: fc.boolean() });
const text = fc.string({ maxLength: 20, unit: 'binary-ascii' }).map((value) => value.replaceAll('\0', ' '));

/** Elements anywhere in the dataset, private and nested ones too, around the usual ones. */
const more: fc.Arbitrary<Built[]> = fc
  .uniqueArray(
    fc.oneof(
      fc.record({
        tag: fc.integer({ min: 0x00090010, max: 0x000910ff }),
        vr: fc.constantFrom('LO', 'UN', 'OB'),
        value: text,
      }),
      fc.record({
        tag: fc.integer({ min: 0x00100041, max: 0x00100fff }),
        vr: fc.constantFrom('LO', 'SH'),
        value: text,
      }),
      fc.record({
        tag: fc.integer({ min: 0x00101003, max: 0x0010ffff }),
        vr: fc.constant('OW'),
        value: text,
      }),
      fc.tuple(fc.integer({ min: 0x00290010, max: 0x7fdf0000 }), shapes, text).map(
        ([tag, shape, value]): Built => ({
          tag,
          vr: 'SQ',
          items: [[{ tag: 0x00100020, vr: 'LO', value }], []],
          ...shape,
        }),
      ),
    ),
    { selector: ({ tag }) => tag, maxLength: 8 },
  )
  .map((elements) => [...elements]);

const otherIds: fc.Arbitrary<Built[]> = fc.oneof(
  fc.constant<Built[]>([]),
  fc
    .tuple(
      fc.constantFrom('SQ', 'UN'),
      fc.array(fc.constantFrom<Built[]>(bsnItem(BERT), [], [{ tag: 0x00100020, vr: 'LO', value: 'X' }]), {
        maxLength: 3,
      }),
      shapes,
    )
    .map(([vr, items, shape]): Built[] => [{ tag: 0x00101002, vr, items, ...shape }]),
);

/** What only a patch looks at behind the identifiers. */
const further: fc.Arbitrary<Built[]> = fc.subarray<Built>([
  { tag: 0x00100021, vr: 'LO', value: '' },
  { tag: 0x00100024, vr: 'SQ', items: [[{ tag: 0x00400032, vr: 'UT', value: '1.2' }]], open: true },
  { tag: 0x00101000, vr: 'LO', value: 'A\\B' },
  { tag: 0x04000000, vr: 'UL', value: Buffer.alloc(4) },
  { tag: 0x04000561, vr: 'SQ', items: [[], []], open: true, openItems: true },
  {
    tag: 0x4ffe0001,
    vr: 'SQ',
    items: [[{ tag: 0x04000020, vr: 'AT', value: Buffer.from('08001800', 'hex') }]],
  },
]);

const instances = fc
  .tuple(more, otherIds, further, fc.constantFrom(...ENCODINGS))
  .map(([elements, others, behind, encoding]) => {
    const tags = new Set([...others, ...behind].map(({ tag }) => tag));
    const around = elements.filter(({ tag }) => !tags.has(tag));
    return part10(ct([...around, ...others, ...behind]), encoding);
  });

/** All that a patch can be asked for. */
const everything = {
  bsn: ANNA,
  issuer: { issuerOfPatientId: 'NOORD', universalEntityId: '1.2', universalEntityIdType: 'ISO' },
  patientId: 'prefix',
  record: { modifiedAt: '20260214', modifyingSystem: 'SLUIS', source: '' },
} as const;

/** Runs everything that reads an instance; only the scan may refuse it, and only with a DicomError. */
function readAll(bytes: Uint8Array): void {
  const found = scanned(bytes);
  if (found === undefined) return;
  identify(bytes, found);
  walk(bytes, found, 100);
  for (const dialect of DIALECTS) {
    const { edits } = patchWith(bytes, { ...everything, dialect });
    const patched = applyEdits(bytes, edits);
    expectExact(bytes, patched, edits);
    expect(patchWith(patched, { ...everything, dialect }).edits).toEqual([]);
  }
}

function scanned(bytes: Uint8Array): Scan | undefined {
  try {
    return scanWhole(bytes);
  } catch (thrown) {
    if (thrown instanceof DicomError) return undefined;
    throw thrown;
  }
}

describe('whatever the bytes are', () => {
  it('a patch changes nothing outside its edits, and patching twice is patching once', () => {
    fc.assert(
      fc.property(instances, (bytes) => {
        const edits = patchWhole(bytes, scanWhole(bytes), NL_2010, ANNA);
        expect(edits.length).toBeGreaterThan(0);
        const patched = applyEdits(bytes, edits);
        expectExact(bytes, patched, edits);
        const again = scanWhole(patched);
        expect(patchWhole(patched, again, NL_2010, ANNA)).toEqual([]);
        expect(walk(patched, again)).toEqual({ complete: true });
        expect(identify(patched, again).bsn).toContainEqual({
          value: ANNA,
          source: '0010,1002',
          confidence: 'issuer',
        });
      }),
      bounded,
    );
  });

  it('a scan of the first bytes asks for more of them or finds what a scan of all finds', () => {
    fc.assert(
      fc.property(instances, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, part) => {
        const some = bytes.subarray(0, Math.floor(part * bytes.byteLength));
        const found = scan(some, bytes.byteLength);
        if ('need' in found) {
          expect(found.need).toBeGreaterThan(some.byteLength);
          expect(found.need).toBeLessThanOrEqual(bytes.byteLength);
        } else expect(found).toEqual(scanWhole(bytes));
      }),
      bounded,
    );
  });

  it('every shorter file is refused with a reason, found incomplete, or ends between two elements', () => {
    for (const encoding of ENCODINGS) {
      const bytes = part10(ct([{ tag: 0x00101002, vr: 'SQ', items: [bsnItem(BERT)], open: true }]), encoding);
      for (let end = 0; end < bytes.byteLength; end++) readAll(bytes.subarray(0, end));
    }
  });

  it('damage ends in a DicomError or in a result, never in anything else', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0xfe))), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(instances, damage, (bytes, changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged[128 + (at % (damaged.byteLength - 128))] = value;
        readAll(damaged);
      }),
      bounded,
    );
  });

  it('noise behind a preamble, or none, does not get further than a DicomError', () => {
    const noise = fc.uint8Array({ maxLength: 400 });
    const heads = fc.constantFrom(
      Buffer.alloc(0),
      Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]),
      part10(ct().slice(0, 4), 'explicit-le'),
      part10(ct().slice(0, 7), 'implicit-le'),
    );
    fc.assert(
      fc.property(heads, noise, (head, tail) => readAll(Buffer.concat([head, tail]))),
      bounded,
    );
  });

  it('a length that lies allocates nothing', () => {
    const lengths = [0xfffffffe, 0xfffffff0, 0x80000000, 0x7fffffff, 0x10000000];
    const tags = [0x00080016, 0x00091001, 0x00100020, 0x00101002, 0x00290010, 0x7fe00010];
    const before = process.memoryUsage().arrayBuffers;
    for (const lie of lengths) {
      for (const tag of tags) {
        for (const vr of ['OB', 'SQ', 'UN']) {
          const bytes = part10(ct([{ tag, vr, value: 'ab', lie }]), 'explicit-le');
          readAll(bytes);
          try {
            const found = scan(bytes, 2 ** 40);
            if ('need' in found) expect(found.need).toBeLessThanOrEqual(16 * 1024 * 1024);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(DicomError);
          }
        }
      }
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  });
});
