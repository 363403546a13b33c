import { decodeWindows1252 } from '../../dicom/charset.ts';
import { Tag } from '../../dicom/tags.ts';
import { ReportUnreadable } from './fault.ts';
import { pageHead } from './page-head.ts';
import type { PrintedReport, ReportLanguage } from './printed-report.ts';
import { contextText, type SourceContext, textIn } from './source-context.ts';
import { ReportTag } from './tags.ts';
import { wordsOf } from './words.ts';

/**
 * A report of plain text, which says of itself neither whose it is nor how final: the head is the context's.
 * What is no UTF-8 is read as windows-1252, as study/report.ts checks it.
 *
 * @throws ReportUnreadable when there is nothing to read
 */
export function reportOfText(
  bytes: Uint8Array,
  context: SourceContext,
  language: ReportLanguage,
  madeFrom: string,
): PrintedReport {
  const words = wordsOf(language);
  const text = textOfBytes(bytes).replace(/^\n+/, '').trimEnd();
  if (text === '') throw new ReportUnreadable('it has no text');
  return {
    ...pageHead(
      {
        institution: textIn(context, context.institution),
        name: contextText(context, Tag.patientName),
        id: contextText(context, Tag.patientId),
        birthDate: contextText(context, Tag.patientBirthDate),
        sex: contextText(context, Tag.patientSex),
        study: contextText(context, ReportTag.studyDescription),
        studyDate: contextText(context, ReportTag.studyDate),
        accession: contextText(context, Tag.accessionNumber),
        author: '',
        reportAt: '',
        earlier: '',
      },
      language,
    ),
    title: words.report,
    status: words.statusUnknown,
    blocks: [{ kind: 'text', depth: 0, text }],
    madeFrom,
  };
}

/** Text as Windows and everybody else writes it: what is no UTF-8 is read as windows-1252. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return decodeWindows1252(bytes);
  }
}
