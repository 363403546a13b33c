import type { InstanceRecord } from './records.ts';

/**
 * By what an item is found in its transfer, and what two items may share: the SOP Instance UID, of a report
 * its content. '' for what has neither.
 */
export function itemName({ sopInstanceUid, report, sha256 }: InstanceRecord): string {
  return report === null ? sopInstanceUid : reportName(Buffer.from(sha256).toString('hex'));
}

/** @param sha256 hexadecimal, in small letters */
export function reportName(sha256: string): string {
  return `report ${sha256}`;
}
