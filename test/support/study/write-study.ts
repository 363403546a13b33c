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
 * Writes a study as files into `dir`, which is made when it is missing, for this user alone. Each file
 * appears whole under its name or not at all, so that two processes may write the same study at the same
 * time. What `onWritten` throws ends it.
 */
export async function writeStudy(
  dir: string,
  options: StudyOptions,
  onWritten: (instance: WrittenInstance) => void = () => undefined,
): Promise<WrittenInstance[]> {
  await mkdir(dir, { recursive: true });
  const written: WrittenInstance[] = [];
  for (const { fileName, sopInstanceUid, bytes } of generateStudy(options)) {
    const path = join(dir, fileName);
    const partial = `${path}.${randomUUID()}.partial`;
    try {
      await writeFile(partial, bytes, { mode: 0o600 });
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    const instance = { path, fileName, sopInstanceUid, bytes: bytes.byteLength };
    written.push(instance);
    onWritten(instance);
  }
  return written;
}
