import type { ReportFacts } from '../state/records.ts';
import type { Extent } from '../storage/storage.ts';
import type { Finding } from './finding.ts';
import type { ReasonCode } from './reasons.ts';
import { verdictOf } from './verdict.ts';

/** What a report is as bytes; `fault` says, without a byte of it, why it cannot be sent on. */
export interface ReportContent {
  readonly extents: readonly Extent[];
  readonly bytes: number;
  readonly sha256: Uint8Array;
  readonly crc32: number;
  readonly fault: string | undefined;
}

/** A report as an item of its transfer: it has no UID and says nothing of a patient that is read here. */
export function reportFindingOf(upload: string, content: ReportContent, report: ReportFacts): Finding {
  const { fault, ...bytes } = content;
  const codes: ReasonCode[] = fault === undefined ? [] : ['REPORT_UNREADABLE'];
  return {
    instance: {
      ...bytes,
      upload,
      report,
      scan: null,
      sopInstanceUid: '',
      inflated: null,
      foreign: [],
      derivedFrom: null,
      verdict: verdictOf(codes),
      reasons: codes,
      detail: fault ?? null,
      patientMac: null,
      demographics: null,
    },
    bsn: undefined,
  };
}
