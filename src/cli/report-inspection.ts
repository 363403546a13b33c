import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { reportBytesMax } from '../study/limits.ts';
import { checkReport, isReportType } from '../study/report.ts';
import type { ReasonCode } from '../transfer/reasons.ts';
import { InflationFault } from '../work/inflation.ts';
import type { PartContent } from './part-content.ts';

/** What one report is: PDF, CDA, text. */
export interface ReportInspection {
  readonly mediaType: string;
  readonly bytes: number;
  /** Hexadecimal; '' when it cannot be inflated. */
  readonly sha256: string;
  readonly reasons: readonly ReasonCode[];
  readonly detail: string;
}

/** Says of a report what the exchange would. It is kept in memory up to what a report may have, 64 MiB. */
export async function inspectReport(mediaType: string, content: PartContent): Promise<ReportInspection> {
  const { bytes } = content;
  const report = { mediaType, bytes };
  try {
    const { sha256, crc, kept } = await readAll(content);
    const fault =
      content.crc32 !== null && content.crc32 !== crc
        ? 'its CRC-32 is not the one that its archive tells'
        : await faultOf(mediaType, bytes, kept);
    const reasons: ReasonCode[] = fault === undefined ? [] : ['REPORT_UNREADABLE'];
    return { ...report, sha256, reasons, detail: fault ?? '' };
  } catch (thrown) {
    if (!(thrown instanceof InflationFault)) throw thrown;
    return { ...report, sha256: '', reasons: ['REPORT_UNREADABLE'], detail: thrown.reason };
  }
}

async function faultOf(mediaType: string, bytes: number, kept: Buffer): Promise<string | undefined> {
  if (!isReportType(mediaType)) return undefined;
  const { fault } = await checkReport(mediaType, bytes, async (start, end) => kept.subarray(start, end));
  return fault?.reason;
}

/** Nothing is looked at of a report that is too large, so nothing of it is kept. */
async function readAll(content: PartContent): Promise<{ sha256: string; crc: number; kept: Buffer }> {
  const kept = Buffer.alloc(content.bytes > reportBytesMax ? 0 : content.bytes);
  const hash = createHash('sha256');
  let crc = 0;
  let at = 0;
  for await (const chunk of content.chunks()) {
    hash.update(chunk);
    crc = crc32(chunk, crc);
    if (kept.byteLength > 0) kept.set(chunk, at);
    at += chunk.byteLength;
  }
  return { sha256: hash.digest('hex'), crc, kept };
}
