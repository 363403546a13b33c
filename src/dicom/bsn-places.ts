import { type BsnFinding, type BsnSource, isBsnIssuer, normalizeBsn } from './bsn.ts';
import type { IdentityValues } from './identity-values.ts';
import { HINTS_MAX } from './limits.ts';
import { Tag } from './tags.ts';
import { NO_BYTES, plainText, trimPadding } from './text.ts';

/** The numbers an instance may mean by its patient's BSN. Patient data. */
export interface BsnPlaces {
  /** By place, each number once for each. */
  readonly findings: readonly BsnFinding[];
  /** A place says that it holds a BSN, and what it holds is none. */
  readonly invalid: boolean;
}

/** Looks at every place that a BSN was ever seen in. `nested` are the numbers that stand in sequences. */
export function findBsns(values: IdentityValues, nested: readonly string[]): BsnPlaces {
  const text = (tag: number) => plainText(values.own.get(tag) ?? NO_BYTES);
  const issued: Issued[] = [
    {
      number: text(Tag.patientId),
      source: '0010,0020' as const,
      isIssued: saysBsn(text(Tag.issuerOfPatientId), values.issuerUniversalEntityId),
    },
    ...[...values.otherIds.values()].map((id) => ({
      number: id.patientId,
      source: '0010,1002' as const,
      isIssued: saysBsn(id.issuerOfPatientId, id.universalEntityId),
    })),
  ];
  const findings = [
    ...issued.flatMap(issuedFinding),
    ...retiredFindings(text(Tag.otherPatientIds)),
    ...found('0010,1090', 'hint', validOf(text(Tag.medicalRecordLocator))),
    ...found('0010,21B0', 'hint', numbersIn(text(Tag.additionalPatientHistory))),
    ...found('0010,4000', 'hint', numbersIn(text(Tag.patientComments))),
    ...found('0020,4000', 'hint', numbersIn(text(Tag.imageComments))),
    ...found('nested', 'foreign', nested),
  ];
  return { findings: distinct(findings), invalid: issued.some(isInvalid) };
}

function saysBsn(issuer: string, universalEntityId: string): boolean {
  // Most instances name no issuer: this and the empty texts below, a third of what finding BSNs took.
  if (issuer === '' && universalEntityId === '') return false;
  return isBsnIssuer(issuer, universalEntityId);
}

/** A number beside which an issuer may stand. */
interface Issued {
  readonly number: string;
  readonly source: BsnSource;
  readonly isIssued: boolean;
}

function issuedFinding({ number, source, isIssued }: Issued): BsnFinding[] {
  const value = normalizeBsn(number);
  return value === undefined ? [] : [{ value, source, confidence: isIssued ? 'issuer' : 'hint' }];
}

function isInvalid({ number, isIssued }: Issued): boolean {
  return isIssued && number !== '' && normalizeBsn(number) === undefined;
}

/**
 * Where Dutch archives keep the BSN: one number that can be one is it, however often; of two nobody knows. It has
 * to stand there in nine digits: hospitals have numbers of eight, and one in eleven of those passes as well.
 */
function retiredFindings(text: string): BsnFinding[] {
  if (text === '') return [];
  const valid = new Set(validOf(text));
  const isAgreed = valid.size === 1 && valuesOf(text).some((value) => valid.has(value));
  return found('0010,1000', isAgreed ? 'agreed-place' : 'hint', [...valid]);
}

function found(
  source: BsnSource,
  confidence: BsnFinding['confidence'],
  values: readonly string[],
): BsnFinding[] {
  return values.map((value) => ({ value, source, confidence }));
}

/** Of a list of values, those that can be a BSN. */
function validOf(text: string): string[] {
  if (text === '') return [];
  return valuesOf(text).flatMap((value) => normalizeBsn(value) ?? []);
}

function valuesOf(text: string): string[] {
  return text.split('\\').map(trimPadding);
}

/** Nine digits by themselves, or as people write them (`9999.90.019`); never a part of a longer number or UID. */
const NUMBER = /(?<![0-9.])(?:[0-9]{9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3})(?!\.?[0-9])/g;

function numbersIn(text: string): string[] {
  if (text === '') return [];
  const numbers = [...text.matchAll(NUMBER)].map(([number]) => number.replaceAll('.', ''));
  return numbers.flatMap((number) => normalizeBsn(number) ?? []).slice(0, HINTS_MAX);
}

function distinct(findings: readonly BsnFinding[]): readonly BsnFinding[] {
  if (findings.length < 2) return findings;
  const byText = new Map(
    findings.map((finding) => [`${finding.source} ${finding.confidence} ${finding.value}`, finding]),
  );
  return [...byText.values()];
}
