import { dateText, momentOf, nameText, sexText } from './dates-names.ts';
import type { PrintedReport, ReportLanguage } from './printed-report.ts';
import { wordsOf } from './words.ts';

/** Whose report it is and of what, as DICOM or HL7 writes it; '' for what is not known. Patient data. */
export interface ReportFacts {
  readonly institution: string;
  readonly name: string;
  readonly id: string;
  readonly birthDate: string;
  readonly sex: string;
  readonly study: string;
  readonly studyDate: string;
  readonly accession: string;
  readonly author: string;
  /** Date and time of the report. */
  readonly reportAt: string;
  /** The document that this one replaces or adds to. */
  readonly earlier: string;
}

/** The part of a page that does not depend on what kind of report it is. */
export function pageHead(
  facts: ReportFacts,
  language: ReportLanguage,
): Pick<PrintedReport, 'language' | 'institution' | 'head' | 'patientLine' | 'madeAt'> {
  const words = wordsOf(language);
  const name = nameText(facts.name);
  const birthDate = dateText(facts.birthDate, language);
  return {
    language,
    institution: facts.institution,
    head: [
      [words.patient, name],
      [words.birthDate, birthDate],
      [words.sex, sexText(facts.sex, words)],
      [words.patientId, facts.id],
      [words.study, facts.study],
      [words.studyDate, dateText(facts.studyDate, language)],
      [words.accession, facts.accession],
      [words.author, nameText(facts.author)],
      [words.reportDate, dateText(facts.reportAt, language)],
      [words.earlier, facts.earlier],
    ],
    patientLine: [name, birthDate, facts.id].filter((part) => part !== '').join(' · '),
    madeAt: momentOf(facts.reportAt === '' ? facts.studyDate : facts.reportAt),
  };
}
