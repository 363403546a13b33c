import * as dicomParser from 'dicom-parser';
import { describe, expect, it } from 'vitest';
import { NL_2010 } from '../../src/dicom/dialect.ts';
import { identify } from '../../src/dicom/identity.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { DICOMDIR } from '../../src/dicom/sop-classes.ts';
import { INCOMPLETE, REFUSED, samples, samplesAreHere } from './samples.ts';
import { ANNA, expectExact, faultOf, patchWhole, scanWhole, walk } from './support.ts';

/** What dicom-parser reads of a file; undefined where it gives up (no preamble, mostly). */
function parsed(bytes: Uint8Array): dicomParser.DataSet | undefined {
  try {
    return dicomParser.parseDicom(bytes);
  } catch {
    return undefined;
  }
}

const uids = (found: dicomParser.DataSet) => ({
  sopInstanceUid: found.string('x00080018') ?? found.string('x00020003') ?? '',
  studyInstanceUid: found.string('x0020000d') ?? '',
  seriesInstanceUid: found.string('x0020000e') ?? '',
  transferSyntaxUid: found.string('x00020010') ?? '',
});

/** The first value of the dataset behind (0020,000E), where dicom-parser puts it. */
function firstValueBehind(found: dicomParser.DataSet): number | undefined {
  const behind = Object.values(found.elements).filter(({ tag }) => tag > 'x0020000e');
  return behind.sort((a, b) => a.dataOffset - b.dataOffset)[0]?.dataOffset;
}

const others = (found: dicomParser.DataSet | undefined) =>
  (found?.elements.x00101002?.items ?? []).map(({ dataSet }) => dataSet?.string('x00100020'));

if (samplesAreHere) {
  const all = samples();
  const read = all.filter(({ name }) => !(name in REFUSED));

  describe('on the public samples', () => {
    it('there are enough of them to mean something', () => {
      expect(all.length).toBeGreaterThanOrEqual(100);
      expect(read.filter(({ bytes }) => parsed(bytes) !== undefined).length).toBeGreaterThan(85);
    });

    it.each(Object.entries(REFUSED))('%s is refused as %s', (name, code) => {
      const sample = all.find((one) => one.name === name);
      expect(faultOf(() => scanWhole(sample?.bytes ?? Buffer.alloc(0))).code).toBe(code);
    });

    it.each(read)('$name is read as dicom-parser reads it', ({ bytes }) => {
      const found = scanWhole(bytes);
      const oracle = parsed(bytes);
      if (oracle === undefined) return;
      expect(found).toMatchObject(uids(oracle));
      const value = firstValueBehind(oracle);
      if (value === undefined) expect(found.scannedTo).toBe(bytes.byteLength);
      else expect([8, 12]).toContain(value - found.scannedTo);
      const plain = (tag: string) => oracle.string(tag)?.trim() ?? '';
      const identity = identify(bytes, found);
      expect(identity.patientBirthDate).toBe(plain('x00100030'));
      expect(identity.patientSex).toBe(plain('x00100040'));
    });

    it.each(read)('$name is whole, or truncated where its name says so', ({ name, bytes }) => {
      const found = scanWhole(bytes);
      const verdict = walk(bytes, found, 100);
      expect(verdict.complete).toBe(!INCOMPLETE.includes(name));
      if (!verdict.complete) expect(verdict.code).toBe('TRUNCATED');
      expect(walk(bytes, found)).toEqual(verdict);
    });

    it.each(read)('$name gets one more item and keeps every other byte', ({ bytes }) => {
      const found = scanWhole(bytes);
      const edits = patchWhole(bytes, found, NL_2010, ANNA);
      if (found.sopClassUid === DICOMDIR) return expect(edits).toEqual([]);
      const patched = applyEdits(bytes, edits);
      expectExact(bytes, patched, edits);
      expect(patchWhole(patched, scanWhole(patched), NL_2010, ANNA)).toEqual([]);
      const before = parsed(bytes);
      if (before !== undefined) expect(others(parsed(patched))).toEqual([...others(before), ANNA]);
    });
  });
} else {
  describe('the public samples', () => {
    it('are not here: nothing is compared with dicom-parser', () => {
      console.log('samples not here: expected ../shared/samples beside the repository');
      expect(samples()).toEqual([]);
    });
  });
}
