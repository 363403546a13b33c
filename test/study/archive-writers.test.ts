import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentOf, dicom } from './archive-support.ts';
import { temporaryFolder, walkThrough } from './support.ts';

function has(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('archives that others write', async () => {
  const folder = await temporaryFolder();
  const contents = new Map([
    ['DICOM/IM000001', dicom(90_000)],
    ['DICOM/IM000002', dicom(10)],
    ['verslag.txt', Buffer.from('Geen afwijkingen.\n')],
    ['DICOMDIR', dicom(600)],
  ]);
  const study = join(folder, 'study');
  mkdirSync(join(study, 'DICOM'), { recursive: true });
  for (const [name, data] of contents) writeFileSync(join(study, name), data);
  const target = join(folder, 'out.zip');
  const expectAll = async (): Promise<void> => {
    const whole = readFileSync(target);
    const { parts, last } = await walkThrough(whole, null);
    expect(last.state).toBe('done');
    const found = parts.map((part) => [part.entry?.name, contentOf(whole, part)] as const);
    expect(new Map(found)).toEqual(contents);
  };

  it.runIf(has('zip', '-v')).each([['-r'], ['-r0'], ['-rfz']])('Info-ZIP with %s', async (options) => {
    const args = options === '-rfz' ? ['-r', '-fz', target, '.'] : [options, target, '.'];
    execFileSync('zip', ['-q', ...args], { cwd: study });
    await expectAll();
    rmSync(target);
  });

  it.runIf(has('zip', '-v'))('Info-ZIP into a pipe, which cannot go back', async () => {
    writeFileSync(target, execFileSync('zip', ['-q', '-r', '-', '.'], { cwd: study }));
    await expectAll();
  });

  it.runIf(has('python3', '-c', 'import zipfile')).each([
    ['zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED)', ''],
    ['zipfile.ZipFile(out, "w", zipfile.ZIP_STORED)', ''],
    ['zipfile.ZipFile(Pipe(out), "w", zipfile.ZIP_DEFLATED)', ', force_zip64=True'],
  ])('Python with %s', async (open, force) => {
    const script = [
      'import sys, os, zipfile',
      'class Pipe:',
      '  def __init__(self, out): self.file = open(out, "wb")',
      '  def write(self, data): return self.file.write(data)',
      '  def flush(self): self.file.flush()',
      'study, out, *names = sys.argv[1:]',
      `with ${open} as archive:`,
      '  for name in names:',
      `    with archive.open(name, "w"${force}) as entry: entry.write(open(os.path.join(study, name), "rb").read())`,
    ].join('\n');
    execFileSync('python3', ['-c', script, study, target, ...contents.keys()]);
    await expectAll();
  });
});
