import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareOutsidePatch } from './compare.ts';
import { EXPLICIT_BE, EXPLICIT_LE, fileMeta, IMPLICIT_LE, RLE_LOSSLESS } from './study/part10.ts';
import { generateStudy, type StudyOptions } from './study/study.ts';
import { type Element, type Encoding, encode, numbers, sequence, text } from './study/writer.ts';

const FUZZ_MS = Number(process.env.FUZZ_SECONDS ?? 2) * 1000;
const DEFLATED = '1.2.840.10008.1.2.1.99';
const BSN_ITEM = {
  patientId: '999990019',
  issuer: 'NLMINBIZA',
  type: 'TEXT',
  universalEntityId: '2.16.840.1.113883.2.4.6.3',
  universalEntityIdType: 'ISO',
  identifierTypeCode: 'NNNLD',
};
const small = { modality: 'CT', instances: 6, bytesPerInstance: 2000, seed: 5 } as const;

/** The same instance without and with the sequence: the generator wrote both whole, nothing was patched. */
function pair(options: Partial<StudyOptions>, index: number): [Buffer, Buffer] {
  const [source, delivered] = (['none', 'sequence-1002'] as const).map((bsnIn) =>
    Buffer.from(generateStudy({ ...small, ...options, bsnIn }).instance(index).bytes),
  );
  if (source === undefined || delivered === undefined) throw new Error('no pair');
  return [source, delivered];
}

function item(id: string): Element[] {
  return [text(0x0010_0020, 'LO', id), text(0x0010_0022, 'CS', 'TEXT')];
}

/** A dataset with that many identities, its group length right or not. */
function dataset(
  identities: number,
  open: boolean,
  encoding: 'explicit' | 'implicit',
  groupLength = false,
): Buffer {
  const ids = ['11', '222', '3333'].slice(0, identities);
  const patient = [
    text(0x0010_0010, 'PN', 'Jansen^J'),
    sequence(0x0010_1002, open, ...ids.map(item)),
    text(0x0010_4000, 'LO', 'x'),
  ];
  if (groupLength) patient.push(numbers(0x0010_0000, 'UL', encode(patient, encoding).byteLength));
  const rest = [text(0x0008_0018, 'UI', '1.2.3'), text(0x0020_000d, 'UI', '1.2')];
  const syntax = encoding === 'explicit' ? EXPLICIT_LE : IMPLICIT_LE;
  return Buffer.concat([fileMeta('1.2', '1.2.3', syntax), encode([...patient, ...rest], encoding)]);
}

/** A dataset with these in group 0010, between others. */
function patient(elements: readonly Element[], encoding: Encoding): Buffer {
  const around = [text(0x0008_0018, 'UI', '1.2.3'), text(0x0020_000d, 'UI', '1.2')];
  const syntax = { explicit: EXPLICIT_LE, implicit: IMPLICIT_LE, 'big-endian': EXPLICIT_BE }[encoding];
  return Buffer.concat([fileMeta('1.2', '1.2.3', syntax), encode([...around, ...elements], encoding)]);
}

describe('comparing outside the patch', () => {
  it.each([EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS] as const)(
    'finds an added sequence in %s and reads it back',
    (transferSyntaxUid) => {
      for (let index = 0; index < 6; index += 1) {
        const [source, delivered] = pair({ transferSyntaxUid }, index);
        const found = compareOutsidePatch(source, delivered);
        expect(found.reason).toBeUndefined();
        expect(found).toMatchObject({
          equal: true,
          insertedBytes: delivered.byteLength - source.byteLength,
          item: BSN_ITEM,
        });
        const at = found.insertedAt ?? 0;
        expect(delivered.subarray(at, at + 4).toString('hex')).toBe('10000210');
      }
    },
  );

  it.each(['explicit', 'implicit'] as const)('finds an item appended to what was there, %s', (encoding) => {
    for (const open of [true, false]) {
      for (const groupLength of [true, false]) {
        for (const identities of [0, 1, 2]) {
          const source = dataset(identities, open, encoding, groupLength);
          const delivered = dataset(identities + 1, open, encoding, groupLength);
          const found = compareOutsidePatch(source, delivered);
          expect(found.reason).toBeUndefined();
          expect(found.item?.patientId).toBe(['11', '222', '3333'][identities]);
          expect(found.insertedBytes).toBe(delivered.byteLength - source.byteLength);
        }
      }
    }
  });

  const bare = [text(0x0010_0020, 'LO', '4711'), text(0x0010_1000, 'LO', 'ABC')];
  const issuer = text(0x0010_0021, 'LO', 'ZUIDERDIEP');
  const qualifiers = sequence(0x0010_0024, true, [text(0x0040_0032, 'UT', '1.2.3')]);
  const others = sequence(0x0010_1002, false, item('11'));
  const retired = (...values: string[]): Element => text(0x0010_1000, 'LO', ...values);

  it.each([
    ['an issuer', [...bare, issuer], ['0010,0021']],
    ['its qualifiers as well', [...bare, issuer, qualifiers], ['0010,0021', '0010,0024']],
    ['a value behind the retired ones', [bare[0], retired('ABC', 'DE')], ['0010,1000']],
    [
      'all of it, with a record of what stood there',
      [bare[0], issuer, retired('ABC', 'D'), others, sequence(0x0400_0561, false, [])],
      ['0010,0021', '0010,1000', '0010,1002', '0400,0561'],
    ],
  ] as [string, Element[], string[]][])('finds %s that was added', (_, elements, added) => {
    for (const encoding of ['explicit', 'implicit', 'big-endian'] as const) {
      const [source, delivered] = [patient(bare, encoding), patient(elements, encoding)];
      expect(compareOutsidePatch(source, delivered)).toMatchObject({
        equal: true,
        added,
        insertedBytes: delivered.byteLength - source.byteLength,
      });
    }
  });

  it.each([
    ['the Patient ID changed', [text(0x0010_0020, 'LO', '4712'), retired('ABC'), others], /differs at/],
    ['a retired value changed', [bare[0], retired('ABD', 'D')], /does not begin/],
    ['a retired value went', [bare[0]], /has no \(0010,1000\)/],
    ['a type was added', [...bare, text(0x0010_0022, 'CS', 'TEXT')], /nothing was added/],
  ] as [string, Element[], RegExp][])('says so when %s', (_, elements, reason) => {
    const found = compareOutsidePatch(patient(bare, 'explicit'), patient(elements, 'explicit'));
    expect(found.equal).toBe(false);
    expect(found.reason).toMatch(reason);
  });

  it('says so when an issuer is replaced, or a second one is added', () => {
    const other = text(0x0010_0021, 'LO', 'NOORDERDIEP');
    const source = patient([...bare, issuer], 'explicit');
    expect(compareOutsidePatch(source, patient([...bare, other], 'explicit')).reason).toMatch(/was changed/);
    const both = patient([...bare, issuer, qualifiers], 'explicit');
    expect(compareOutsidePatch(source, both).reason).toMatch(/had an issuer/);
  });

  it('calls an unchanged instance equal, with nothing inserted', () => {
    const [source] = pair({}, 0);
    expect(compareOutsidePatch(source, Buffer.from(source))).toMatchObject({
      equal: true,
      insertedBytes: 0,
      item: undefined,
    });
  });

  it('compares deflated datasets inflated', () => {
    const deflated = (bytes: Buffer, level: number): Buffer => {
      const meta = fileMeta('1.2', '1.2.3', DEFLATED);
      const plain = fileMeta('1.2', '1.2.3', EXPLICIT_LE);
      return Buffer.concat([meta, deflateRawSync(bytes.subarray(plain.byteLength), { level })]);
    };
    const [one, two] = [dataset(1, false, 'explicit'), dataset(2, false, 'explicit')];
    expect(compareOutsidePatch(deflated(one, 9), deflated(two, 1))).toMatchObject({
      equal: true,
      reencoded: true,
    });
    expect(compareOutsidePatch(deflated(one, 9), deflated(one, 0))).toMatchObject({
      equal: true,
      insertedBytes: 0,
    });
  });

  it('says so when a dataset that should be deflated is not', () => {
    const meta = fileMeta('1.2', '1.2.3', DEFLATED);
    const [one, other] = [1, 7].map((fill) => Buffer.concat([meta, Buffer.alloc(9, fill)]));
    const found = compareOutsidePatch(one ?? meta, other ?? meta);
    expect(found.equal).toBe(false);
    expect(found.reason).toMatch(/inflate/);
  });

  it.each([
    ['an item was taken away', dataset(2, false, 'explicit'), dataset(1, false, 'explicit'), /from 2 to 1/],
    ['two items were added', dataset(0, true, 'explicit'), dataset(2, true, 'explicit'), /from 0 to 2/],
    ['the length became undefined', dataset(1, false, 'explicit'), dataset(2, true, 'explicit'), /undefined/],
    ['the encoding changed', dataset(1, false, 'explicit'), dataset(2, false, 'implicit'), /meta/],
    [
      'the end is missing',
      dataset(1, false, 'explicit'),
      dataset(2, false, 'explicit').subarray(0, -2),
      /cut off|differs/,
    ],
    [
      'something follows',
      dataset(1, false, 'explicit'),
      Buffer.concat([dataset(2, false, 'explicit'), Buffer.alloc(2)]),
      /cut off|differs/,
    ],
    ['it is empty', dataset(1, false, 'explicit'), Buffer.alloc(0), /meta/],
  ])('says so when %s', (_, source, delivered, reason) => {
    const found = compareOutsidePatch(source, delivered);
    expect(found.equal).toBe(false);
    expect(found.reason).toMatch(reason);
  });

  it('refuses a group length that was not corrected', () => {
    const source = dataset(1, false, 'explicit', true);
    const delivered = dataset(2, false, 'explicit', true);
    const at = delivered.indexOf(Buffer.from('10000000554c0400', 'hex')) + 8;
    source.copy(delivered, at, at, at + 4);
    expect(compareOutsidePatch(source, delivered).reason).toMatch(/\(0010,0000\) says/);
  });

  it('finds any one changed byte outside the patch', () => {
    const cases = [0, 1, 4].map((index) => pair({}, index));
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, position, flip) => {
        const [source, delivered] = cases[which] ?? pair({}, 0);
        const { insertedAt = 0, insertedBytes } = compareOutsidePatch(source, delivered);
        const outside = position % source.byteLength;
        const at = outside < insertedAt ? outside : outside + insertedBytes;
        const changed = Buffer.from(delivered);
        changed[at] = (changed[at] ?? 0) ^ flip;
        return !compareOutsidePatch(source, changed).equal;
      }),
      { interruptAfterTimeLimit: FUZZ_MS, numRuns: 100_000, markInterruptAsFailure: false },
    );
  });

  it('answers, and does not throw, on bytes that are no DICOM', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.uint8Array({ maxLength: 400 }),
        fc.boolean(),
        (one, other, meta) => {
          const head = meta ? fileMeta('1.2', '1.2.3', EXPLICIT_LE) : Buffer.alloc(0);
          const found = compareOutsidePatch(Buffer.concat([head, one]), Buffer.concat([head, other]));
          return found.equal === (found.reason === undefined);
        },
      ),
      { interruptAfterTimeLimit: FUZZ_MS, numRuns: 100_000, markInterruptAsFailure: false },
    );
  });
});
