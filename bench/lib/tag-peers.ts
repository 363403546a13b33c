import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import dcmjs from 'dcmjs';
import { BSN } from './tagging.ts';

/** Milliseconds of dcmjs reading a file into memory, adding the item and writing it into memory. */
export function dcmjsMs(path: string): number {
  const begun = performance.now();
  const file = readFileSync(path);
  const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
  const dataset = dcmjs.data.DicomMessage.readFile(bytes);
  dataset.upsertTag('00101002', 'SQ', [{ '00100020': { vr: 'LO', Value: [BSN] } }]);
  dataset.write();
  return performance.now() - begun;
}

/** Milliseconds of a whole copy, holes filled and no block shared: what every rewriting tool has to do too. */
export function copyMs(path: string, to: string): number {
  return timedOf(() => run('cp', '--sparse=never', '--reflink=never', path, to));
}

/** Milliseconds of dcmodify inserting the item, in a copy of the file that is not counted; undefined without it. */
export function dcmodifyMs(path: string, to: string): number | undefined {
  copyFileSync(path, to);
  try {
    return timedOf(() => run('dcmodify', '-nb', '-i', `(0010,1002)[0].(0010,0020)=${BSN}`, to));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    rmSync(to, { force: true });
  }
}

function timedOf(work: () => void): number {
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

const run = (tool: string, ...args: string[]): void => {
  execFileSync(tool, args, { stdio: 'ignore' });
};
