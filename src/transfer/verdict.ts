import { decideBsn, type Identity } from '../dicom/identity.ts';
import { doubtsAbout } from '../dicom/plausibility.ts';
import type { Scan } from '../dicom/scan.ts';
import { Tag } from '../dicom/tags.ts';
import type { InstanceRecord } from '../state/records.ts';
import { type ReasonCode, reasons } from './reasons.ts';

/** What is known of one object after it was read, by the exchange or by a sender beforehand. */
export interface Read {
  readonly scan: Scan | undefined;
  readonly identity: Identity | undefined;
  /** Code of what is wrong with it: a DICOM error's. */
  readonly fault: string | undefined;
}

/** Everything there is to say of one object by itself; the same here and in `sluis inspect`. */
export function reasonsOf({ scan, identity, fault }: Read): ReasonCode[] {
  const codes: ReasonCode[] = [];
  if (fault !== undefined) {
    codes.push(isReason(fault) ? fault : 'UNREADABLE');
  }
  // Without its UID nobody can list it, tag it, or say that he holds it: not even an acute one can be sent.
  if ((scan?.sopInstanceUid ?? '') === '' && verdictOf(codes) !== 'rejected') {
    codes.push('UNREADABLE');
  }
  const decided = identity === undefined ? undefined : decideBsn(identity.bsn);
  if (decided !== undefined && 'conflict' in decided) {
    codes.push('BSN_CONFLICT');
  }
  if (identity?.bsnInvalid === true) {
    codes.push('BSN_INVALID');
  }
  if (identity?.nestedIdentity === true) {
    codes.push('NESTED_IDENTITY');
  }
  if (scan !== undefined) {
    if (signsPatient(scan)) {
      codes.push('SIGNED_OBJECT');
    }
    codes.push(...doubtsAbout(scan, identity));
  }
  return codes;
}

/** Whether a signature covers what some dialect writes: what goes out tagged is decided by each recipe. */
function signsPatient({ sites: { signed } }: Scan): boolean {
  return signed === 'all' || (signed !== 'unknown' && signed.some((tag) => writtenTags.has(tag)));
}

const writtenTags: ReadonlySet<number> = new Set([
  Tag.patientId,
  Tag.issuerOfPatientId,
  Tag.typeOfPatientId,
  Tag.issuerOfPatientIdQualifiers,
  Tag.otherPatientIds,
  Tag.otherPatientIdsSequence,
  Tag.originalAttributes,
]);

/** The worst that any of these reasons does to an object. */
export function verdictOf(codes: readonly ReasonCode[]): InstanceRecord['verdict'] {
  const effects = codes.map((code) => reasons[code].effect);
  return effects.includes('reject') ? 'rejected' : effects.includes('hold') ? 'held' : 'accepted';
}

function isReason(code: string): code is ReasonCode {
  return Object.hasOwn(reasons, code);
}
