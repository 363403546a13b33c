import { type FileHandle, open } from 'node:fs/promises';
import { type Identity, identify } from '../dicom/identity.ts';
import type { Scan } from '../dicom/scan.ts';
import { DICOMDIR } from '../dicom/sop-classes.ts';
import { asError } from '../ops/error.ts';
import type { Part } from '../study/package.ts';
import { setAsideText } from '../study/set-aside.ts';
import { reasonsOf } from '../transfer/verdict.ts';
import { type DicomHead, readHead } from './dicom-head.ts';
import { firstInflated, type Windows } from './first-bytes.ts';
import { packageParts } from './package-parts.ts';

/** What the head of one file says, or of one entry of an archive. Patient data in `identity`. */
export interface Look {
  readonly file: string;
  /** Name within the archive; null for a file by itself. */
  readonly entry: string | null;
  readonly scan: Scan | undefined;
  /** Undefined for what is no instance. */
  readonly identity: Identity | undefined;
  /** A signature covers what a dialect writes: the exchange delivers it as it was sent. */
  readonly signed: boolean;
  /** Why it is no instance: a reason code, NOT_READ, REPORT or SET_ASIDE; null when it is one. */
  readonly problem: string | null;
  readonly detail: string | null;
}

export type Subject = Pick<Look, 'file' | 'entry'>;

/** Reads the head of a file; 'archive' when it is a ZIP. Never rejects: what cannot be read is an answer. */
export async function lookAtFile(path: string, windows: Windows): Promise<Look | 'archive'> {
  const subject = { file: path, entry: null };
  return await opened(path, async (file) => {
    const { size } = await file.stat();
    return await windows.lend(file, 0, async (first) => {
      const head = await readHead(first, size);
      return isArchive(head) ? 'archive' : lookOf(subject, head);
    });
  }).catch((thrown: unknown) => notRead(subject, asError(thrown)));
}

/** Reads the heads of what is in a ZIP; what is wrong with the archive itself is the last answer. Never rejects. */
export async function* lookIntoArchive(
  path: string,
  windows: Windows,
  onEntries: (entries: number) => void,
): AsyncGenerator<Look> {
  const archive = { file: path, entry: null };
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    for await (const item of packageParts(file, size, onEntries)) {
      if ('fault' in item) yield noInstance(archive, 'PACKAGE_BROKEN', item.fault.reason);
      else yield await lookAtPart(path, file, item.part, windows);
    }
  } catch (thrown) {
    yield notRead(archive, asError(thrown));
  } finally {
    await file?.close();
  }
}

async function lookAtPart(path: string, file: FileHandle, part: Part, windows: Windows): Promise<Look> {
  const { kind, contentType, entry, why } = part;
  const subject = { file: path, entry: entry?.name ?? '' };
  if (kind === 'report') return noInstance(subject, 'REPORT', contentType);
  if (kind === 'set-aside') return setAside(subject, setAsideText[why ?? 'unknown'].en);
  return await windows
    .lend(file, part.start, async (first) => {
      const isDeflated = entry?.method === 'deflated';
      const content = isDeflated ? firstInflated(first, part.bytes, 0) : first;
      return lookOf(subject, await readHead(content, isDeflated ? entry.bytes : part.bytes));
    })
    .catch((thrown: unknown) => notRead(subject, asError(thrown)));
}

/** What is known of a head, before its window is used for another. */
function lookOf(subject: Subject, { scan, fault, window }: DicomHead): Look {
  if (scan === undefined) {
    const code = fault?.code ?? 'TRUNCATED';
    const [problem = 'UNREADABLE'] = reasonsOf({ scan, identity: undefined, fault: code });
    return noInstance(subject, problem, fault?.message ?? 'there are fewer bytes than there should be');
  }
  if (scan.sopClassUid === DICOMDIR) return setAside(subject, setAsideText['directory-record'].en);
  const identity = identify(window, scan);
  const signed = reasonsOf({ scan, identity, fault: undefined }).includes('SIGNED_OBJECT');
  return { ...subject, scan, identity, signed, problem: null, detail: null };
}

export function setAside(subject: Subject, why: string): Look {
  return noInstance(subject, 'SET_ASIDE', why);
}

const WHY_NOT_READ: Readonly<Record<string, string>> = {
  EACCES: 'who runs this may not read it',
  EPERM: 'who runs this may not read it',
  EIO: 'the disk or the share reports an error',
  ENOENT: 'it is not there any more, or its name is not in UTF-8',
  ESTALE: 'the share does not have it any more',
  Z_DATA_ERROR: 'it is damaged in the ZIP',
};

/** The system's own sentence would repeat the path. */
export function notRead(subject: Subject, error: NodeJS.ErrnoException): Look {
  const code = error.code ?? error.message;
  const why = WHY_NOT_READ[code];
  return noInstance(
    subject,
    'NOT_READ',
    `it cannot be read: ${why === undefined ? code : `${why} (${code})`}`,
  );
}

function noInstance(subject: Subject, problem: string, detail: string): Look {
  return { ...subject, scan: undefined, identity: undefined, signed: false, problem, detail };
}

async function opened<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** A local header, or the end of an archive without entries (APPNOTE 4.3.7, 4.3.16). */
const ARCHIVES = ['PK\x03\x04', 'PK\x05\x06'];

function isArchive({ scan, window }: DicomHead): boolean {
  return scan === undefined && ARCHIVES.includes(Buffer.from(window.subarray(0, 4)).toString('latin1'));
}
