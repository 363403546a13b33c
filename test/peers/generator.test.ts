import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { writeEnhanced } from '../support/study/enhanced.ts';
import { generateObject, OBJECT_KINDS } from '../support/study/objects.ts';
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS } from '../support/study/part10.ts';
import type { BsnPlace } from '../support/study/patient.ts';
import type { StudyOptions } from '../support/study/study.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder } from '../support/temp-folder.ts';

const run = promisify(execFile);
const folder = await openTempFolder('generator');
afterAll(() => folder.remove());

/** Standard output and error of a tool that is allowed to complain. */
async function output(tool: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(tool, args, { maxBuffer: 16 * 1024 * 1024, encoding: 'latin1' });
  return stdout + stderr;
}

const SYNTAXES = {
  explicit: EXPLICIT_LE,
  implicit: IMPLICIT_LE,
  'big endian': EXPLICIT_BE,
  rle: RLE_LOSSLESS,
} as const;
const small = { instances: 6, bytesPerInstance: 8000, seed: 7 } as const;

describe('generated instances', () => {
  for (const modality of ['CT', 'MR'] as const) {
    for (const [name, transferSyntaxUid] of Object.entries(SYNTAXES)) {
      it(`of ${modality} in ${name} are without error for dcmdump and dciodvfy, wherever the BSN is`, async () => {
        const places: BsnPlace[] = ['retired-1000', 'sequence-1002', 'patient-id', 'none'];
        for (const bsnIn of places) {
          const options: StudyOptions = { ...small, modality, transferSyntaxUid, bsnIn };
          for (const { path } of await writeStudy(folder.file(modality, name, bsnIn), options)) {
            expect(await output('dcmdump', '--quiet', path)).toContain('PixelData');
            const verdict = await output('dciodvfy', path);
            expect(verdict).toContain(`${modality}Image`);
            expect(verdict.match(/^Error.*$/gm)).toBeNull();
          }
        }
      });
    }
  }

  it('are read by dcmdump when their dataset is deflated, and have the pixels of those that are not', async () => {
    const plain = await writeStudy(folder.file('plain explicit'), { ...small, modality: 'CT' });
    const options = { ...small, modality: 'CT', transferSyntaxUid: DEFLATED_LE } as const;
    for (const [index, { path }] of (await writeStudy(folder.file('deflated'), options)).entries()) {
      const inflated = folder.file(`inflated-${index.toString()}.dcm`);
      await output('dcmconv', '+te', path, inflated);
      const pixels = [await readFile(inflated), await readFile(plain[index]?.path ?? '')].map((bytes) =>
        bytes.subarray(-64 * 63 * 2).toString('hex'),
      );
      expect(pixels[0]).toBe(pixels[1]);
    }
  });

  it('unpack from RLE to the pixels of the uncompressed ones, says dcmdrle', async () => {
    const plain = await writeStudy(folder.file('plain'), { ...small, modality: 'CT' });
    const packed = await writeStudy(folder.file('packed'), {
      ...small,
      modality: 'CT',
      transferSyntaxUid: RLE_LOSSLESS,
    });
    for (const [index, { path }] of packed.entries()) {
      const unpacked = folder.file(`unpacked-${index.toString()}.dcm`);
      await output('dcmdrle', path, unpacked);
      const pixels = [await readFile(unpacked), await readFile(plain[index]?.path ?? '')].map((bytes) =>
        bytes.subarray(-64 * 63 * 2).toString('hex'),
      );
      expect(pixels[0]).toBe(pixels[1]);
    }
  });
});

describe('generated objects', () => {
  const syntaxes = { explicit: EXPLICIT_LE, implicit: IMPLICIT_LE, 'big endian': EXPLICIT_BE };

  it.each(OBJECT_KINDS)('of kind %s are without error for dcmdump and dciodvfy', async (kind) => {
    for (const [name, syntax] of Object.entries(syntaxes)) {
      const path = folder.file(`${kind}-${name}.dcm`);
      await writeFile(path, generateObject({ kind, seed: 2 }, syntax).bytes);
      expect(await output('dcmdump', '--quiet', path)).toContain('SeriesInstanceUID');
      expect((await output('dciodvfy', path)).match(/^Error.*$/gm)).toBeNull();
    }
  });

  it('an enhanced multi-frame is without error for dcmdump and dciodvfy', async () => {
    const path = folder.file('enhanced.dcm');
    await writeEnhanced(path, { frames: 12, frame: { rows: 32, columns: 32 }, seed: 4 });
    expect(await output('dcmdump', '--quiet', path)).toContain('PixelData');
    const verdict = await output('dciodvfy', path);
    expect(verdict).toContain('EnhancedCTImage');
    expect(verdict.match(/^Error.*$/gm)).toBeNull();
  });
});
