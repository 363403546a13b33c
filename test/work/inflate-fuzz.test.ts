import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inflate } from '../../src/work/inflate.ts';
import { ct } from '../dicom/builder.ts';
import { bounded } from '../dicom/support.ts';
import { deflatedFile, inflateAll } from './deflated-files.ts';
import { temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const path = join(folder, 'mutant');
const into = join(folder, 'into');
await writeFile(into, '');

const originals = [
  deflatedFile(ct([{ tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(3000, 'pixels') }])),
  deflatedFile(ct(), { wrapped: true }),
  deflatedFile(ct(), { level: 0 }),
];
const share = fc.double({ min: 0, max: 1, noNaN: true });
const mutant = fc
  .record({
    original: fc.constantFrom(...originals),
    flips: fc.array(fc.tuple(share, fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    cut: share,
    isCut: fc.boolean(),
    behind: fc.uint8Array({ maxLength: 30 }),
  })
  .map(({ original: { bytes, datasetAt }, flips, cut, isCut, behind }) => {
    const mutated = Buffer.from(bytes);
    for (const [at, value] of flips) {
      mutated[datasetAt + Math.floor(at * (mutated.byteLength - datasetAt))] = value;
    }
    const end = datasetAt + Math.floor(cut * (mutated.byteLength - datasetAt));
    return Buffer.concat([mutated.subarray(0, isCut ? end : undefined), behind]);
  });

it('whatever a deflated dataset holds, inflating it ends with a file that is whole or empty', async () => {
  const codes = /^(TRUNCATED|MALFORMED|SYNTAX_LIES|NOT_DICOM|TOO_DEEP|HEAD_TOO_LARGE|INFLATED_TOO_LARGE)$/;
  await fc.assert(
    fc.asyncProperty(mutant, async (bytes) => {
      await writeFile(path, bytes);
      const ranges = [{ path, start: 0, bytes: bytes.byteLength }];
      const result = await inflate({ of: 'dataset', ranges, into, bytesMax: 100_000, ratioMax: 200 });
      const { inflated: parts, inspection } = result;
      const derived = await readFile(into);
      expect(derived.byteLength).toBe(result.bytes);
      expect(inspection.scan === undefined).toBe(parts === undefined);
      if (inspection.error !== undefined) expect(inspection.error.code).toMatch(codes);
      if (parts === undefined) {
        expect([result.bytes, inspection.error?.reason]).toEqual([0, expect.stringMatching(/\w/)]);
        return;
      }
      const tail = await inflateAll(derived.subarray(parts.headBytes));
      expect([tail.consumed, parts.headBytes + tail.bytes.byteLength]).toEqual([
        parts.tailBytes,
        parts.bytes,
      ]);
    }),
    bounded,
  );
});
