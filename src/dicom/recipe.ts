import { isBsn } from './bsn.ts';
import { type Dialect, formFault } from './dialect.ts';
import type { ForeignElement } from './foreign.ts';
import { CS_CHARACTERS_MAX, LO_CHARACTERS_MAX, UID_CHARACTERS_MAX } from './limits.ts';
import { isPlain } from './text.ts';

/** What a receiver gets: how the BSN is written, which, and what goes along or has to go. */
export interface PatchRecipe {
  readonly dialect: Dialect;
  /** Nine digits; undefined when there is none to write. */
  readonly bsn: string | undefined;
  /** Of the sending organization; absent: nothing is added to a Patient ID without issuer. */
  readonly issuer?: Issuer;
  /** keep-with-issuer when absent. */
  readonly patientId?: PatientIdPolicy;
  /** Top-level elements to take out. Private ones only. */
  readonly foreign?: readonly ForeignElement[];
  /** For (0400,0561); absent: no record is written. */
  readonly record?: ChangeRecord;
}

/** The organization whose number a Patient ID is. See issuerFault() for what may stand here. */
export interface Issuer {
  /** (0010,0021) */
  readonly issuerOfPatientId: string;
  /** (0040,0032) and (0040,0033) in (0010,0024); both or neither. */
  readonly universalEntityId: string | null;
  readonly universalEntityIdType: string | null;
}

/**
 * What becomes of a Patient ID that names no issuer. `keep-with-issuer`: it gets one. `prefix`: the issuer
 * goes in front of the number too, when that fits. `reconciled-by-gateway`: as keep-with-issuer, since the
 * receiver's own gateway puts its own number there.
 */
export type PatientIdPolicy = 'keep-with-issuer' | 'prefix' | 'reconciled-by-gateway';

/** Who changes what came, as (0400,0561) says it (PS3.3 section C.12.1.1.9). */
export interface ChangeRecord {
  /** (0400,0562), a DT. Frozen by the caller, so that every attempt gives the same bytes. */
  readonly modifiedAt: string;
  /** (0400,0563) */
  readonly modifyingSystem: string;
  /** (0400,0564): who sent the values that were replaced; may be ''. */
  readonly source: string;
}

/** What is wrong with an issuer, as a sentence; undefined when it can be written (see isPlain). */
export function issuerFault(issuer: Issuer): string | undefined {
  const { issuerOfPatientId, universalEntityId, universalEntityIdType } = issuer;
  if (!isPlain(issuerOfPatientId, LO_CHARACTERS_MAX))
    return 'issuerOfPatientId is not 1 to 64 plain ASCII characters';
  if (universalEntityId === null && universalEntityIdType === null) return undefined;
  const entity = isPlain(universalEntityId ?? '', UID_CHARACTERS_MAX);
  const type = isPlain(universalEntityIdType ?? '', CS_CHARACTERS_MAX);
  return entity && type
    ? undefined
    : 'universalEntityId and its type are not plain ASCII characters, or one is missing';
}

/** Throws RangeError on a caller's mistake. Its message holds no number of a patient. */
export function checkRecipe({ dialect, bsn, issuer, record }: PatchRecipe): void {
  const form = dialect.otherPatientId;
  if (bsn !== undefined && !isBsn(bsn)) throw new RangeError('the number to write is no BSN');
  if (form === null && dialect.patientId === 'bsn')
    throw new RangeError('the dialect says no issuer of the BSN');
  const fault =
    (form && formFault(form)) ?? (issuer && issuerFault(issuer)) ?? (record && recordFault(record));
  if (fault !== undefined) throw new RangeError(fault);
}

function recordFault({ modifiedAt, modifyingSystem, source }: ChangeRecord): string | undefined {
  // Two digits for each of month, day, hour, minute and second; of seconds a fraction.
  const isTime = /^\d{4}(?:(?:\d\d){0,4}|\d{10}(?:\.\d{1,6})?)(?:[+-]\d{4})?$/.test(modifiedAt);
  if (!isTime) return 'modifiedAt is no DT';
  if (!isPlain(modifyingSystem, LO_CHARACTERS_MAX))
    return 'modifyingSystem is not 1 to 64 plain ASCII characters';
  const isSource = source === '' || isPlain(source, LO_CHARACTERS_MAX);
  return isSource ? undefined : 'source is not at most 64 plain ASCII characters';
}
