import { BSN_ISSUER, BSN_OID } from './dialect.ts';
import { trimPadding } from './text.ts';

/**
 * Where a number was found. The first three are places of the instance itself that may claim it, the next
 * four are places where people leave it; `nested` is any sequence in it, private ones included.
 */
export type BsnSource =
  | '0010,0020'
  | '0010,1000'
  | '0010,1002'
  | '0010,1090'
  | '0010,21B0'
  | '0010,4000'
  | '0020,4000'
  | 'nested'
  /** HL7 v2, from a message about the patient. */
  | 'pid-3'
  /** What the sender says of the patient beside the instances. */
  | 'transfer';

/** A number that may be the patient's BSN, and how far the place it was found in can be believed. */
export interface BsnFinding {
  /** Nine digits that pass the 11-proof. Never store in the clear, never log. */
  readonly value: string;
  readonly source: BsnSource;
  /**
   * `issuer`: the place says that it holds a BSN. `agreed-place`: the retired (0010,1000) holds this one
   * number that can be one, in nine digits, as Dutch archives write it. `hint`: it passes the 11-proof, as
   * 1 in 11 numbers does. `foreign`: a sequence says it of its own patient, whoever that is.
   */
  readonly confidence: 'issuer' | 'agreed-place' | 'hint' | 'foreign';
}

/** Places that can decide, each only with a confidence that can. */
const DECIDING: ReadonlySet<BsnSource> = new Set([
  '0010,0020',
  '0010,1000',
  '0010,1002',
  'pid-3',
  'transfer',
]);

/** The weights of the 11-proof; the last digit counts negative. */
const WEIGHTS = [9, 8, 7, 6, 5, 4, 3, 2, -1] as const;

/**
 * True for nine digits that pass the 11-proof: 9A+8B+7C+6D+5E+4F+3G+2H-I divides by 11. Nine zeros
 * pass the sum and are nobody. One in eleven random numbers passes, so this alone proves nothing.
 */
export function isBsn(text: string): boolean {
  if (!/^[0-9]{9}$/.test(text) || text === '000000000') return false;
  const sum = WEIGHTS.reduce((total, weight, index) => total + weight * Number(text.charAt(index)), 0);
  return sum % 11 === 0;
}

/** A BSN in its nine digits, from what people and systems write: spaces around it, the leading zero gone. */
export function normalizeBsn(text: string): string | undefined {
  const digits = text.trim();
  const nine = digits.length === 8 ? `0${digits}` : digits;
  return isBsn(nine) ? nine : undefined;
}

/**
 * True when one of these says "issued as a BSN": the name, the OID, or both as an HL7 triplet
 * (`NLMINBIZA&2.16.840.1.113883.2.4.6.3&ISO`). Other issuers have numbers that pass the 11-proof, too.
 */
export function isBsnIssuer(...issuers: readonly string[]): boolean {
  const names = issuers.flatMap((issuer) => issuer.split(/[&^]/)).map(trimPadding);
  return names.includes(BSN_ISSUER) || names.includes(BSN_OID);
}

/**
 * Whose study it is. Hints never decide, and neither does what stands in a sequence; two different numbers
 * that both claim to be the patient's BSN are a conflict for a person to solve. Undefined when nothing
 * claims to be one.
 */
export function decideBsn(findings: readonly BsnFinding[]): { bsn: string } | { conflict: true } | undefined {
  const claimed = new Set(findings.filter(isClaim).map(({ value }) => value));
  const [bsn] = claimed;
  if (bsn === undefined) return undefined;
  return claimed.size === 1 ? { bsn } : { conflict: true };
}

function isClaim({ source, confidence }: BsnFinding): boolean {
  return DECIDING.has(source) && (confidence === 'issuer' || confidence === 'agreed-place');
}
