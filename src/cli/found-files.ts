import type { Dirent } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asError } from '../ops/error.ts';
import { InputRefused } from './errors.ts';
import { FILES_MAX, FOLDER_DEPTH_MAX } from './limits.ts';

export interface FoundFile {
  readonly path: string;
  /** True when it stood on the command line itself: then what it is, is no accident. */
  readonly named: boolean;
  readonly bytes: number;
}

/** What lies beside studies on a disc or share and is never a study, with what to call it. */
const LITTER: readonly (readonly [RegExp, string])[] = [
  [/^\./u, 'hidden'],
  [/^DICOMDIR$/iu, 'an index of a disc, not an instance'],
  [/^(Thumbs\.db|desktop\.ini)$/iu, 'made by Windows'],
];

/**
 * The files that PATHs stand for, folders walked in sorted order so that every run sees the same
 * sequence. `skip` is told what is left out and why. Throws InputRefused for a PATH that is not there.
 */
export async function findFiles(
  paths: readonly string[],
  skip: (path: string, why: string) => void,
): Promise<FoundFile[]> {
  const found = new Map<string, FoundFile>();
  const add = (file: FoundFile): void => {
    if (!found.has(file.path)) found.set(file.path, file);
    if (found.size > FILES_MAX) {
      throw new InputRefused(`these folders hold more than ${FILES_MAX.toString()} files; name fewer`);
    }
  };
  for (const path of paths) {
    const facts = await stat(path).catch((thrown: unknown) => {
      throw new InputRefused(`${path} cannot be read: ${asError(thrown).message}`, { cause: thrown });
    });
    if (facts.isDirectory()) await walk(path, 1, add, skip);
    else if (facts.isFile()) add({ path, named: true, bytes: facts.size });
    else throw new InputRefused(`${path} is neither a file nor a folder`);
  }
  return [...found.values()];
}

async function walk(
  folder: string,
  depth: number,
  add: (file: FoundFile) => void,
  skip: (path: string, why: string) => void,
): Promise<void> {
  if (depth > FOLDER_DEPTH_MAX) {
    throw new InputRefused(`${folder} lies more than ${FOLDER_DEPTH_MAX.toString()} folders deep`);
  }
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    const litter = LITTER.find(([name]) => name.test(basename(path)));
    if (litter !== undefined) {
      skip(path, litter[1]);
    } else if (entry.isDirectory()) {
      await walk(path, depth + 1, add, skip);
    } else {
      await addFile(path, add, skip);
    }
  }
}

/** Sorted by code unit, not by language: the order must not depend on who runs it. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((thrown: unknown) => {
    throw new InputRefused(`${folder} cannot be read: ${asError(thrown).message}`, { cause: thrown });
  });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function addFile(
  path: string,
  add: (file: FoundFile) => void,
  skip: (path: string, why: string) => void,
): Promise<void> {
  const link = await lstat(path);
  // A link to a folder could lead back up; a link to a file is how some archives lay out their shares.
  const facts = link.isSymbolicLink() ? await stat(path).catch(() => undefined) : link;
  if (facts?.isFile() === true) add({ path, named: false, bytes: facts.size });
  else skip(path, link.isSymbolicLink() ? 'a link that leads to no file' : 'not a file');
}
