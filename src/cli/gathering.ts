import { DICOMDIR } from '../dicom/sop-classes.ts';
import { countText, sizeText } from './amount.ts';
import { InputRefused } from './errors.ts';
import { type FoundFile, findFiles } from './found-files.ts';
import { type Inspection, inspectFile } from './inspection.ts';
import {
  INSTANCE_BYTES_MAX,
  TRANSFER_BYTES_MAX,
  TRANSFER_INSTANCES_MAX,
  TRANSFER_STUDIES_MAX,
} from './limits.ts';
import { Progress } from './progress.ts';
import type { Terminal } from './terminal.ts';

/** One instance that will be sent. Holds no patient data. */
export interface Gathered {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly sha256: string;
}

/** At most so many files that cannot be sent are named, the others counted. */
const FAULTS_SHOWN = 10;

/**
 * Finds, reads and judges everything that PATHs stand for. What is no DICOM in a folder is named and
 * left out; all that cannot be sent is named at once, so that nobody repairs one file at a time.
 *
 * `force` sends truncated files as they are. Throws InputRefused.
 */
export async function gather(
  terminal: Terminal,
  paths: readonly string[],
  force: boolean,
): Promise<Gathered[]> {
  const skip = (path: string, why: string): void => terminal.note(`skipped ${path}: ${why}`);
  const files = await findFiles(paths, skip);
  const inspections: Inspection[] = [];
  const faults: string[] = [];
  const progress = new Progress(
    terminal,
    'reading',
    files.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  try {
    for (const file of files) {
      const inspection = await inspectFile(file.path, (bytes) => progress.add(bytes));
      const fault = faultOf(inspection, file, force);
      if (fault === undefined) inspections.push(inspection);
      else if (fault.skip) skip(file.path, fault.why);
      else faults.push(`${file.path}: ${fault.why}`);
    }
  } finally {
    progress.end();
  }
  if (faults.length > 0) {
    const more = faults.length - FAULTS_SHOWN;
    throw new InputRefused(
      [
        `${countText(faults.length, 'file')} cannot be sent, so nothing was:`,
        ...faults.slice(0, FAULTS_SHOWN),
        ...(more > 0 ? [`and ${more.toString()} more`] : []),
      ].join('\n  '),
    );
  }
  return withinLimits(withoutDuplicates(terminal, inspections));
}

interface Fault {
  readonly why: string;
  /** True when it is left out; false when it stops the sending. */
  readonly skip: boolean;
}

function faultOf(
  { scan, reasons, detail, bytes }: Inspection,
  { named }: FoundFile,
  force: boolean,
): Fault | undefined {
  if (reasons.includes('NOT_DICOM')) return { why: `no DICOM (${detail})`, skip: !named };
  if (scan?.sopClassUid === DICOMDIR) {
    return { why: 'an index of a disc, not an instance', skip: !named };
  }
  if (reasons.includes('TRUNCATED') && !(force && scan !== undefined)) {
    const hope = scan === undefined ? '' : ', or use --force to send it as it is';
    return { why: `truncated (${detail}). Export it again${hope}`, skip: false };
  }
  const broken = reasons.find((code) => /^(UNREADABLE|SYNTAX_LIES|SYNTAX_UNSUPPORTED)$/u.test(code));
  if (broken !== undefined || scan === undefined) {
    return { why: `${broken ?? 'UNREADABLE'} (${detail}). Export it again, or leave it out`, skip: false };
  }
  if (scan.sopInstanceUid === '') return { why: 'it has no SOP Instance UID', skip: false };
  if (bytes > INSTANCE_BYTES_MAX) {
    return { why: `larger than ${sizeText(INSTANCE_BYTES_MAX)}, the most that is taken`, skip: false };
  }
  return undefined;
}

/** One SOP Instance UID is one instance: equal bytes once, other bytes never (PS3.4 leaves no choice). */
function withoutDuplicates(terminal: Terminal, inspections: readonly Inspection[]): Gathered[] {
  const gathered = new Map<string, Gathered>();
  for (const { path, bytes, mtimeMs, sha256, scan } of inspections) {
    if (scan === undefined) continue;
    const { sopInstanceUid, studyInstanceUid } = scan;
    const twin = gathered.get(sopInstanceUid);
    if (twin === undefined) {
      gathered.set(sopInstanceUid, { path, bytes, mtimeMs, sha256, sopInstanceUid, studyInstanceUid });
    } else if (twin.sha256 === sha256) {
      terminal.note(`skipped ${path}: the same instance as ${twin.path}`);
    } else {
      throw new InputRefused(
        `${path} and ${twin.path} have one SOP Instance UID and different content; name only the right one`,
      );
    }
  }
  return [...gathered.values()].sort((a, b) => (a.sopInstanceUid < b.sopInstanceUid ? -1 : 1));
}

function withinLimits(gathered: Gathered[]): Gathered[] {
  const bytes = gathered.reduce((sum, one) => sum + one.bytes, 0);
  const studies = new Set(gathered.map(({ studyInstanceUid }) => studyInstanceUid)).size;
  if (gathered.length === 0) throw new InputRefused('there is no DICOM instance here, so nothing was sent');
  if (gathered.length > TRANSFER_INSTANCES_MAX) throw tooMuch(countText(TRANSFER_INSTANCES_MAX, 'instance'));
  if (studies > TRANSFER_STUDIES_MAX) throw tooMuch(`${TRANSFER_STUDIES_MAX.toString()} studies`);
  if (bytes > TRANSFER_BYTES_MAX) throw tooMuch(sizeText(TRANSFER_BYTES_MAX));
  return gathered;
}

function tooMuch(limit: string): InputRefused {
  return new InputRefused(`this is more than ${limit}, the most that one transfer takes; send it in parts`);
}
