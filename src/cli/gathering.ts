import { basename, relative, sep } from 'node:path';
import { DICOMDIR } from '../dicom/sop-classes.ts';
import type { ReportType } from '../study/report.ts';
import { gatherArchive, type ListedArchive } from './archive-gathering.ts';
import { Contents, type Listing } from './contents.ts';
import { InputRefused } from './errors.ts';
import { type FileKind, kindOf } from './file-kind.ts';
import { type FoundFile, findFiles } from './found-files.ts';
import { inspectFile, withFile } from './inspection.ts';
import { plainContent } from './part-content.ts';
import { Progress } from './progress.ts';
import { inspectReport } from './report-inspection.ts';
import { instanceFault, reportFault } from './sendable.ts';
import type { Terminal } from './terminal.ts';

/** What will be sent. */
export interface Gathered extends Listing {
  /** In which all of it lies; null when it lies in files. */
  readonly archive: ListedArchive | null;
}

type OnBytes = (bytes: number) => void;

/**
 * Finds, reads and judges everything that PATHs stand for: instances and reports, or one ZIP of them. What
 * is neither in a folder is named and left out; all that cannot be sent is named at once.
 *
 * `force` sends truncated instances as they are. Throws InputRefused.
 */
export async function gather(
  terminal: Terminal,
  paths: readonly string[],
  force: boolean,
): Promise<Gathered> {
  const contents = new Contents();
  const files = await findFiles(paths, (path, why) => contents.skip(path, why));
  const named = await kindsOfNamed(files);
  const zip = files.find(({ path }) => named.get(path)?.is === 'archive')?.path;
  if (zip !== undefined && paths.length > 1) {
    throw new InputRefused(
      `${zip} is a ZIP, which is sent by itself. Unpack it to send what is in it together with the rest`,
    );
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = new Progress(terminal, 'reading', zip === undefined ? total : 2 * total);
  const onBytes = (bytes: number): void => progress.add(bytes);
  try {
    if (zip !== undefined) {
      const archive = await gatherArchive(contents, zip, force, onBytes);
      return { ...contents.finish(terminal), archive };
    }
    for (const file of files) {
      const kind = named.get(file.path) ?? (await kindOf(file, nameBelow(paths, file.path)));
      await addFile(contents, file, kind, force, onBytes);
    }
  } finally {
    progress.end();
  }
  return { ...contents.finish(terminal), archive: null };
}

async function kindsOfNamed(files: readonly FoundFile[]): Promise<Map<string, FileKind>> {
  const kinds = new Map<string, FileKind>();
  for (const file of files) {
    if (file.named) kinds.set(file.path, await kindOf(file, basename(file.path)));
  }
  return kinds;
}

/** As a ZIP of the folder would have it. */
function nameBelow(paths: readonly string[], path: string): string {
  const names = paths.map((root) => relative(root, path).split(sep));
  return names.find(([first]) => first !== '..')?.join('/') ?? basename(path);
}

async function addFile(
  contents: Contents,
  { path, named, bytes }: FoundFile,
  kind: FileKind,
  force: boolean,
  onBytes: OnBytes,
): Promise<void> {
  if (kind.is === 'report') {
    await addReport(contents, path, kind.mediaType, onBytes);
  } else if (kind.is === 'instance') {
    const { scan, ...inspection } = await inspectFile(path, onBytes);
    const fault = instanceFault({ scan, ...inspection }, force);
    if (scan?.sopClassUid === DICOMDIR && !named) contents.skip(path, 'an index of a disc, not an instance');
    else if (fault !== undefined) contents.refuse(path, fault);
    else if (scan !== undefined) contents.addInstance({ ...inspection, scan });
  } else if (kind.is === 'other') {
    onBytes(bytes);
    if (named) contents.refuse(path, kind.why);
    else contents.skip(path, kind.why);
  }
}

async function addReport(
  contents: Contents,
  path: string,
  mediaType: ReportType,
  onBytes: OnBytes,
): Promise<void> {
  await withFile(path, async (file) => {
    const { size: bytes, mtimeMs } = await file.stat();
    const content = plainContent(file, { path, start: 0, bytes }, onBytes);
    const inspection = await inspectReport(mediaType, content);
    const after = await file.stat();
    if (after.size !== bytes || after.mtimeMs !== mtimeMs) {
      throw new InputRefused(`${path} is still being written to; run again when it is complete`);
    }
    const fault = reportFault(inspection);
    if (fault !== undefined) contents.refuse(path, fault);
    else contents.addReport({ path, bytes, mtimeMs, sha256: inspection.sha256, mediaType });
  });
}
