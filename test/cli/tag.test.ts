import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { identify } from '../../src/dicom/identity.ts';
import { scan } from '../../src/dicom/scan.ts';
import { type WrittenInstance, writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { watchedTerminal } from './watched-terminal.ts';

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

async function tag(paths: readonly string[], bsn = '999990019', out = folder.file('out')) {
  const watched = watchedTerminal({ input: `${bsn}\n` });
  const args = ['tag', '--bsn-file', '-', '--dialect', 'nl-2010', '--out', out, ...paths];
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

describe('sluis inspect', () => {
  async function inspect(...paths: string[]) {
    const watched = watchedTerminal();
    const code = await dispatch(['inspect', ...paths], watched.terminal);
    return {
      code,
      lines: watched
        .out()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    };
  }

  it('says what each file is', async () => {
    const { code, lines } = await inspect(folder.file('study'));
    expect(code).toBe(0);
    for (const { sopInstanceUid, bytes } of study) {
      expect(lines).toContainEqual(
        expect.objectContaining({
          sopInstanceUid,
          bytes,
          verdict: 'accepted',
          reasons: [],
          transferSyntaxUid: '1.2.840.10008.1.2.1',
        }),
      );
    }
  });

  it('rejects noise and text, and holds what is cut, each with its reason', async () => {
    const whole = await readFile(study[0]?.path ?? '');
    await mkdir(folder.file('bad'));
    await writeFile(folder.file('bad', '1-empty'), '');
    await writeFile(folder.file('bad', '2-text'), 'hello');
    await writeFile(folder.file('bad', '3-cut'), whole.subarray(0, 2_000_000));
    await writeFile(folder.file('bad', '4-zeros'), Buffer.alloc(70_000));
    const { lines } = await inspect(folder.file('bad'));
    expect(lines.map(({ verdict, reasons }) => [verdict, reasons])).toEqual([
      ['rejected', ['NOT_DICOM']],
      ['rejected', ['NOT_DICOM']],
      ['held', ['TRUNCATED']],
      ['rejected', ['NOT_DICOM']],
    ]);
  });
});
