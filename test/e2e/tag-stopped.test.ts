import { readdirSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ct, part10 } from '../dicom/builder.ts';
import { startProgram } from '../support/processes.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

let folder: TempFolder;
beforeEach(async () => {
  folder = await openTempFolder('sluis-tag-stopped');
});
afterEach(() => folder.remove());

/** A picture of nothing but zeros, which takes a moment to copy and no room on the disk. */
async function writeLargeInstance(path: string): Promise<void> {
  const pixelBytes = 1_000_000_000;
  const pixels = { tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(64), lie: pixelBytes };
  const head = part10(ct([pixels]), 'explicit-le').subarray(0, -64);
  await writeFile(path, head);
  await truncate(path, head.byteLength + pixelBytes);
}

it.each(['SIGINT', 'SIGTERM'] as const)('%s in the middle of a copy leaves nothing of it', async (signal) => {
  await writeLargeInstance(folder.file('IM1'));
  await writeFile(folder.file('bsn'), '999990019\n');
  const out = folder.file('out');
  const tag = await startProgram([
    ...['tag', '--bsn-file', folder.file('bsn'), '--dialect', 'nl-2010', '--out', out, folder.file('IM1')],
  ]);
  await expect
    .poll(() => (tag.running ? readdirSync(folder.path, { recursive: true }).map(String) : ['ended']), {
      interval: 2,
      timeout: 60_000,
    })
    .toContainEqual(expect.stringMatching(/\.part$|^ended$/u));
  tag.kill(signal);
  expect(await tag.exited).toEqual({ code: null, signal });
  expect(readdirSync(out)).toEqual([]);
});
