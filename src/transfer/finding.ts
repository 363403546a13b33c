import type { KeyRing } from '../access/key-ring.ts';
import { decideBsn, type Identity } from '../dicom/identity.ts';
import type { InstanceRecord } from '../state/records.ts';
import type { Extent, ObjectId } from '../storage/storage.ts';
import type { Inspection } from '../work/jobs.ts';
import { demographicMacs } from './demographics.ts';
import type { ReasonCode } from './reasons.ts';
import { reasonsOf, verdictOf } from './verdict.ts';

/** What one inspected part is for its transfer. */
export interface Finding {
  readonly instance: InstanceRecord;
  /** The BSN the object states by an issuer or an agreed place; never stored in the clear. */
  readonly bsn: string | undefined;
  /** Derived objects that the record refers to. */
  readonly objects?: readonly ObjectId[];
}

/**
 * Turns a worker's answer about the bytes at `extents` into the record to keep. `isDamaged`: they are not
 * those whose checksum came with them.
 */
export function findingOf(
  keyRing: KeyRing,
  upload: string,
  extents: readonly Extent[],
  inspection: Inspection,
  isDamaged = false,
): Finding {
  const { scan, identity, sha256, crc32 } = inspection;
  const codes = codesOf(inspection, isDamaged);
  const decided = identity === undefined ? undefined : decideBsn(identity.bsn);
  return {
    instance: {
      upload,
      scan: scan ?? null,
      sopInstanceUid: scan?.sopInstanceUid ?? '',
      extents,
      bytes: extents.reduce((sum, { bytes }) => sum + bytes, 0),
      sha256,
      crc32,
      report: null,
      // Whoever has a deflated dataset inflated says where its inflated form lies.
      inflated: null,
      foreign: identity?.foreign ?? [],
      derivedFrom: null,
      verdict: verdictOf(codes),
      reasons: codes,
      detail: detailOf(inspection),
      patientMac: identity === undefined ? null : patientMacOf(keyRing, identity),
      demographics: identity === undefined ? null : demographicMacs(keyRing, identity),
    },
    bsn: decided !== undefined && 'bsn' in decided ? decided.bsn : undefined,
  };
}

/**
 * A fault of ours says nothing against what a hospital sent: no other reason beside it, such as that its UID
 * cannot be read, may turn a hold into a rejection.
 */
function codesOf(inspection: Inspection, isDamaged: boolean): ReasonCode[] {
  if (isOurFault(inspection)) {
    return ['INSPECTION_FAILED'];
  }
  const { scan, identity, error } = inspection;
  const codes = reasonsOf({ scan, identity, fault: error?.code });
  return isDamaged ? ['CHECKSUM_DIFFERS', ...codes] : codes;
}

/** True when the inspection itself failed: nothing is known of the object, and it may be good. */
export function isOurFault({ error }: Inspection): boolean {
  return error?.code === 'INSPECTION_FAILED';
}

/** The answer for an object whose inspection did not come to one. `cause` is an error's name, never its message. */
export function failedInspection(cause: string): Inspection {
  const reason = `the inspection failed (${cause})`;
  const error = { code: 'INSPECTION_FAILED', tag: '', offset: 0, reason } as const;
  return { scan: undefined, identity: undefined, sha256: new Uint8Array(0), crc32: 0, error };
}

function detailOf({ scan, error }: Inspection): string | null {
  if (error !== undefined) {
    return `${error.tag === '' ? 'fault' : error.tag} at byte ${error.offset}: ${error.reason}`;
  }
  return scan?.sopInstanceUid === '' ? '0008,0018: there is no SOP Instance UID' : null;
}

/** Objects that name no patient prove nothing about mixing. */
function patientMacOf(keyRing: KeyRing, { patientId, issuerOfPatientId }: Identity): string | null {
  return patientId === '' ? null : keyRing.mac('patient', `${patientId}\0${issuerOfPatientId}`);
}
