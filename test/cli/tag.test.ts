import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { identify } from '../../src/dicom/identity.ts';
import { scan } from '../../src/dicom/scan.ts';
import { type Built, ct, dataset, part10 } from '../dicom/builder.ts';
import { ANNA, BERT, scanWhole } from '../dicom/support.ts';
import { differenceOutside } from '../support/differ.ts';
import { type WrittenInstance, writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { watchedTerminal } from './watched-terminal.ts';

const DICOMDIR = '1.2.840.10008.1.3.10';
const plain = part10(ct(), 'explicit-le');
const deflated = (elements: readonly Built[] = ct()): Buffer =>
  Buffer.concat([
    part10([], 'explicit-le', '1.2.840.10008.1.2.1.99'),
    deflateRawSync(dataset(elements, 'explicit-le')),
  ]);

interface Line {
  readonly file: string;
  readonly output: string | null;
  readonly verdict: string;
  readonly reasons: string[];
  readonly reencoded: boolean;
  readonly edits: { at: number; remove: number; insert: number }[];
}

let folder: TempFolder;
let study: WrittenInstance[];

beforeEach(async () => {
  folder = await openTempFolder();
  study = await writeStudy(folder.file('study'), {
    modality: 'MR',
    instances: 2,
    bytesPerInstance: 3_000_000,
    seed: 3,
    bsnIn: 'none',
  });
});

afterEach(() => folder.remove());

async function tag(
  paths: readonly string[],
  bsn = '999990019',
  out = folder.file('out'),
  options: readonly string[] = ['--dialect', 'nl-2010'],
) {
  const watched = watchedTerminal({ input: `${bsn}\n` });
  const args = ['tag', '--bsn-file', '-', ...options, '--out', out, ...paths];
  const code = await dispatch(args, watched.terminal);
  const lines = watched
    .out()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  return { code, lines, out: watched.out(), err: watched.err() };
}

/** Takes the edits out again, by the line alone. */
function untagged(original: Buffer, tagged: Buffer, edits: Line['edits']): Buffer {
  const pieces: Buffer[] = [];
  let [read, written] = [0, 0];
  for (const { at, remove, insert } of edits) {
    pieces.push(tagged.subarray(written, written + at - read), original.subarray(at, at + remove));
    written += at - read + insert;
    read = at + remove;
  }
  return Buffer.concat([...pieces, tagged.subarray(written)]);
}

describe('sluis tag', () => {
  it('writes copies in which nothing differs but the edits, which hold the BSN', async () => {
    const { code, lines, out, err } = await tag([folder.file('study')]);
    expect(code).toBe(0);
    expect(lines.map(({ file }) => basename(file)).sort()).toEqual(
      study.map(({ fileName }) => fileName).sort(),
    );
    for (const { file, output, verdict, edits, reencoded } of lines) {
      const [original, tagged] = [await readFile(file), await readFile(output ?? '')];
      expect([verdict, reencoded]).toEqual(['accepted', false]);
      expect(edits.length).toBeGreaterThan(0);
      expect(untagged(original, tagged, edits).equals(original)).toBe(true);
      const found = scan(tagged, tagged.length);
      if ('need' in found) throw new Error('the copy is not whole');
      expect(identify(tagged, found).bsn).toContainEqual({
        value: '999990019',
        source: '0010,1002',
        confidence: 'issuer',
      });
    }
    expect(out + err).not.toContain('999990019');
    expect((await readdir(folder.file('out'))).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('gives equal names different outputs', async () => {
    await mkdir(folder.file('a'));
    await mkdir(folder.file('b'));
    const [first, second] = study as [WrittenInstance, WrittenInstance];
    await writeFile(folder.file('a', 'IM1.dcm'), await readFile(first.path));
    await writeFile(folder.file('b', 'IM1.dcm'), await readFile(second.path));
    const { lines } = await tag([folder.file('a'), folder.file('b')]);
    expect(lines.map(({ output }) => basename(output ?? ''))).toEqual(['IM1.dcm', 'IM1-2.dcm']);
  });

  it('replaces nothing that is there: another copy gets the next name', async () => {
    const [first] = study as [WrittenInstance];
    await mkdir(folder.file('out'));
    await writeFile(folder.file('out', first.fileName), 'what somebody keeps here');
    const next = first.fileName.replace('.dcm', '-2.dcm');
    const [line] = (await tag([first.path])).lines;
    expect(basename(line?.output ?? '')).toBe(next);
    expect(await readFile(folder.file('out', first.fileName), 'utf8')).toBe('what somebody keeps here');

    const tagged = await readFile(folder.file('out', next));
    const [other] = (await tag([first.path], '999990020')).lines;
    expect(basename(other?.output ?? '')).toBe(first.fileName.replace('.dcm', '-3.dcm'));
    expect((await readFile(folder.file('out', next))).equals(tagged)).toBe(true);
  });

  it('names the copies that are there when the same files are tagged again', async () => {
    const before = await tag([folder.file('study')]);
    const names = await readdir(folder.file('out'));
    const again = await tag([folder.file('study')]);
    expect(again.lines).toEqual(before.lines);
    expect(await readdir(folder.file('out'))).toEqual(names);
  });

  it('writes for this user alone', async () => {
    const { lines } = await tag([folder.file('study')]);
    const modes = [folder.file('out'), ...lines.map(({ output }) => output ?? '')].map(
      async (path) => (await stat(path)).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o700, 0o600, 0o600]);
  });

  it('holds a file that claims another BSN, and still writes its copy', async () => {
    const [claiming] = await writeStudy(folder.file('other'), { modality: 'CT', instances: 1, seed: 1 });
    const { code, lines } = await tag([claiming?.path ?? ''], '999990020');
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ verdict: 'held', reasons: ['BSN_CONFLICT'] });
    expect(lines[0]?.output).not.toBeNull();
  });

  it('holds a truncated file and writes its copy', async () => {
    const [first] = study as [WrittenInstance];
    await writeFile(first.path, (await readFile(first.path)).subarray(0, -7));
    const { code, lines } = await tag([first.path]);
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ verdict: 'held', reasons: ['TRUNCATED'] });
    const { output, edits } = lines[0] as Line;
    const original = await readFile(first.path);
    expect(untagged(original, await readFile(output ?? ''), edits).equals(original)).toBe(true);
  });

  it('says so when the files that get one BSN name more than one patient, without naming them', async () => {
    const of = (patientId: string): Buffer =>
      part10(ct([{ tag: 0x00100020, vr: 'LO', value: patientId }]), 'explicit-le');
    await mkdir(folder.file('two'));
    for (const [name, bytes] of [
      ['1', of('ZZD-4711')],
      ['2', of('ZZD-4712')],
      ['3', of('ZZD-4711')],
    ] as const) {
      await writeFile(folder.file('two', name), bytes);
    }
    const { code, lines, err } = await tag([folder.file('two')]);
    expect([code, lines.length]).toEqual([0, 3]);
    expect(err).toContain('these files name 2 different Patient IDs');
    expect(err).not.toContain('471');
    expect((await tag([folder.file('two', '1'), folder.file('two', '3')])).err).not.toContain('different');
  });

  it('writes nothing for what is no DICOM, and ends with 1', async () => {
    await writeFile(folder.file('letter.txt'), 'dear colleague');
    const { code, lines } = await tag([folder.file('letter.txt'), folder.file('study')]);
    expect(code).toBe(1);
    expect(lines[0]).toMatchObject({ verdict: 'rejected', output: null, edits: [] });
    expect(await readdir(folder.file('out'))).toHaveLength(2);
  });

  it('never writes over an original', async () => {
    const { code, err } = await tag([folder.file('study')], '999990019', folder.file('study'));
    expect(code).toBe(1);
    expect(err).toContain('written over');
  });

  it.each(['123456789', '', 'x'.repeat(5000), '999990019\n999990020'])(
    'refuses %j as a BSN without repeating it',
    async (bsn) => {
      const { code, err } = await tag([folder.file('study')], bsn);
      expect(code).toBe(1);
      if (bsn !== '') expect(err).not.toContain(bsn.slice(0, 9));
    },
  );
});

describe('sluis tag, of one file', () => {
  /** Tags an instance, and reads what came of it. */
  async function tagOne(bytes: Uint8Array, ...options: string[]) {
    await writeFile(folder.file('IM1'), bytes);
    const tagged = await tag([folder.file('IM1')], ANNA, folder.file('out'), options);
    const line = tagged.lines[0] as Line;
    const output = await readFile(line.output ?? '');
    expect(differenceOutside(bytes, output, line)).toBeUndefined();
    return { line, output, ...tagged };
  }
  const identityOf = (bytes: Uint8Array) => identify(bytes, scanWhole(bytes));
  const foundIn = (bytes: Uint8Array) => identityOf(bytes).bsn.map(({ value, source }) => [value, source]);

  it.each([
    ['nl-2010', [[ANNA, '0010,1002']]],
    [
      'legacy-1000',
      [
        [ANNA, '0010,1002'],
        [ANNA, '0010,1000'],
      ],
    ],
    ['patientid-bsn', [[ANNA, '0010,0020']]],
    ['none', []],
  ])('writes the number where %s wants it', async (dialect, places) => {
    const { output, line, code } = await tagOne(plain, '--dialect', dialect);
    expect(foundIn(output)).toEqual(places);
    expect([code, line.verdict, line.reasons]).toEqual([0, 'accepted', []]);
    if (dialect === 'none') expect(line.edits).toEqual([]);
  });

  it.each([
    [[], '02025066011', ''],
    [['--issuer', 'ZH-OOST', '--issuer-oid', '1.2.528.1'], '02025066011', 'ZH-OOST'],
    [['--issuer', 'ZH-OOST', '--patient-id', 'prefix'], 'ZH-OOST-02025066011', 'ZH-OOST'],
  ])('says with %j whose number the Patient ID is', async (options, patientId, issuerOfPatientId) => {
    const { output } = await tagOne(plain, '--dialect', 'nl-2010', ...options);
    expect(identityOf(output)).toMatchObject({ patientId, issuerOfPatientId });
    expect(output.includes('1.2.528.1')).toBe(options.includes('--issuer-oid'));
  });

  it('records what it replaces, unless it is told not to', async () => {
    const options = ['--dialect', 'patientid-bsn', '--issuer', 'ZH-OOST'];
    const { output } = await tagOne(plain, ...options);
    expect(output.includes('COERCE') && output.includes('SLUIS')).toBe(true);
    expect(output.toString('latin1')).toMatch(/2\d{13}\.\d{6}\+0000/u);
    const { output: silent } = await tagOne(plain, ...options, '--no-record');
    expect(silent.includes('COERCE')).toBe(false);
  });

  it('takes other people out of private elements when it is asked to', async () => {
    const bert: Built = {
      tag: 0x00331010,
      vr: 'SQ',
      items: [[{ tag: 0x00101000, vr: 'LO', value: BERT }]],
    };
    const bytes = part10(ct([bert]), 'explicit-le');
    const { output, line } = await tagOne(bytes, '--dialect', 'nl-2010', '--nested', 'strip');
    expect(line.reasons).toEqual(['NESTED_IDENTITY']);
    expect([bytes.includes(BERT), output.includes(BERT), output.includes(ANNA)]).toEqual([true, false, true]);
    expect((await tagOne(bytes, '--dialect', 'nl-2010')).output.includes(BERT)).toBe(true);
  });

  it('says when somebody else stays named though he should go', async () => {
    const bert: Built = {
      tag: 0x00081140,
      vr: 'SQ',
      items: [[{ tag: 0x00100020, vr: 'LO', value: 'BERT' }]],
    };
    const { err } = await tagOne(
      part10(ct([bert]), 'explicit-le'),
      '--dialect',
      'nl-2010',
      '--nested',
      'strip',
    );
    expect(err).toContain('somebody else stays named');
  });

  it('copies as it is what is signed', async () => {
    const signed: Built = {
      tag: 0x4ffe0001,
      vr: 'SQ',
      items: [[{ tag: 0x04000020, vr: 'AT', value: Buffer.from([0x10, 0, 0x02, 0x10]) }]],
    };
    const bytes = part10(ct([signed]), 'explicit-le');
    const { output, line } = await tagOne(bytes, '--dialect', 'nl-2010');
    expect(line).toMatchObject({ verdict: 'accepted', reasons: ['SIGNED_OBJECT'], edits: [] });
    expect(output.equals(bytes)).toBe(true);
  });

  it('copies as it is what cannot hold the record of a change', async () => {
    const text = { tag: 0x00204000, vr: 'LT', value: 'x'.repeat(100) };
    const whole = part10(ct([text]), 'explicit-le');
    const cut = whole.subarray(0, whole.indexOf('xxxx') + 50);
    const { line } = await tagOne(cut, '--dialect', 'patientid-bsn');
    expect(line).toMatchObject({ verdict: 'held', reasons: ['TRUNCATED', 'RECORD_IMPOSSIBLE'], edits: [] });
  });

  it('writes a deflated dataset anew around its edits, and changes nothing else in it', async () => {
    const bytes = deflated(ct([{ tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(400_000, 'pixels') }]));
    const { line, output } = await tagOne(bytes, '--dialect', 'nl-2010', '--issuer', 'ZH-OOST');
    expect(line).toMatchObject({ verdict: 'accepted', reencoded: true });
    expect(line.edits.length).toBeGreaterThan(0);
    expect((await readdir(folder.file('out'))).sort()).toEqual(['IM1']);
    const again = await tag([line.output ?? ''], ANNA, folder.file('again'), ['--dialect', 'nl-2010']);
    expect(again.lines).toMatchObject([{ verdict: 'accepted', reencoded: false, edits: [] }]);
    expect((await readFile(again.lines[0]?.output ?? '')).equals(output)).toBe(true);
  });

  it.each([
    ['nothing is to be written into', deflated(), 'none'],
    [
      'is an index of a disc',
      part10(ct([{ tag: 0x00080016, vr: 'UI', value: DICOMDIR }]), 'explicit-le'),
      'nl-2010',
    ],
  ])('copies as it is what %s', async (_, bytes, dialect) => {
    const { line, output } = await tagOne(bytes, '--dialect', dialect);
    expect(line).toMatchObject({ verdict: 'accepted', reencoded: false, edits: [] });
    expect(output.equals(bytes)).toBe(true);
  });

  it.each([
    ['plain', () => plain],
    ['deflated', () => deflated()],
  ])('knows a %s copy of an earlier run, which says another time', async (_, bytes) => {
    const options = ['--dialect', 'patientid-bsn', '--issuer', 'ZH-OOST'];
    const first = await tagOne(bytes(), ...options);
    const second = await tagOne(bytes(), ...options);
    expect(second.line.output).toBe(first.line.output);
    expect(await readdir(folder.file('out'))).toEqual(['IM1']);
    const other = await tagOne(bytes(), '--dialect', 'patientid-bsn', '--issuer', 'ZH-WEST');
    expect(basename(other.line.output ?? '')).toBe('IM1-2');
  });

  it('says on standard error why it holds or rejects a file, and nothing of a patient', async () => {
    await writeFile(folder.file('IM1'), plain.subarray(0, -7));
    await writeFile(folder.file('IM2'), plain.subarray(0, 250));
    const { err } = await tag([folder.file('IM1'), folder.file('IM2')]);
    expect(err).toMatch(/IM1 is held: 7FE0,0010 at byte \d+: /u);
    expect(err).toMatch(/IM2 is rejected: \S* ?at byte \d+: /u);
    expect(err).not.toContain('Jansen');
  });

  it.each([
    [['--patient-id', 'prefix'], '--patient-id prefix puts --issuer'],
    [['--patient-id', 'reconciled-by-gateway'], '--patient-id is one of keep-with-issuer, prefix'],
    [['--issuer-oid', '1.2.3'], '--issuer-oid qualifies --issuer'],
    [['--issuer', 'A\\B'], '--issuer takes'],
    [['--issuer', 'A', '--issuer-oid', 'ZH'], '--issuer takes'],
    [['--nested', 'hold'], '--nested is one of keep, strip'],
  ])('ends with 2 for %j', async (options, sentence) => {
    const { code, err } = await tag(['x'], ANNA, 'out', ['--dialect', 'nl-2010', ...options]);
    expect(code).toBe(2);
    expect(err).toContain(sentence);
  });
});
