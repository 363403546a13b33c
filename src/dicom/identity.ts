import { normalizeBsn } from './bsn.ts';
import { decodeText } from './charset.ts';
import { BSN_ISSUER, BSN_OID } from './dialect.ts';
import { type IdentityValues, readIdentityValues } from './identity-values.ts';
import { IDENTITY_BYTES, NESTED_VALUES_MAX } from './limits.ts';
import type { Scan } from './scan.ts';
import { Tag } from './tags.ts';
import { plainText, trimPadding } from './text.ts';

/** A number that may be the patient's BSN, and how far the place it was found in can be believed. */
export interface BsnFinding {
  /** Nine digits that pass the 11-proof. Never store in the clear, never log. */
  readonly value: string;
  readonly source: '0010,0020' | '0010,1000' | '0010,1002';
  /**
   * `issuer`: the place says that it holds a BSN. `agreed-place`: the retired (0010,1000) holds this
   * number alone, as Dutch archives write it. `hint`: it passes the 11-proof, as 1 in 11 numbers does.
   */
  readonly confidence: 'issuer' | 'agreed-place' | 'hint';
}

/** Who an instance says it is about. Patient data: seal it before it is stored, never log it. */
export interface Identity {
  readonly patientId: string;
  readonly issuerOfPatientId: string;
  readonly patientName: string;
  readonly patientBirthDate: string;
  readonly patientSex: string;
  readonly accessionNumber: string;
  readonly bsn: readonly BsnFinding[];
  /** A place says that it holds a BSN, and what it holds is none. */
  readonly bsnInvalid: boolean;
  /** A nested dataset, private ones included, names somebody whom the dataset itself does not name. */
  readonly nestedIdentity: boolean;
  /** (0008,0005) as it stands there. */
  readonly charset: string;
}

/**
 * Reads who the instance is about: from its own top level only, since sequences hold other people too
 * (Dutch archives keep the history of corrected identities in private ones). '' is what is absent.
 *
 * `window` is at least what scan() was given, and IDENTITY_BYTES of it where there are as many. What lies
 * behind both is not looked at, so that the answer does not depend on how the bytes came.
 * Never throws, for whatever bytes scan() accepted.
 */
export function identify(window: Uint8Array, scan: Scan): Identity {
  const values = readIdentityValues(window.subarray(0, Math.max(IDENTITY_BYTES, scan.scannedTo)), scan);
  const charset = ownText(values, Tag.specificCharacterSet);
  const text = (tag: number) => trimPadding(decodeText(rawOf(values, tag), charset));
  const places = placesOf(values);
  return {
    patientId: text(Tag.patientId),
    issuerOfPatientId: text(Tag.issuerOfPatientId),
    patientName: text(Tag.patientName),
    patientBirthDate: text(Tag.patientBirthDate),
    patientSex: text(Tag.patientSex),
    accessionNumber: text(Tag.accessionNumber),
    bsn: places.flatMap(findingOf),
    bsnInvalid: places.some(
      ({ number, confidence }) => confidence === 'issuer' && normalizeBsn(number) === undefined,
    ),
    nestedIdentity: namesAnother(values),
    charset,
  };
}

/**
 * Whose study it is. Hints never decide; two different numbers that both claim to be the patient's BSN
 * are a conflict for a person to solve. Undefined when nothing claims to be one.
 */
export function decideBsn(findings: readonly BsnFinding[]): { bsn: string } | { conflict: true } | undefined {
  const claimed = new Set(
    findings.filter(({ confidence }) => confidence !== 'hint').map(({ value }) => value),
  );
  const [bsn] = claimed;
  if (bsn === undefined) return undefined;
  return claimed.size === 1 ? { bsn } : { conflict: true };
}

/** A number where a patient's number may stand. */
interface Place {
  readonly number: string;
  readonly source: BsnFinding['source'];
  readonly confidence: BsnFinding['confidence'];
}

function placesOf(values: IdentityValues): Place[] {
  const issuer = ownText(values, Tag.issuerOfPatientId);
  const patientId = confidenceOf(issuer, values.issuerUniversalEntityId);
  const retired = otherPatientIds(values);
  return [
    { number: ownText(values, Tag.patientId), source: '0010,0020' as const, confidence: patientId },
    ...retired.map((number) => ({
      number,
      source: '0010,1000' as const,
      confidence: retired.length === 1 ? ('agreed-place' as const) : ('hint' as const),
    })),
    ...[...values.otherIds.values()].map((id) => ({
      number: id.patientId,
      source: '0010,1002' as const,
      confidence: confidenceOf(id.issuerOfPatientId, id.universalEntityId),
    })),
  ].filter(({ number }) => number !== '');
}

/** The issuer as a name, an OID, or both as an HL7 triplet: `NLMINBIZA&2.16.840.1.113883.2.4.6.3&ISO`. */
function confidenceOf(issuer: string, universalEntityId: string): 'issuer' | 'hint' {
  const names = [...issuer.split(/[&^]/), universalEntityId].map(trimPadding);
  return names.includes(BSN_ISSUER) || names.includes(BSN_OID) ? 'issuer' : 'hint';
}

function findingOf({ number, source, confidence }: Place): BsnFinding[] {
  const value = normalizeBsn(number);
  return value === undefined ? [] : [{ value, source, confidence }];
}

function namesAnother(values: IdentityValues): boolean {
  if (Math.max(values.nestedIds.size, values.nestedNames.size) > NESTED_VALUES_MAX) return true;
  const ids = new Set([ownText(values, Tag.patientId), ...otherPatientIds(values), '']);
  for (const id of values.otherIds.values()) ids.add(id.patientId);
  const names = new Set([comparableName(ownText(values, Tag.patientName)), '']);
  for (const text of values.nestedIds) {
    if (text.split('\\').some((id) => !ids.has(trimPadding(id)))) return true;
  }
  for (const name of values.nestedNames) if (!names.has(comparableName(name))) return true;
  return false;
}

function otherPatientIds(values: IdentityValues): string[] {
  const ids = ownText(values, Tag.otherPatientIds).split('\\').map(trimPadding);
  return ids.filter((id) => id !== '');
}

/** Empty components at the end of a name say nothing (PS3.5 section 6.2.1), nor does the case of its letters. */
function comparableName(name: string): string {
  // A pattern that ends with `+$` tries again at each of 4,096 characters.
  let to = name.length;
  while (to > 0 && /[\s^=]/.test(name.charAt(to - 1))) to -= 1;
  return name.slice(0, to).toUpperCase();
}

function rawOf(values: IdentityValues, tag: number): Uint8Array {
  return values.own.get(tag) ?? new Uint8Array(0);
}

function ownText(values: IdentityValues, tag: number): string {
  return plainText(rawOf(values, tag));
}
