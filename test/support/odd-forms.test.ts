import { readFile, stat } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import dicomParser from 'dicom-parser';
import { afterAll, describe, expect, it } from 'vitest';
import { writeEnhanced } from './study/enhanced.ts';
import { generateObject, OBJECT_KINDS } from './study/objects.ts';
import { oddForms } from './study/odd/odd-forms.ts';
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from './study/part10.ts';
import { generateStudy } from './study/study.ts';
import { openTempFolder } from './temp-folder.ts';

/** dicom-parser inflates with what it is given: Node's own. */
const inflater = (bytes: Uint8Array, at: number): Uint8Array =>
  Uint8Array.from(Buffer.concat([bytes.subarray(0, at), inflateRawSync(bytes.subarray(at))]));
const parse = (bytes: Uint8Array): dicomParser.DataSet => dicomParser.parseDicom(bytes, { inflater });

describe('a generated object', () => {
  it.each(OBJECT_KINDS)('%s says what it is and whose, in every syntax', (kind) => {
    const study = generateStudy({ modality: 'CT', instances: 1, seed: 5 });
    for (const syntax of [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE]) {
      const object = generateObject({ kind, seed: 5, bsnIn: 'retired-1000' }, syntax);
      const dataset = parse(object.bytes);
      expect(dataset.string('x00020010')).toBe(syntax);
      expect(dataset.string('x00080016')).toBe(object.sopClassUid);
      expect(dataset.string('x00080018')).toBe(object.sopInstanceUid);
      expect(dataset.string('x0020000d')).toBe(study.studyInstanceUid);
      expect(dataset.string('x00101000')).toBe('999990019');
    }
    const two = [0, 1].map((index) => generateObject({ kind, seed: 5, index }).sopInstanceUid);
    expect(new Set(two).size).toBe(2);
  });

  it('of text is Dutch, with letters outside ASCII', () => {
    const { bytes } = generateObject({ kind: 'basic-text-sr', seed: 1 });
    expect(Buffer.from(bytes).toString('latin1')).toContain('Coëfficiënt');
  });
});

describe('an enhanced multi-frame', async () => {
  const folder = await openTempFolder('enhanced');
  afterAll(() => folder.remove());

  it('has as many frames, groups and pixels as it is asked for', async () => {
    const path = folder.file('small.dcm');
    const frame = { rows: 16, columns: 16 };
    const size = await writeEnhanced(path, { frames: 7, frame, seed: 1, bsnIn: 'retired-1000' });
    const bytes = await readFile(path);
    expect(bytes.byteLength).toBe(size);
    const dataset = parse(bytes);
    expect(dataset.intString('x00280008')).toBe(7);
    expect(dataset.elements.x52009230?.items).toHaveLength(7);
    expect(dataset.elements.x7fe00010?.length).toBe(7 * 16 * 16 * 2);
    expect(
      new Set(
        bytes
          .subarray(-7 * 512)
          .toString('hex')
          .match(/.{1024}/g),
      ).size,
    ).toBe(7);
  });

  it('takes no place for a gigabyte of pixels that are holes, and differs by its seed', async () => {
    const paths = [1, 2].map((seed) => folder.file(`${seed.toString()}.dcm`));
    for (const [seed, path] of paths.entries()) {
      const size = await writeEnhanced(path, { frames: 2000, seed, sparse: true });
      expect((await stat(path)).size).toBe(size);
      expect(size).toBeGreaterThan(1_000_000_000);
    }
    await expect(writeEnhanced(folder.file('x'), { frames: 9000, seed: 1 })).rejects.toThrow(RangeError);
  });
});

describe('the odd forms', () => {
  const forms = oddForms();

  it('have names of their own, and are the same each time', () => {
    expect(new Set(forms.map(({ name }) => name)).size).toBe(forms.length);
    expect(oddForms().every(({ bytes }, index) => forms[index]?.bytes.equals(bytes))).toBe(true);
  });

  it('name nobody but invented people', () => {
    const patients = forms.flatMap(({ bytes }) => bytes.toString('latin1').match(/9999900[0-9]{2}/g) ?? []);
    expect([...new Set(patients)].sort()).toEqual(['999990019', '999990020']);
  });

  /** No preamble, syntaxes it never heard of, zeros behind, long VRs of later editions, UN in big endian. */
  const beyondParser =
    /^(?:no-|bare-|meta-without|ge-|trailing-zeros|deflated-(?:with|jpip)|every-vr|jpeg-extended|.*(?:un|undefined)-.*big-endian)/;

  it('that are to be tagged are read by a parser of somebody else, where it can', () => {
    const tagged = forms.filter(({ expected }) => expected.outcome === 'tagged');
    const unread = tagged.filter(({ bytes }) => {
      try {
        return parse(bytes).string('x00080018') === undefined;
      } catch {
        return true;
      }
    });
    expect(unread.map(({ name }) => name).filter((name) => !beyondParser.test(name))).toEqual([]);
    expect(unread.length).toBeLessThan(tagged.length / 10);
  });
});
