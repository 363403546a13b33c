import { CS_CHARACTERS_MAX, LO_CHARACTERS_MAX, UID_CHARACTERS_MAX } from './limits.ts';

/** One way to write the BSN into an instance. Plain data: a hospital may configure its own. */
export interface Dialect {
  readonly name: string;
  /** The item that goes into (0010,1002) Other Patient IDs Sequence; null writes nothing. */
  readonly otherPatientId: OtherPatientIdForm | null;
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

/**
 * What is wrong with a configured form, as a sentence; undefined when it can be written. Printable ASCII
 * is itself in every character set; a backslash would make two values of one (PS3.5 sections 6.1 and 6.4).
 */
export function formFault(form: OtherPatientIdForm): string | undefined {
  for (const [field, charactersMax] of Object.entries(FORM_CHARACTERS_MAX)) {
    const value = form[field as keyof OtherPatientIdForm];
    const fits = value.length <= charactersMax && /^[ -[\]-~]+$/.test(value) && value.trim() === value;
    if (!fits) return `${field} is not 1 to ${charactersMax.toString()} plain ASCII characters`;
  }
  return undefined;
}

/** Names that the Dutch register of persons has as an issuer: what a reader takes for "this is a BSN". */
export const BSN_ISSUER = 'NLMINBIZA';
export const BSN_OID = '2.16.840.1.113883.2.4.6.3';

/** The national guideline of 2010: local number where it was, BSN as an item of (0010,1002). */
export const NL_2010: Dialect = {
  name: 'nl-2010',
  otherPatientId: {
    issuerOfPatientId: BSN_ISSUER,
    typeOfPatientId: 'TEXT',
    universalEntityId: BSN_OID,
    universalEntityIdType: 'ISO',
    identifierTypeCode: 'NNNLD',
  },
};

/** For receivers that want every byte as it was sent. */
export const NONE: Dialect = { name: 'none', otherPatientId: null };

/** The dialects that need no configuration. */
export const DIALECTS: readonly Dialect[] = [NL_2010, NONE];
