import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareOutsidePatch } from '../../support/compare.ts';
import { type GeneratedInstance, generateStudy } from '../../support/study/study.ts';
import type { Random } from './random.ts';

/** A study of the soak: small, in memory, and where it goes. */
export interface SoakStudy {
  readonly studyInstanceUid: string;
  readonly instances: readonly GeneratedInstance[];
  readonly to: readonly string[];
  readonly priority: string;
}

/** `seed` makes its UIDs: another for each study of a round. */
export function makeStudy(random: Random, seed: number, to: readonly string[]): SoakStudy {
  const study = generateStudy({
    modality: random.pick(['CT', 'MR']),
    instances: random.between(5, 60),
    bytesPerInstance: random.between(8, 64) * 1024,
    seed,
    bsnIn: random.pick(['retired-1000', 'retired-1000', 'sequence-1002', 'none']),
    seriesSize: random.between(5, 40),
  });
  const priority = random.pick(['acute', 'urgent', 'routine', 'routine', 'bulk']);
  return { studyInstanceUid: study.studyInstanceUid, instances: [...study], to, priority };
}

export async function writeFiles(folder: string, { instances }: SoakStudy): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { fileName, bytes } of instances) await writeFile(join(folder, fileName), bytes);
}

/** What is wrong with a study as a PACS holds it: nothing, hopefully. */
export function pacsFaults({ instances }: SoakStudy, held: ReadonlyMap<string, Uint8Array>): string[] {
  return instances.flatMap(({ sopInstanceUid, bytes }) =>
    difference('the PACS', sopInstanceUid, bytes, held.get(sopInstanceUid)),
  );
}

/** The same of the folder of `sluis receive`: each instance, once, and nothing else. */
export async function folderFaults(
  { instances, studyInstanceUid }: SoakStudy,
  out: string,
): Promise<string[]> {
  const folder = join(out, studyInstanceUid);
  const names = new Set(await readdir(folder).catch(() => []));
  const faults: string[] = [];
  for (const { sopInstanceUid, bytes } of instances) {
    const name = `${sopInstanceUid}.dcm`;
    const there = names.delete(name) ? await readFile(join(folder, name)) : undefined;
    faults.push(...difference('the folder', sopInstanceUid, bytes, there));
  }
  return [...faults, ...[...names].map((name) => `the folder has ${name} besides`)];
}

function difference(where: string, uid: string, sent: Uint8Array, got: Uint8Array | undefined): string[] {
  if (got === undefined) return [`${where} has not got ${uid}`];
  const { equal, reason = '' } = compareOutsidePatch(sent, got);
  return equal ? [] : [`${where} has another ${uid}: ${reason}`];
}
