import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import { asError } from '../ops/error.ts';
import { InputRefused } from './errors.ts';
import { FILES_MAX, FOLDER_DEPTH_MAX } from './limits.ts';

export interface FoundFile {
  readonly path: string;
  /** True when it stood on the command line itself: then what it is, is no accident. */
  readonly named: boolean;
  readonly bytes: number;
}

/** What a walk comes to: a file, or what is left out and why. */
export type Walked =
  | { readonly is: 'file'; readonly path: string; readonly named: boolean }
  | { readonly is: 'skipped'; readonly path: string; readonly why: string }
  /** A folder that cannot be read; the walk goes on behind it. */
  | { readonly is: 'unreadable'; readonly path: string; readonly error: NodeJS.ErrnoException };

/** What lies beside studies on a disc or share and is never a study, with what to call it. */
const LITTER: readonly (readonly [RegExp, string])[] = [
  [/^\./u, 'hidden'],
  [/^DICOMDIR$/iu, 'an index of a disc, not an instance'],
  [/^(Thumbs\.db|desktop\.ini)$/iu, 'made by Windows'],
];

/**
 * The files that PATHs stand for, folders walked in sorted order so that every run sees the same
 * sequence. `skip` is told what is left out and why. Throws InputRefused for a PATH or folder that
 * cannot be read, and for more files than FILES_MAX.
 */
export async function findFiles(
  paths: readonly string[],
  skip: (path: string, why: string) => void,
): Promise<FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for await (const walked of walkFiles(paths)) {
    const { path } = walked;
    if (walked.is === 'skipped') skip(path, walked.why);
    else if (walked.is === 'unreadable') refused(path)(walked.error);
    else if (!found.has(path)) {
      const { size } = await stat(path).catch(refused(path));
      found.set(path, { path, named: walked.named, bytes: size });
    }
    if (found.size > FILES_MAX) {
      throw new InputRefused(`these folders hold more than ${FILES_MAX.toString()} files; name fewer`);
    }
  }
  return [...found.values()];
}

/**
 * As findFiles, one after the other and however many there are: it keeps the names of one folder at each
 * depth. What two PATHs both stand for is walked once. Throws InputRefused for a PATH that is not there.
 */
export async function* walkFiles(paths: readonly string[]): AsyncGenerator<Walked> {
  const done = new Set<string>();
  for (const path of paths) {
    const facts = await stat(path).catch(refused(path));
    const plain = normalize(path);
    if (isIn(plain, done)) continue;
    if (facts.isDirectory()) yield* walk(path, 1, done);
    else if (facts.isFile()) yield { is: 'file', path, named: true };
    else throw new InputRefused(`${path} is neither a file nor a folder`);
    done.add(plain);
  }
}

function isIn(path: string, done: ReadonlySet<string>): boolean {
  return done.has(path) || [...done].some((one) => path.startsWith(join(one, sep)));
}

/** `done` are PATHs that were walked before, each with all that lies in it. */
async function* walk(folder: string, depth: number, done: ReadonlySet<string>): AsyncGenerator<Walked> {
  if (depth > FOLDER_DEPTH_MAX) {
    throw new InputRefused(`${folder} lies more than ${FOLDER_DEPTH_MAX.toString()} folders deep`);
  }
  const entries = await readdir(folder, { withFileTypes: true }).catch(asError);
  if (entries instanceof Error) {
    yield { is: 'unreadable', path: folder, error: entries };
    return;
  }
  // By code unit, not by language: the order must not depend on who runs it.
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    const litter = LITTER.find(([name]) => name.test(entry.name));
    if (done.has(path)) continue;
    if (litter !== undefined) yield { is: 'skipped', path, why: litter[1] };
    else if (entry.isDirectory()) yield* walk(path, depth + 1, done);
    else if (await isFile(path, entry)) yield { is: 'file', path, named: false };
    else {
      const why = entry.isSymbolicLink() ? 'a link that leads to no file' : 'not a file';
      yield { is: 'skipped', path, why };
    }
  }
}

/** A link to a folder could lead back up; a link to a file is how some archives lay out their shares. */
async function isFile(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() === true;
}

function refused(path: string): (thrown: unknown) => never {
  return (thrown) => {
    throw new InputRefused(`${path} cannot be read: ${asError(thrown).message}`, { cause: thrown });
  };
}
