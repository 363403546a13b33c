import { normalizeBsn } from '../../dicom/bsn.ts';
import { BSN_OID } from '../../dicom/dialect.ts';
import { VALUE_BYTES_MAX } from '../../dicom/limits.ts';
import { Tag } from '../../dicom/tags.ts';
import { ReportUnreadable } from './fault.ts';
import type { RawElement } from './raw-element.ts';
import { contextText, type SourceContext, textIn } from './source-context.ts';
import { all, at, textAt, valueAt } from './xml-paths.ts';
import type { XmlElement } from './xml-tree.ts';

/** A number of a patient, and the OID of who gave it. */
interface PatientNumber {
  readonly root: string;
  readonly extension: string;
}

/** Whom a CDA document is about, as far as it can be held against a study. Patient data. */
export interface CdaPatient {
  readonly numbers: readonly PatientNumber[];
  readonly name: string;
  readonly birthDate: string;
  readonly sex: string;
}

/**
 * Reads whom a CDA document is about (CDA R2 section 4.2.2.11).
 *
 * @throws ReportUnreadable when it is about several patients: no study is of all of them
 */
export function cdaPatient(root: XmlElement): CdaPatient {
  const [target, other] = all(root, 'recordTarget');
  if (other !== undefined) throw new ReportUnreadable('it is about several patients');
  const role = at(target, 'patientRole');
  const patient = at(role, 'patient');
  return {
    numbers: all(role, 'id').flatMap(({ attributes }) => {
      const [number, extension] = [attributes.get('root'), attributes.get('extension')];
      return number === undefined || extension === undefined ? [] : [{ root: number, extension }];
    }),
    name: textAt(patient, 'name'),
    birthDate: valueAt(patient, 'birthTime'),
    sex: at(patient, 'administrativeGenderCode')?.attributes.get('code') ?? '',
  };
}

/**
 * Holds a document against the study that it came with. A report under the wrong patient is what harms most, and
 * nobody else looks: an instance of a study says itself whose it is, and a document is put with it by its sender.
 *
 * @throws ReportUnreadable when the two cannot be one patient; it says in what they differ, and no value
 */
export function checkPatient(patient: CdaPatient, context: SourceContext): void {
  const bsns = patient.numbers.flatMap(({ root, extension }) =>
    root === BSN_OID ? (normalizeBsn(extension) ?? []) : [],
  );
  const sameBsn = isSame(bsns, context.bsns, 'BSN');
  const sameNumber = isSame(...sharedNumbers(patient, context), 'patient number of the same issuer');
  const birthDate = contextText(context, Tag.patientBirthDate);
  const sameBirthDate = isSame(fullDates(patient.birthDate), fullDates(birthDate), 'date of birth');
  isSame(knownSexes(patient.sex), knownSexes(contextText(context, Tag.patientSex)), 'sex');
  // Names change, and are written in many ways: they count where there is nothing better.
  if (sameBsn || sameNumber || sameBirthDate) return;
  isSame(wordsOf(patient.name), wordsOf(contextText(context, Tag.patientName)), 'name');
}

/** True when both have one in common, false when one of them says nothing. */
function isSame(ours: readonly string[], theirs: readonly string[], what: string): boolean {
  if (ours.length === 0 || theirs.length === 0) return false;
  const known = new Set(theirs);
  if (ours.some((one) => known.has(one))) return true;
  throw new ReportUnreadable(`it is about another patient than its study: another ${what}`);
}

/** Those of both that one issuer gave, which both know by its OID. */
function sharedNumbers({ numbers }: CdaPatient, context: SourceContext): [string[], string[]] {
  const theirs = numbersIn(context);
  const ourIssuers = new Set(numbers.map(({ root }) => root));
  const issuers = new Set(theirs.map(({ root }) => root).filter((root) => ourIssuers.has(root)));
  issuers.delete(BSN_OID);
  const shared = (some: readonly PatientNumber[]): string[] =>
    some.filter(({ root }) => issuers.has(root)).map(({ root, extension }) => `${root} ${extension}`);
  return [shared(numbers), shared(theirs)];
}

/** Patient ID and Other Patient IDs, of which (0010,0024) says who gave them. */
function numbersIn(context: SourceContext): PatientNumber[] {
  const { elements } = context;
  const others = itemsOf(elements, Tag.otherPatientIdsSequence);
  return [elements, ...others].flatMap((item) => {
    const [qualifiers = []] = itemsOf(item, Tag.issuerOfPatientIdQualifiers);
    const root = valueIn(context, qualifiers, Tag.universalEntityId);
    const isOid = valueIn(context, qualifiers, Tag.universalEntityIdType) === 'ISO';
    const extension = valueIn(context, item, Tag.patientId);
    return isOid && root !== '' && extension !== '' ? [{ root, extension }] : [];
  });
}

function itemsOf(elements: readonly RawElement[], tag: number): readonly (readonly RawElement[])[] {
  const found = elements.find((element) => element.tag === tag);
  return found !== undefined && 'items' in found ? found.items : [];
}

function valueIn(context: SourceContext, elements: readonly RawElement[], tag: number): string {
  const found = elements.find((element) => element.tag === tag);
  return found !== undefined && 'value' in found ? textIn(context, found.value) : '';
}

/** The day of a DA or a TS, when all of it is known. */
function fullDates(text: string): string[] {
  const day = /^\d{8}/.exec(text.replaceAll('.', ''))?.[0];
  return day === undefined || day.endsWith('00') || day.startsWith('0000') ? [] : [day];
}

function knownSexes(sex: string): string[] {
  return sex === 'M' || sex === 'F' ? [sex] : [];
}

/** Without case and diacritics; initials say too little. */
function wordsOf(name: string): string[] {
  const folded = name.slice(0, VALUE_BYTES_MAX).normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase();
  return [...new Set(folded.match(/\p{L}{2,}/gu))];
}
