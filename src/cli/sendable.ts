import { DICOMDIR } from '../dicom/sop-classes.ts';
import type { ReasonCode } from '../transfer/reasons.ts';
import { sizeText } from './amount.ts';
import { INSTANCE_BYTES_MAX } from './limits.ts';
import type { PartInspection } from './part-inspection.ts';
import type { ReportInspection } from './report-inspection.ts';

/** What the exchange would reject or hold for what a person can repair. */
const BROKEN: ReadonlySet<ReasonCode> = new Set([
  'UNREADABLE',
  'SYNTAX_LIES',
  'SYNTAX_UNSUPPORTED',
  'INFLATED_TOO_LARGE',
  'INSPECTION_FAILED',
]);

/** Why an instance cannot be sent, and what to do; undefined when it can. `force` lets truncated ones pass. */
export function instanceFault(
  { scan, reasons, detail, bytes }: PartInspection,
  force: boolean,
): string | undefined {
  if (reasons.includes('NOT_DICOM')) {
    return `no DICOM, though it is named or begins as if it were (${detail}). Export it again, or leave it out`;
  }
  if (scan?.sopClassUid === DICOMDIR) return 'an index of a disc, not an instance';
  if (reasons.includes('TRUNCATED') && !(force && scan !== undefined)) {
    const hope = scan === undefined ? '' : ', or use --force to send it as it is';
    return `truncated (${detail}). Export it again${hope}`;
  }
  if (reasons.includes('CHECKSUM_DIFFERS')) return 'it was damaged in the ZIP. Make the ZIP again';
  const broken = reasons.find((code) => BROKEN.has(code));
  if (broken !== undefined || scan === undefined) {
    return `${broken ?? 'UNREADABLE'} (${detail}). Export it again, or leave it out`;
  }
  if (scan.sopInstanceUid === '') return 'it has no SOP Instance UID';
  if (bytes > INSTANCE_BYTES_MAX)
    return `larger than ${sizeText(INSTANCE_BYTES_MAX)}, the most that is taken`;
  return undefined;
}

/** The same of a report. */
export function reportFault({ reasons, detail }: ReportInspection): string | undefined {
  return reasons.length === 0 ? undefined : `${detail}. Export the report again, or leave it out`;
}
