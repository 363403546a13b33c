import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { type Built, bsnItem, ct, dataset, part10 } from '../dicom/builder.ts';
import { ANNA, BERT } from '../dicom/support.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { writeZip } from '../support/zip.ts';
import { watchedTerminal } from './watched-terminal.ts';

let folder: TempFolder;
beforeEach(async () => {
  folder = await openTempFolder('sluis-bsn-report');
});
afterEach(() => folder.remove());

const retired = (value: string): Built => ({ tag: 0x00101000, vr: 'LO', value });
const others = (...numbers: string[]): Built => ({ tag: 0x00101002, vr: 'SQ', items: numbers.map(bsnItem) });
const patientId = (value: string): Built => ({ tag: 0x00100020, vr: 'LO', value });
const study = (value: string): Built => ({ tag: 0x0020000d, vr: 'UI', value });
const BERT_INSIDE: Built = {
  tag: 0x00331010,
  vr: 'SQ',
  items: [[{ tag: 0x00100010, vr: 'PN', value: 'Pietersen^Bert' }, retired(BERT)]],
};
const SIGNED: Built = {
  tag: 0x4ffe0001,
  vr: 'SQ',
  items: [[{ tag: 0x04000020, vr: 'AT', value: Buffer.from([0x10, 0, 0x20, 0]) }]],
};
const instance = (...more: Built[]): Buffer => part10(ct(more), 'explicit-le');
/** Ends within the patient's name. */
const CUT = instance().subarray(0, instance().indexOf('Jansen') + 3);

async function put(files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) await writeFile(folder.file(name), bytes);
}

interface Row {
  readonly level: string;
  readonly [field: string]: unknown;
}

async function report(...args: string[]) {
  const watched = watchedTerminal();
  const code = await dispatch(['bsn-report', ...args], watched.terminal);
  return { code, out: watched.out(), err: watched.err() };
}

async function rowsOf(...args: string[]): Promise<Row[]> {
  const { code, out } = await report('--format', 'json', ...args);
  expect(code).toBe(0);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

const fileRow = async (bytes: Uint8Array | string): Promise<Row | undefined> => {
  await put({ one: bytes });
  return (await rowsOf(folder.file('one')))[0];
};

describe('sluis bsn-report', () => {
  it.each<[string, Buffer, Record<string, unknown>]>([
    [
      'in the retired element',
      instance(retired(ANNA)),
      { bsn: 'found', findings: [{ source: '0010,1000', confidence: 'agreed-place' }] },
    ],
    [
      'in an item with its issuer',
      instance(others(ANNA)),
      { bsn: 'found', findings: [{ source: '0010,1002', confidence: 'issuer' }] },
    ],
    [
      'as a Patient ID that nothing calls a BSN',
      instance(patientId(ANNA)),
      { bsn: 'hint', findings: [{ source: '0010,0020', confidence: 'hint' }] },
    ],
    ['nowhere', instance(), { bsn: 'missing', findings: [] }],
    ['twice, and they differ', instance(retired(ANNA), others(BERT)), { bsn: 'conflict' }],
    ['where no BSN stands', instance(others('123456789')), { bsn: 'missing', invalid: true }],
    ["beside somebody else's", instance(retired(ANNA), BERT_INSIDE), { bsn: 'found', foreign: true }],
    ['nowhere, and somebody else inside', instance(BERT_INSIDE), { bsn: 'missing', foreign: true }],
    ['in what is signed', instance(retired(ANNA), SIGNED), { bsn: 'found', signed: true }],
    ['in big endian', part10(ct([retired(ANNA)]), 'explicit-be'), { bsn: 'found' }],
    [
      'behind a private block of 400 kB',
      instance({ tag: 0x00091010, vr: 'OB', value: Buffer.alloc(400_000) }, others(ANNA)),
      { bsn: 'found' },
    ],
    [
      'in a deflated dataset',
      Buffer.concat([
        part10([], 'explicit-le', '1.2.840.10008.1.2.1.99'),
        deflateRawSync(dataset(ct([others(ANNA)]), 'explicit-le')),
      ]),
      { bsn: 'found' },
    ],
    [
      'in a deflated dataset of 2 MB with a long head',
      Buffer.concat([
        part10([], 'explicit-le', '1.2.840.10008.1.2.1.99'),
        deflateRawSync(
          dataset(
            ct([
              { tag: 0x00091010, vr: 'OB', value: Buffer.alloc(400_000) },
              others(ANNA),
              { tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(2_000_000) },
            ]),
            'explicit-le',
          ),
        ),
      ]),
      { bsn: 'found', problem: null },
    ],
  ])('says of a file with the BSN %s where it stands', async (_, bytes, expected) => {
    expect(await fileRow(bytes)).toMatchObject({ level: 'file', patient: 1, problem: null, ...expected });
  });

  it.each([
    ['a letter', 'dear colleague', 'NOT_DICOM'],
    ['an empty file', '', 'NOT_DICOM'],
    ['a head that is cut off', CUT, 'TRUNCATED'],
    [
      'a dataset that is said to be deflated and is not',
      part10(ct(), 'explicit-le', '1.2.840.10008.1.2.1.99'),
      'UNREADABLE',
    ],
    ['half an archive', writeZip([{ name: 'a.dcm', data: instance() }]).subarray(0, -30), 'PACKAGE_BROKEN'],
  ])('lists %s as what it is, and goes on', async (_, bytes, problem) => {
    await put({ a: bytes, b: instance(retired(ANNA)) });
    const rows = await rowsOf(folder.path);
    expect(rows.slice(0, 2)).toMatchObject([
      { bsn: null, problem, detail: expect.any(String) as string },
      { bsn: 'found' },
    ]);
    expect(rows.at(-1)).toMatchObject({ files: 2, instances: 1, problems: { [problem]: 1 } });
  });

  it('looks into ZIP archives, deflated and stored, and lists what is no instance in them', async () => {
    const zip = writeZip([
      { name: 'DICOM/', data: Buffer.alloc(0), stored: true },
      { name: 'DICOM/IM1', data: instance(retired(ANNA)) },
      {
        name: 'DICOM/IM2',
        data: instance({ tag: 0x00091010, vr: 'OB', value: Buffer.alloc(600_000, 7) }, others(ANNA)),
      },
      { name: 'DICOM/IM3', data: instance(), stored: true },
      { name: 'verslag.pdf', data: Buffer.from('%PDF-1.4\n%%EOF\n') },
      { name: 'viewer.exe', data: Buffer.from('MZ and more') },
    ]);
    await put({ 'study.zip': zip });
    const rows = await rowsOf(folder.path);
    const files = rows.filter(({ level }) => level === 'file');
    expect(files.map(({ file, entry, bsn, problem }) => [file, entry, bsn, problem])).toEqual([
      [folder.file('study.zip'), 'DICOM/IM1', 'found', null],
      [folder.file('study.zip'), 'DICOM/IM2', 'found', null],
      [folder.file('study.zip'), 'DICOM/IM3', 'missing', null],
      [folder.file('study.zip'), 'verslag.pdf', null, 'REPORT'],
      [folder.file('study.zip'), 'viewer.exe', null, 'SET_ASIDE'],
    ]);
  });

  it('says of an entry that cannot be unpacked that it is damaged, and goes on', async () => {
    const raw = Buffer.alloc(60, 0xff);
    await put({
      'a.zip': writeZip([
        { name: 'a.dcm', data: instance(), raw },
        { name: 'b.dcm', data: instance() },
      ]),
    });
    expect((await rowsOf(folder.path)).slice(0, 2)).toMatchObject([
      {
        entry: 'a.dcm',
        problem: 'NOT_READ',
        detail: 'it cannot be read: it is damaged in the ZIP (Z_DATA_ERROR)',
      },
      { entry: 'b.dcm', problem: null },
    ]);
  });

  it('puts together what the files of a study and of a patient say', async () => {
    await put({
      1: instance(patientId('a'), study('1.1'), retired(ANNA)),
      2: instance(patientId('a'), study('1.1')),
      3: instance(patientId('a'), study('1.2'), others(BERT)),
      4: instance(patientId('b'), study('1.3'), others(BERT)),
    });
    const rows = await rowsOf(folder.path);
    expect(rows.slice(4)).toMatchObject([
      { level: 'study', patient: 1, studyInstanceUid: '1.1', instances: 2, found: 1, bsn: 'partly' },
      { level: 'study', patient: 1, studyInstanceUid: '1.2', instances: 1, bsn: 'found' },
      { level: 'study', patient: 2, studyInstanceUid: '1.3', bsn: 'found' },
      { level: 'patient', patient: 1, studyInstanceUid: null, instances: 3, bsn: 'conflict' },
      { level: 'patient', patient: 2, bsn: 'found' },
      {
        level: 'summary',
        files: 4,
        instances: 4,
        patients: 2,
        studies: 3,
        bsn: { found: 3, hint: 0, missing: 1, conflict: 0 },
        percent: { found: 75, missing: 25 },
        findings: [
          { source: '0010,1000', confidence: 'agreed-place', instances: 1, percent: 25 },
          { source: '0010,1002', confidence: 'issuer', instances: 2, percent: 50 },
        ],
        conflictingPatients: 1,
        conflictingStudies: 0,
      },
    ]);
  });

  it('finds two numbers in one study also when no Patient ID says whose it is', async () => {
    await put({ 1: instance(patientId(''), retired(ANNA)), 2: instance(patientId(''), retired(BERT)) });
    expect((await rowsOf(folder.path)).slice(2)).toMatchObject([
      { level: 'study', patient: null, bsn: 'conflict' },
      { level: 'summary', patients: 0, conflictingStudies: 1 },
    ]);
  });

  it.each(['table', 'json', 'csv'])(
    'shows no number of a patient in a %s, unless it is asked to',
    async (format) => {
      await put({ 1: instance(retired(ANNA), BERT_INSIDE), 2: instance(others(BERT)) });
      const silent = await report('--format', format, folder.path);
      for (const secret of [ANNA, BERT, '02025066011', 'Jansen', 'Pietersen', '19700101']) {
        expect(silent.out + silent.err).not.toContain(secret);
      }
      const open = await report('--format', format, '--show-numbers', folder.path);
      for (const number of [ANNA, BERT, '02025066011']) expect(open.out).toContain(number);
      expect(open.err).toContain('this report holds BSNs');
      expect(open.err).not.toContain(ANNA);
    },
  );

  it('tells a person what needs attention, and how much there is of everything', async () => {
    await put({
      1: instance(patientId('a'), study('1.1'), retired(ANNA)),
      2: instance(study('1.2')),
      3: 'x',
    });
    const { out } = await report(folder.path);
    expect(out).toContain('Studies that need attention\nPATIENT  STUDY  INSTANCES  BSN');
    expect(out).toMatch(/^2 +1\.2 +1 +missing/mu);
    expect(out).not.toMatch(/^1 +1\.1/mu);
    expect(out).toMatch(/^NOT_DICOM +\S+3 /mu);
    expect(out).toContain('3 files, 2 instances, 2 patients, 2 studies');
    expect(out).toMatch(/^the BSN is found +1 +50\.0$/mu);
  });

  it('writes csv that spreadsheets read and never run', async () => {
    await put({ '=1+1,"x".dcm': instance(retired(ANNA)), '@b': 'text' });
    const at = process.cwd();
    try {
      process.chdir(folder.path);
      const { out, err } = await report('--format', 'csv', '=1+1,"x".dcm', '@b');
      const [head, first, second, ...rest] = out.split('\r\n');
      expect(err).toContain('2 files, 1 instance');
      expect(head).toMatch(/^level,file,entry,patient,/u);
      expect(first).toMatch(/^file,"'=1\+1,""x"".dcm",,1,1\.2\.3,/u);
      expect(second).toMatch(/^file,'@b,,,,,,0,,0,,0,0,0,NOT_DICOM,/u);
      expect(rest.map((line) => line.split(',')[0])).toEqual(['study', 'patient', '']);
    } finally {
      process.chdir(at);
    }
  });

  it('writes csv that a Dutch spreadsheet, which parts cells at semicolons, does not run either', async () => {
    await put({ 'a;=1+1': 'text', 'b; "@c': 'text', 'c;d': 'text' });
    const { out } = await report('--format', 'csv', folder.path);
    const cells = out
      .split('\r\n')
      .slice(1, 4)
      .flatMap((line) => line.split(/[;,]/u));
    expect(cells.filter((cell) => /^["\s]*[=+@-]/u.test(cell))).toEqual([]);
    expect(out).toContain('a;\'=1+1"');
    expect(out).toContain('c;d"');
  });

  it('says why a file cannot be read in words, and goes on', async () => {
    await put({ b: instance(retired(ANNA)) });
    await writeFile(Buffer.concat([Buffer.from(`${folder.path}/caf`), Buffer.from([0xe9])]), 'x');
    const [first, second] = (await rowsOf(folder.path)).sort((a, b) =>
      String(a.file) < String(b.file) ? -1 : 1,
    );
    expect([first, second].find((row) => row?.problem === 'NOT_READ')).toMatchObject({
      detail: 'it cannot be read: it is not there any more, or its name is not in UTF-8 (ENOENT)',
    });
    expect([first, second].find((row) => row?.bsn === 'found')).toBeDefined();
  });

  it('writes a file that appears whole, for this user alone, and never in the place of another', async () => {
    await put({ 1: instance(retired(ANNA)) });
    const out = folder.file('report.json');
    const { code, err } = await report('--format', 'json', '--out', out, folder.path);
    expect(code).toBe(0);
    expect(err).toContain('1 file, 1 instance');
    expect((await readFile(out, 'utf8')).trimEnd().split('\n')).toHaveLength(4);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    const again = await report('--out', out, folder.file('1'));
    expect(again.code).toBe(1);
    expect(again.err).toContain('is there already');
    const failed = await report('--out', folder.file('other'), folder.file('no-such'));
    expect(failed.code).toBe(1);
    expect((await readdir(folder.path)).sort()).toEqual(['1', 'report.json']);
  });

  it.each([
    ['conflict', { 1: instance(retired(ANNA)), 2: instance(others(BERT)) }],
    ['missing', { 1: instance(patientId(ANNA)) }],
    ['invalid', { 1: instance(others('123456789')) }],
    ['foreign', { 1: instance(BERT_INSIDE) }],
    ['unreadable', { 1: CUT }],
  ])('ends with 3 when it is to fail on %s and there is one', async (what, bad) => {
    await put(bad);
    expect((await report(folder.path)).code).toBe(0);
    expect((await report('--fail-on', what, folder.path)).code).toBe(3);
    expect((await report('--fail-on', `conflict,${what}`, folder.path)).code).toBe(3);
    await put({ 1: instance(retired(ANNA)), 2: 'a letter' });
    expect((await report('--fail-on', what, folder.path)).code).toBe(0);
  });

  it.each([
    [['--format', 'xml', 'x'], '--format is one of table, json, csv'],
    [['--fail-on', 'rain', 'x'], '--fail-on is one of conflict'],
    [[], 'at least one file'],
  ])('ends with 2 for %j', async (args, sentence) => {
    const { code, err } = await report(...args);
    expect(code).toBe(2);
    expect(err).toContain(sentence);
  });

  it('goes on behind what it may not read, and says what it was', async () => {
    await mkdir(folder.file('closed'));
    await put({ a: instance(retired(ANNA)), z: instance(retired(ANNA)) });
    await symlink(folder.file('nowhere'), folder.file('link'));
    await chmod(folder.file('closed'), 0);
    await chmod(folder.file('z'), 0);
    const isRoot = process.getuid?.() === 0;
    const rows = await rowsOf(folder.path);
    expect(rows[0]).toMatchObject({ bsn: 'found' });
    expect(rows.at(-1)).toMatchObject({
      problems: isRoot ? { SET_ASIDE: 1 } : { NOT_READ: 2, SET_ASIDE: 1 },
    });
    await chmod(folder.file('closed'), 0o700);
  });

  it('counts what two PATHs name once', async () => {
    await mkdir(folder.file('in'));
    await put({ 'in/1': instance(), 'in/2': instance() });
    const rows = await rowsOf(folder.file('in', '1'), folder.path, folder.file('in'), folder.file('in', '2'));
    expect(rows.at(-1)).toMatchObject({ files: 2 });
  });
});
