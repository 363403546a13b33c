import { readdir, readFile } from 'node:fs/promises';
import dicomParser from 'dicom-parser';
import { afterAll, describe, expect, it } from 'vitest';
import { EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS } from './study/part10.ts';
import { generateStudy, type StudyOptions } from './study/study.ts';
import { writeStudy } from './study/write-study.ts';
import { openTempFolder } from './temp-folder.ts';

const small = { modality: 'CT', instances: 12, bytesPerInstance: 5000, seed: 3 } as const;
const elementsOf = (options: StudyOptions, index = 0): dicomParser.DataSet =>
  dicomParser.parseDicom(generateStudy(options).instance(index).bytes);

describe('a generated study', () => {
  it('is the same bytes again for the same seed, and other instances for another', () => {
    const [once, again, other] = [3, 3, 4].map((seed) => [...generateStudy({ ...small, seed })]);
    expect(again).toEqual(once);
    const uids = [...(once ?? []), ...(other ?? [])].map((instance) => instance.sopInstanceUid);
    expect(new Set(uids).size).toBe(24);
  });

  it.each(['CT', 'MR'] as const)('says in each %s what it is, to a parser of somebody else', (modality) => {
    for (const transferSyntaxUid of [EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS] as const) {
      const study = generateStudy({ ...small, modality, transferSyntaxUid, seriesSize: 5 });
      const seen = [...study].map(({ bytes, sopInstanceUid, seriesInstanceUid }) => {
        const dataset = dicomParser.parseDicom(bytes);
        expect(dataset.string('x00080018')).toBe(sopInstanceUid);
        expect(dataset.string('x00020003')).toBe(sopInstanceUid);
        expect(dataset.string('x0020000d')).toBe(study.studyInstanceUid);
        expect(dataset.string('x0020000e')).toBe(seriesInstanceUid);
        expect(dataset.string('x00080016')).toBe(study.sopClassUid);
        expect(dataset.string('x00020010')).toBe(transferSyntaxUid);
        expect(dataset.string('x00080060')).toBe(modality);
        for (const element of Object.values(dataset.elements)) expect(element.length % 2).toBe(0);
        return seriesInstanceUid;
      });
      expect([...new Set(seen)]).toEqual(study.seriesInstanceUids);
      expect(study.seriesInstanceUids).toHaveLength(3);
    }
  });

  it.each([
    ['retired-1000', '02025066011', '999990019', undefined],
    ['none', '02025066011', undefined, undefined],
    ['patient-id', '999990019', undefined, undefined],
    ['sequence-1002', '02025066011', undefined, '999990019'],
  ] as const)('holds the BSN only where it is asked to: %s', (bsnIn, patientId, retired, item) => {
    for (const index of [0, 1]) {
      const study = generateStudy({ ...small, bsnIn });
      const { bytes } = study.instance(index);
      const dataset = dicomParser.parseDicom(bytes);
      expect(dataset.string('x00100020')).toBe(patientId);
      expect(dataset.string('x00101000')).toBe(retired);
      expect(dataset.elements.x00101002?.items?.[0]?.dataSet?.string('x00100020')).toBe(item);
      const times = Buffer.from(bytes).toString('latin1').split('999990019').length - 1;
      expect(times).toBe(bsnIn === 'none' ? 0 : 1);
    }
  });

  it('has what real scanners send: private blocks, open sequences, a group length, latin text', () => {
    const dataset = elementsOf(small);
    expect(dataset.string('x00090010')).toBe('GEMS_IDEN_01');
    expect(elementsOf(small, 1).elements.x00090010).toBeUndefined();
    expect(elementsOf(small, 1).elements.x00400275?.hadUndefinedLength).toBe(true);
    expect(dataset.elements.x00400275?.hadUndefinedLength).toBeUndefined();
    const request = dataset.elements.x00400275?.items?.[0]?.dataSet;
    expect(request?.elements.x00400008?.items?.[0]?.dataSet?.string('x00080100')).toBe('CTTHOR');
    expect(elementsOf(small, 4).uint32('x00100000')).toBeGreaterThan(0);
    expect(dataset.string('x00100010')).toBe('van der Berg^Annelies^^mevr.');
    expect(dataset.string('x00080005')).toBe('ISO_IR 100');
    expect(dataset.string('x00080090')).toBe('Groß^José^^dr.');
  });

  it('has 512 x 512 pixels unless told otherwise, and other pixels in each instance', () => {
    const [first, second] = [0, 1].map((index) => elementsOf({ ...small, bytesPerInstance: 524_288 }, index));
    expect([first?.uint16('x00280010'), first?.uint16('x00280011')]).toEqual([512, 512]);
    expect(first?.elements.x7fe00010?.length).toBe(512 * 512 * 2);
    expect(first && pixels(first).equals(second ? pixels(second) : Buffer.alloc(0))).toBe(false);
    for (const bytesPerInstance of [2, 600, 5000, 1_000_000]) {
      const bytes = elementsOf({ ...small, bytesPerInstance }).elements.x7fe00010?.length ?? 0;
      expect(Math.abs(bytes - bytesPerInstance)).toBeLessThanOrEqual(
        2 * Math.ceil(Math.sqrt(bytesPerInstance)),
      );
    }
  });

  it('keeps twelve bits, so that no noise runs into the bits that are not stored', () => {
    const values = pixels(elementsOf(small));
    const highest = Math.max(...new Uint16Array(Uint8Array.from(values).buffer));
    expect(highest).toBeLessThan(4096);
  });

  it.each([2, 600, 5000, 80_000])('unpacks from RLE to the same %i bytes of pixels', (bytesPerInstance) => {
    const options = { ...small, bytesPerInstance };
    const dataset = elementsOf({ ...options, transferSyntaxUid: RLE_LOSSLESS });
    const [fragment] = dataset.elements.x7fe00010?.fragments ?? [];
    const packed = Buffer.from(dataset.byteArray).subarray(
      fragment?.position,
      (fragment?.position ?? 0) + (fragment?.length ?? 0),
    );
    const plain = pixels(elementsOf(options));
    const size = plain.byteLength / 2;
    const high = unpack(packed, packed.readUInt32LE(4), size);
    const low = unpack(packed, packed.readUInt32LE(8), size);
    expect(high.map((byte, index) => plain[2 * index + 1] ?? -byte)).toEqual(high);
    expect(low.map((byte, index) => plain[2 * index] ?? -byte)).toEqual(low);
  });

  it('refuses an index outside', () => {
    expect(() => generateStudy(small).instance(12)).toThrow(RangeError);
    expect(() => generateStudy(small).instance(-1)).toThrow(RangeError);
  });
});

describe('writing a study', async () => {
  const folder = await openTempFolder();
  afterAll(() => folder.remove());

  it('leaves whole files and nothing else when two write the same one', async () => {
    const dir = folder.file('study');
    const [written] = await Promise.all([writeStudy(dir, small), writeStudy(dir, small)]);
    expect((await readdir(dir)).sort()).toEqual(written.map((file) => file.fileName));
    const instances = [...generateStudy(small)];
    for (const [index, { path, bytes, sopInstanceUid }] of written.entries()) {
      const content = await readFile(path);
      expect(content.byteLength).toBe(bytes);
      expect(sopInstanceUid).toBe(instances[index]?.sopInstanceUid);
      expect(content.equals(instances[index]?.bytes ?? Buffer.alloc(0))).toBe(true);
    }
  });
});

function pixels(dataset: dicomParser.DataSet): Buffer {
  const element = dataset.elements.x7fe00010;
  const from = element?.dataOffset ?? 0;
  return Buffer.from(dataset.byteArray).subarray(from, from + (element?.length ?? 0));
}

/** PackBits as PS3.5 section G.3.2 decodes it, up to `size` bytes. */
function unpack(packed: Buffer, start: number, size: number): Buffer {
  const out: number[] = [];
  for (let at = start; out.length < size; ) {
    const control = packed.readInt8(at);
    if (control >= 0) out.push(...packed.subarray(at + 1, at + 2 + control));
    else for (let count = 0; count <= -control; count += 1) out.push(packed.readUInt8(at + 1));
    at += control >= 0 ? 2 + control : 2;
  }
  return Buffer.from(out);
}
