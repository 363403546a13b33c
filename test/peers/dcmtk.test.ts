import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NL_2010 } from '../../src/dicom/dialect.ts';
import { applyEdits, patch, patchNeeds } from '../../src/dicom/patch.ts';
import { scan } from '../../src/dicom/scan.ts';
import { type Built, bsnItem, ct, ENCODINGS, part10 } from '../dicom/builder.ts';
import { REFUSED, type Sample, samples, samplesAreHere } from '../dicom/samples.ts';

const run = promisify(execFile);
const BSN = '999990019';
const OTHER: Built[] = [{ tag: 0x00100020, vr: 'LO', value: 'ABC' }];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluis-dcmtk-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a DCMTK tool prints, and whether it was content. */
async function ask(
  tool: string,
  args: readonly string[],
): Promise<{ content: boolean; out: string; complaints: number }> {
  const options = { maxBuffer: 64 * 1024 * 1024, encoding: 'latin1' } as const;
  const lines = (text: string) => text.split('\n').filter((line) => line !== '').length;
  try {
    const { stdout, stderr } = await run(tool, [...args], options);
    return { content: true, out: stdout, complaints: lines(stderr) };
  } catch (thrown) {
    const { stdout, stderr, code } = thrown as { stdout?: string; stderr?: string; code?: unknown };
    if (typeof code !== 'number') throw thrown; // the tool is not installed: that is a failure, not a pass
    return { content: false, out: stdout ?? '', complaints: lines(stderr ?? '') };
  }
}

/** The dump without (0010,0000) and without the outermost (0010,1002): what a patch must not touch. */
function restOf(dump: string): string[] {
  const rest: string[] = [];
  let inside = false;
  for (const line of dump.split('\n')) {
    if (line.startsWith('(0010,1002)')) inside = true;
    if (!inside && !line.startsWith('(0010,0000)') && !line.startsWith('# ')) rest.push(line);
    if (line.startsWith('(fffe,e0dd)')) inside = false;
  }
  return rest;
}

/**
 * Which bytes differ, found by comparing from both ends and told nothing by the splice: the offset of
 * the first difference, and how many bytes at the end are the same.
 */
function difference(a: Buffer, b: Buffer): { from: number; same: number } {
  const shorter = Math.min(a.byteLength, b.byteLength);
  let from = 0;
  while (from < shorter && a[from] === b[from]) from++;
  let same = 0;
  while (same < shorter - from && a[a.byteLength - 1 - same] === b[b.byteLength - 1 - same]) same++;
  return { from, same };
}

function patched(bytes: Buffer): Buffer {
  const found = scan(bytes, bytes.byteLength);
  if ('need' in found) throw new Error('the whole file is there');
  const needs = patchNeeds(found);
  const seen = needs && bytes.subarray(needs.start, needs.end);
  return Buffer.from(applyEdits(bytes, patch(found, { dialect: NL_2010, bsn: BSN }, seen).edits));
}

function built(): Sample[] {
  const states: Built[][] = [
    [],
    [{ tag: 0x00100000, vr: 'UL', value: Buffer.alloc(4) }],
    [{ tag: 0x00101002, vr: 'SQ', items: [] }],
    [{ tag: 0x00101002, vr: 'SQ', items: [OTHER, OTHER] }],
    [{ tag: 0x00101002, vr: 'SQ', items: [OTHER], open: true, openItems: true }],
    [{ tag: 0x00101002, vr: 'UN', items: [OTHER], open: true }],
  ];
  return ENCODINGS.flatMap((encoding) =>
    states.map((more, index) => ({
      name: `built-${encoding}-${index.toString()}.dcm`,
      bytes: part10(ct(more), encoding),
    })),
  );
}

const isDirectory = ({ name }: Sample) => name.includes('DICOMDIR');
const spliceable = samples().filter((sample) => !(sample.name in REFUSED) && !isDirectory(sample));

describe('DCMTK reads what was patched', () => {
  it(
    samplesAreHere ? 'the public samples are here' : 'the public samples are not here: built instances only',
    () => {
      if (!samplesAreHere) console.log('samples not here: expected ../shared/samples beside the repository');
      expect(spliceable.length >= 95).toBe(samplesAreHere);
    },
  );

  it.each([...built(), ...spliceable])('$name', async ({ bytes }) => {
    const after = patched(bytes);
    const [before, behind] = [join(folder, 'before.dcm'), join(folder, 'after.dcm')];
    await Promise.all([writeFile(before, bytes), writeFile(behind, after)]);
    const [dump, patchedDump] = [
      await ask('dcmdump', ['-Un', before]),
      await ask('dcmdump', ['-Un', behind]),
    ];

    expect(patchedDump.content).toBe(dump.content);
    expect(patchedDump.complaints).toBeLessThanOrEqual(dump.complaints);
    expect(restOf(patchedDump.out)).toEqual(restOf(dump.out));
    if (dump.content) {
      const ids = await ask('dcmdump', ['-Un', '+P', '0010,0020', behind]);
      expect(ids.out.split('\n').filter((line) => line.includes(`[${BSN}]`)).length).toBe(1);
    }

    const { from, same } = difference(bytes, after);
    const changed = after.subarray(from, after.byteLength - same);
    // From the first number that grew to the end of the item: never into the file meta, never as far as the pixels.
    expect(changed.byteLength).toBeLessThan(8192);
    expect(changed.includes(BSN)).toBe(true);
    expect(bytes.byteLength - from - same).toBeLessThan(8192);
    expect(after.byteLength - bytes.byteLength).toBeGreaterThan(bsnItem(BSN).length * 8);
  });
});
