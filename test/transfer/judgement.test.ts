import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyRing } from '../../src/access/key-ring.ts';
import type { InstanceRecord, NestedIdentityPolicy, TransferRecord } from '../../src/state/records.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { demographicMacs } from '../../src/transfer/demographics.ts';
import { findingOf } from '../../src/transfer/finding.ts';
import { Judgement } from '../../src/transfer/judgement.ts';
import { renderedMax } from '../../src/transfer/limits.ts';
import { Manifest } from '../../src/transfer/manifest.ts';
import { Inspector } from '../../src/work/inspector.ts';
import { type Built, ct, part10 } from '../dicom/builder.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

interface Person {
  readonly id?: string;
  readonly name?: string;
  readonly born?: string;
  readonly sex?: string;
  readonly charset?: string;
}

const anna: Person = { id: '4711', name: 'Jansen^Anna', born: '19700101', sex: 'F' };

describe('a judgement', () => {
  let folder: TempFolder;
  let keyRing: KeyRing;

  beforeAll(async () => {
    folder = await openTempFolder();
    keyRing = KeyRing.open(folder.file('sluis.key'));
  });
  afterAll(() => folder.remove());

  const text = (tag: number, vr: string, value = ''): Built => ({ tag, vr, value: Buffer.from(value) });

  /** What is recorded of an object that says this of its patient. */
  const record = (person: Person, change: Partial<InstanceRecord> = {}): InstanceRecord => {
    const elements = ct([
      text(0x00080005, 'CS', person.charset ?? 'ISO_IR 192'),
      text(0x00100010, 'PN', person.name),
      text(0x00100020, 'LO', person.id),
      text(0x00100030, 'DA', person.born),
      text(0x00100040, 'CS', person.sex),
    ]);
    const bytes = part10(elements, 'explicit-le');
    const inspector = new Inspector(bytes.byteLength);
    inspector.feed(bytes);
    const extent = { object: 'one' as ObjectId, start: 0, bytes: bytes.byteLength };
    return { ...findingOf(keyRing, 'upload', [extent], inspector.finish()).instance, ...change };
  };

  const transfer = { reasons: [], priority: 'routine', selfManifest: true, instances: 1, bsn: null };
  const verdictOn = (
    records: readonly InstanceRecord[],
    change: Partial<TransferRecord> = {},
    nestedIdentity: readonly NestedIdentityPolicy[] = [],
  ) => {
    const judgement = new Judgement(null);
    for (const one of records) judgement.add(one, undefined);
    const looked = { ...transfer, ...change } as unknown as TransferRecord;
    return judgement.verdict(looked, { allKnown: true, nestedIdentity });
  };
  const reasonsFor = (...people: readonly Person[]): readonly string[] =>
    verdictOn(people.map((person) => record(person)))?.reasons ?? [];

  const held = ['DEMOGRAPHICS_DIFFER'];
  const good = ['BSN_MISSING'];

  it.each<readonly [string, Person]>([
    ['the same', anna],
    ['another case and more components', { ...anna, name: 'JANSEN^ANNA^M^^' }],
    ['a name gained at a wedding', { ...anna, name: 'Bakker - Jansen^A' }],
    ['a name with its first letter alone', { ...anna, name: 'Jansen^A' }],
    ['a name in another alphabet beside', { ...anna, name: 'Янсен^Анна=Jansen^Anna' }],
    ['no name', { ...anna, name: '' }],
    ['a name of initials', { ...anna, name: 'J^A' }],
    ['no date of birth', { ...anna, born: '' }],
    ['a date of birth with dots', { ...anna, born: '1970.01.01' }],
    ['a date of birth that is none', { ...anna, born: '1970' }],
    ['no sex', { ...anna, sex: '' }],
    ['a sex that is neither', { ...anna, sex: 'O' }],
    ['nothing at all', {}],
  ])('lets objects go together that say %s', (_, other) => {
    expect(reasonsFor(anna, other)).toEqual(good);
    expect(reasonsFor(other, anna)).toEqual(good);
  });

  it.each<readonly [string, Person]>([
    ['another name', { ...anna, name: 'Pietersen^Bert' }],
    ['another date of birth', { ...anna, born: '19700102' }],
    ['another sex', { ...anna, sex: 'M' }],
    ['another name under no id', { ...anna, id: '', name: 'Pietersen^Bert' }],
  ])('holds objects of one patient that say %s', (_, other) => {
    expect(reasonsFor(anna, other)).toEqual(held);
    expect(reasonsFor(other, anna, anna)).toEqual(held);
    expect(reasonsFor(anna, { id: anna.id ?? '' }, anna, other)).toEqual(held);
  });

  it('compares names without case, diacritics and what is no letter, whatever they are written in', () => {
    const of = (name: string): Person => ({ ...anna, name });
    expect(reasonsFor(of('Müller^Zoë'), of('MULLER'))).toEqual(good);
    expect(reasonsFor(of("d'Ancona"), of('ANCONA^X'))).toEqual(good);
    expect(reasonsFor(of('IJsbrand'), of('Ĳsbrand'))).toEqual(good);
    expect(reasonsFor(of('Wang^XiaoDong=王^小東'), of('王^小東'))).toEqual(good);
    const latin: Person = { ...anna, charset: 'ISO_IR 100', name: 'Andre^Rene' };
    expect(reasonsFor(of('André^René'), latin)).toEqual(good);
    expect(reasonsFor(of('Jansen1^Anna'), of('Jansen2'))).toEqual(good);
    expect(reasonsFor(of('Jansen'), of('Jan^Sen'))).toEqual(held);
  });

  it('compares every two names, also when both are like a third', () => {
    const of = (name: string): Person => ({ ...anna, name });
    expect(reasonsFor(of('Jansen^Anna'), of('Bakker^Anna'), of('Bakker^Bea'))).toEqual(held);
    const names = Array.from({ length: 40 }, (_, index) => of(`Jansen^${'abcdefgh'.slice(index % 7)}x`));
    expect(reasonsFor(...names)).toEqual(good);
    expect(reasonsFor(...names, of('Pietersen'))).toEqual(held);
  });

  it('says of two patients that they are two, and not how they differ', () => {
    const bert = { id: '4712', name: 'Pietersen^Bert', born: '19800101', sex: 'M' };
    expect(reasonsFor(anna, bert)).toEqual(['PATIENT_MIXED']);
  });

  it('lets an acute transfer go with demographics that differ, and says so', () => {
    const records = [record(anna), record({ ...anna, sex: 'M' })];
    expect(verdictOn(records)).toMatchObject({ state: 'held', reasons: held });
    const acute = verdictOn(records, { priority: 'acute' });
    expect(acute).toMatchObject({ state: 'ready', reasons: [...held, ...good] });
  });

  it('keeps nothing of a person that can be read, and a bounded number of words', () => {
    const record1 = record(anna);
    expect(JSON.stringify(record1)).not.toMatch(/jansen|anna|1970/i);
    expect(record1.demographics?.names).toHaveLength(2);
    expect(new Set(Object.values(record1.demographics ?? {}).flat()).size).toBe(4);
    const long = record({
      ...anna,
      name: Array.from({ length: 60 }, (_, index) => 'ab'.repeat(index + 1)).join(' '),
    });
    expect(long.demographics?.names).toHaveLength(16);
    expect(record({}).demographics).toBeNull();
  });

  it('has other values under another key', () => {
    const other = KeyRing.open(folder.file('other.key'));
    const identity = { patientBirthDate: '19700101', patientSex: 'F', patientName: 'Jansen^Anna' };
    const of = (ring: KeyRing) => demographicMacs(ring, identity as Parameters<typeof demographicMacs>[1]);
    expect(of(keyRing)).toEqual(of(keyRing));
    expect(of(other)?.birthDate).not.toBe(of(keyRing)?.birthDate);
    expect(of(keyRing)?.birthDate).toMatch(/^[0-9a-f]{16}$/);
  });

  const inStandard = { tag: 0x00400275, at: 900, bytes: 100 };
  const inPrivate = { tag: 0x00091010, at: 500, bytes: 100 };
  it.each<readonly [string, readonly (typeof inPrivate)[], readonly NestedIdentityPolicy[], string]>([
    ['that keep it', [inStandard], ['keep-and-flag', 'keep-and-flag'], 'ready'],
    ['one of which holds it', [inPrivate], ['keep-and-flag', 'hold'], 'held'],
    ['that have it taken out', [inPrivate], ['strip', 'keep-and-flag'], 'ready'],
    [
      'one of which has more taken out than can be',
      [inPrivate, inStandard],
      ['keep-and-flag', 'strip'],
      'held',
    ],
    ['one of which has taken out what is too much to list', [], ['strip'], 'held'],
  ])('of what names somebody else, for mailboxes %s (%j, %j), is %s', (_, foreign, policies, state) => {
    const named = { reasons: ['NESTED_IDENTITY'], foreign };
    const one = [record(anna), record(anna, named), record(anna)];
    expect(verdictOn(one, {}, policies)).toMatchObject({ state });
    expect(verdictOn(one, { priority: 'acute' }, policies)).toMatchObject({ state: 'ready' });
    expect(verdictOn([record(anna)], {}, policies)).toMatchObject({ state: 'ready' });
  });

  it('remembers a bounded number of items that may be made into PDFs, each kind for itself', () => {
    const judgement = new Judgement(null);
    const plain = record(anna);
    const report = { ...plain, scan: null, report: { mediaType: 'text/plain', origin: 'zip' } } as const;
    const scan = plain.scan && { ...plain.scan, sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11' };
    for (let pair = 0; pair < 3 * renderedMax; pair++) {
      judgement.add(report, undefined);
      judgement.add({ ...plain, scan }, undefined);
    }
    const { reports, structuredReports, study } = judgement.renderable;
    expect([reports.length, structuredReports.length]).toEqual([renderedMax + 1, renderedMax + 1]);
    expect([reports[1], structuredReports[1], study]).toEqual([2, 3, 1]);
  });

  it('does not ask the manifest about what was made here', () => {
    const [sent, made] = [record(anna), record(anna, { sopInstanceUid: '2.25.1', derivedFrom: 0 })];
    const judgement = new Judgement(1);
    const manifest = Manifest.of([sent]);
    for (const one of [sent, made]) judgement.add(one, manifest);
    const looked = {
      ...transfer,
      selfManifest: false,
      expected: 1,
      instances: 2,
    } as unknown as TransferRecord;
    expect(judgement.verdict(looked, { allKnown: true, nestedIdentity: [] })).toMatchObject({
      state: 'ready',
      reasons: good,
    });
  });
});
