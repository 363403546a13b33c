import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NL_2010 } from '../../src/dicom/dialect.ts';
import { patch, patchNeeds } from '../../src/dicom/patch.ts';
import { composeInstance } from '../../src/study/composing.ts';
import { inflate } from '../../src/work/inflate.ts';
import { type Built, ct } from '../dicom/builder.ts';
import { samples } from '../dicom/samples.ts';
import { deflatedFile } from '../work/deflated-files.ts';

const run = promisify(execFile);
const BSN = '999990019';
const pixels = (bytes: number): Built => ({ tag: 0x7fe00010, vr: 'OW', value: randomBytes(bytes) });

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluis-deflated-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What dcmdump reads of a file: all of it, or it fails. */
async function dump(name: string, bytes: Uint8Array): Promise<string[]> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  const { stdout, stderr } = await run('dcmdump', ['-q', '+L', path], {
    maxBuffer: 256 * 1024 * 1024,
    encoding: 'latin1',
  });
  expect(stderr).toBe('');
  return stdout.split('\n');
}

/** The file as a receiver gets it with the BSN, made of one that is there. */
async function tagged(bytes: Uint8Array): Promise<Buffer> {
  const path = join(folder, 'source.dcm');
  const into = join(folder, 'inflated');
  await writeFile(path, bytes);
  await writeFile(into, '');
  const extents = [{ path, start: 0, bytes: bytes.byteLength }];
  const job = { of: 'dataset', ranges: extents, into, bytesMax: 1e9, ratioMax: 200 } as const;
  const { inspection, inflated } = await inflate(job);
  if (inspection.scan === undefined || inflated === undefined) throw new Error('it was not inflated');
  const { datasetAt } = inspection.scan;
  const head = { path: into, start: 0, bytes: inflated.headBytes };
  const tail = { path: into, start: inflated.headBytes, bytes: inflated.tailBytes };
  const instance = { extents, bytes: bytes.byteLength, inflated: { head, tail }, datasetAt };
  const derived = await readFile(into);
  const needs = patchNeeds(inspection.scan);
  const seen = needs && derived.subarray(needs.start, needs.end);
  const { edits } = patch(inspection.scan, { dialect: NL_2010, bsn: BSN }, seen);
  const segments = composeInstance(instance, edits);
  return Buffer.concat(
    segments.flatMap((segment) =>
      segment.from === 'insert'
        ? [segment.insert]
        : segment.extents.map(({ start, bytes: length }) => derived.subarray(start, start + length)),
    ),
  );
}

describe('a deflated instance with the BSN written into it, read by dcmdump', () => {
  const built: [string, Uint8Array][] = [
    ['that is small', deflatedFile(ct()).bytes],
    ['of 400 KB', deflatedFile(ct([pixels(400_000)])).bytes],
    ['whose pixels are zeros', deflatedFile(ct([{ ...pixels(0), value: Buffer.alloc(5_000_000) }])).bytes],
    ['that is only stored', deflatedFile(ct([pixels(400_000)]), { level: 0 }).bytes],
    [
      'that has identifiers already',
      deflatedFile(
        ct([
          { tag: 0x00101002, vr: 'SQ', items: [[{ tag: 0x00100020, vr: 'LO', value: 'ABC' }]] },
          pixels(300_000),
        ]),
      ).bytes,
    ],
    ...samples()
      .filter(({ name }) => name === 'image_dfl.dcm')
      .map(({ name, bytes }): [string, Uint8Array] => [name, bytes]),
  ];

  it.each(built)('is the one that was sent but for the new identifier: %s', async (_, bytes) => {
    const before = await dump('before.dcm', bytes);
    const after = await dump('after.dcm', await tagged(bytes));
    expect(after.join('\n')).toContain(`[${BSN}]`);
    expect(after.join('\n')).toContain('[NLMINBIZA]');
    const outside = (lines: readonly string[]): string[] => {
      const from = lines.findIndex((line) => line.startsWith('(0010,1002)'));
      if (from < 0) return [...lines];
      const to = lines.findIndex((line, at) => at >= from && line.startsWith('(fffe,e0dd)'));
      return [...lines.slice(0, from), ...lines.slice(to + 1)];
    };
    expect(outside(after)).toEqual(outside(before));
  });
});
