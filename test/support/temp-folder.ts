import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempFolder {
  readonly path: string;
  /** A path inside. */
  file(...names: readonly string[]): string;
  /** Takes the folder and all that is in it away; a second call does nothing. */
  remove(): Promise<void>;
}

/** A new empty folder of one's own, readable by this user alone. */
export async function openTempFolder(name = 'sluis'): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `${name}-`));
  return {
    path,
    file: (...names) => join(path, ...names),
    // A process that was just killed may still be writing its last file: try again on ENOTEMPTY.
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  };
}
