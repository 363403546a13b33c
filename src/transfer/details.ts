import type { KeyRing } from '../access/key-ring.ts';
import type { Sealed } from '../state/records.ts';

/** What the sender said that may name a person; kept sealed, in one piece. */
export interface TransferDetails {
  readonly remark: string | null;
  readonly intendedFor: string | null;
  readonly patient: { readonly bsn: string; readonly bsnStatus: 'verified' | 'unverified' } | null;
}

export const noDetails: TransferDetails = { remark: null, intendedFor: null, patient: null };

export function sealDetails(keyRing: KeyRing, details: TransferDetails): Sealed {
  return keyRing.seal('transfer-details', JSON.stringify(details));
}

export function unsealDetails(keyRing: KeyRing, sealed: Sealed): TransferDetails {
  return JSON.parse(keyRing.unseal('transfer-details', sealed).toString()) as TransferDetails;
}
