import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateStudy, type StudyOptions } from './study.ts';

export interface WrittenInstance {
  readonly path: string;
  readonly fileName: string;
  readonly sopInstanceUid: string;
  /** The file's size. */
  readonly bytes: number;
}

/**
 * Writes a study as files into `dir`, which is made when it is missing. Each file appears whole under
 * its name or not at all, so that two processes may write the same study at the same time.
 */
export async function writeStudy(dir: string, options: StudyOptions): Promise<WrittenInstance[]> {
  await mkdir(dir, { recursive: true });
  const written: WrittenInstance[] = [];
  for (const { fileName, sopInstanceUid, bytes } of generateStudy(options)) {
    const path = join(dir, fileName);
    const partial = `${path}.${randomUUID()}.partial`;
    try {
      await writeFile(partial, bytes);
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    written.push({ path, fileName, sopInstanceUid, bytes: bytes.byteLength });
  }
  return written;
}
