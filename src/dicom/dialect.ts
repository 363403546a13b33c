import { CS_CHARACTERS_MAX, LO_CHARACTERS_MAX, UID_CHARACTERS_MAX } from './limits.ts';
import { isPlain } from './text.ts';

/** One way to write the BSN into an instance. Plain data: a hospital may configure its own. */
export interface Dialect {
  readonly name: string;
  /** The item that goes into (0010,1002) Other Patient IDs Sequence; null writes none. */
  readonly otherPatientId: OtherPatientIdForm | null;
  /** The BSN is a value of the retired (0010,1000) Other Patient IDs too. */
  readonly otherPatientIds: boolean;
  /**
   * `bsn`: the BSN is the Patient ID, with what `otherPatientId` says beside it and no item of its own; the
   * Patient ID that was there, with its issuer, moves into (0010,1002).
   */
  readonly patientId: 'keep' | 'bsn';
  /** What is replaced is recorded in (0400,0561) Original Attributes Sequence. */
  readonly originalAttributes: boolean;
}

/** What stands beside the number, PS3.3 tables 10-18 and C.2-2. See formFault() for what may stand there. */
export interface OtherPatientIdForm {
  /** (0010,0021) */
  readonly issuerOfPatientId: string;
  /** (0010,0022), type 1 in the item. */
  readonly typeOfPatientId: string;
  /** (0040,0032) in (0010,0024) */
  readonly universalEntityId: string;
  /** (0040,0033) in (0010,0024) */
  readonly universalEntityIdType: string;
  /** (0040,0035) in (0010,0024) */
  readonly identifierTypeCode: string;
}

/** Per field the most characters it may have (PS3.5 table 6.2-1). */
const FORM_CHARACTERS_MAX: Readonly<Record<keyof OtherPatientIdForm, number>> = {
  issuerOfPatientId: LO_CHARACTERS_MAX,
  typeOfPatientId: CS_CHARACTERS_MAX,
  universalEntityId: UID_CHARACTERS_MAX,
  universalEntityIdType: CS_CHARACTERS_MAX,
  identifierTypeCode: CS_CHARACTERS_MAX,
};

/** What is wrong with a configured form, as a sentence; undefined when it can be written (see isPlain). */
export function formFault(form: OtherPatientIdForm): string | undefined {
  for (const [field, charactersMax] of Object.entries(FORM_CHARACTERS_MAX)) {
    if (!isPlain(form[field as keyof OtherPatientIdForm], charactersMax))
      return `${field} is not 1 to ${charactersMax.toString()} plain ASCII characters`;
  }
  return undefined;
}

/** Names that the Dutch register of persons has as an issuer: what a reader takes for "this is a BSN". */
export const BSN_ISSUER = 'NLMINBIZA';
export const BSN_OID = '2.16.840.1.113883.2.4.6.3';

/** (0010,0022) of a number that comes as characters, and not on a chip or as a barcode (PS3.3 section C.2.2). */
export const TYPE_OF_PATIENT_ID = 'TEXT';

const BSN_FORM: OtherPatientIdForm = {
  issuerOfPatientId: BSN_ISSUER,
  typeOfPatientId: TYPE_OF_PATIENT_ID,
  universalEntityId: BSN_OID,
  universalEntityIdType: 'ISO',
  identifierTypeCode: 'NNNLD',
};

/** The national guideline of 2010: local number where it was, BSN as an item of (0010,1002). */
export const NL_2010: Dialect = {
  name: 'nl-2010',
  otherPatientId: BSN_FORM,
  otherPatientIds: false,
  patientId: 'keep',
  originalAttributes: true,
};

/** For archives that look for the BSN where Dutch archives have kept it, in the retired (0010,1000). */
export const LEGACY_1000: Dialect = { ...NL_2010, name: 'legacy-1000', otherPatientIds: true };

/** For receivers that know patients by their BSN alone. */
export const PATIENTID_BSN: Dialect = { ...NL_2010, name: 'patientid-bsn', patientId: 'bsn' };

/** For receivers that want every byte as it was sent: no issuer is added either. */
export const NONE: Dialect = {
  name: 'none',
  otherPatientId: null,
  otherPatientIds: false,
  patientId: 'keep',
  originalAttributes: false,
};

/** True when instances go as they came, with nothing added to the Patient ID either. */
export function writesNothing(dialect: Dialect): boolean {
  return dialect.otherPatientId === null && !dialect.otherPatientIds && dialect.patientId !== 'bsn';
}

/** The dialects that need no configuration. */
export const DIALECTS: readonly Dialect[] = [NL_2010, LEGACY_1000, PATIENTID_BSN, NONE];
