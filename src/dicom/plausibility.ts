import { isCharacterSet } from './charset.ts';
import type { Identity } from './identity.ts';
import { UID_CHARACTERS_MAX } from './limits.ts';
import type { Scan } from './scan.ts';
import { DICOMDIR } from './sop-classes.ts';
import { isStorageClass } from './storage-classes.ts';

/** What can be read and exchanged, and may surprise the receiver. */
export type Doubt = 'SOP_CLASS_UNKNOWN' | 'UID_INVALID' | 'CHARSET_UNKNOWN';

/** What is odd about an instance whose head could be read; nothing of it hinders a reader of this folder. */
export function doubtsAbout(scan: Scan, identity: Identity | undefined): Doubt[] {
  const doubts: Doubt[] = [];
  if (!isStorageClass(scan.sopClassUid)) doubts.push('SOP_CLASS_UNKNOWN');
  if (!isPlaced(scan)) doubts.push('UID_INVALID');
  if (identity !== undefined && !isCharacterSet(identity.charset)) doubts.push('CHARSET_UNKNOWN');
  return doubts;
}

/** True when an instance says as it should which it is and where it belongs. A DICOMDIR belongs nowhere. */
function isPlaced(scan: Scan): boolean {
  const { sopClassUid, sopInstanceUid, seriesInstanceUid, studyInstanceUid } = scan;
  const place = sopClassUid === DICOMDIR ? [] : [seriesInstanceUid, studyInstanceUid];
  return [sopInstanceUid, ...place].every(isStandardUid);
}

/** PS3.5 section 9.1: numbers without leading zeros, 64 characters at most. isUid() takes more. */
function isStandardUid(text: string): boolean {
  return text.length <= UID_CHARACTERS_MAX && /^(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*$/.test(text);
}
