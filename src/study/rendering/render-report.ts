import { type Form, scan } from '../../dicom/scan.ts';
import { reportBytesMax, reportTailBytes } from '../limits.ts';
import { checkPatient } from './cda-patient.ts';
import { readCda } from './cda-report.ts';
import { type Encapsulated, encapsulatePdf } from './encapsulated-pdf.ts';
import { type RenderingFault, ReportUnreadable } from './fault.ts';
import { textReportBytesMax } from './limits.ts';
import type { ReportLanguage } from './printed-report.ts';
import { reportPdf } from './report-pdf.ts';
import { charsetIn, type SourceContext, sourceContextOf } from './source-context.ts';
import { readSrDocument, type SrDocument } from './sr-document.ts';
import { reportOfSr } from './sr-report.ts';
import { reportOfText } from './text-report.ts';
import { titleBytes } from './title-bytes.ts';
import { wordsOf } from './words.ts';

/** A report to be made into an instance. Plain data, patient data: it may go to a worker, and not into a log. */
export type ReportToRender =
  /** A structured report, a whole instance, of which a deflated dataset is inflated: it says itself whose it is. */
  | {
      readonly kind: 'sr';
      readonly bytes: Uint8Array;
      readonly form?: Form;
      readonly sourceSha256: Uint8Array;
      readonly language: ReportLanguage;
    }
  /** A document: PDF, CDA or text. `context` is that of the study that it belongs to. */
  | {
      readonly kind: 'pdf' | 'cda' | 'text';
      readonly bytes: Uint8Array;
      readonly context: SourceContext;
      readonly sourceSha256: Uint8Array;
      readonly language: ReportLanguage;
    };

/**
 * Makes an Encapsulated PDF instance of a report: of a structured report, CDA or text by laying its text out,
 * of a PDF by wrapping it as it is. The same input gives the same bytes and the same SOP Instance UID.
 *
 * Whatever the bytes are, the answer is an instance or a fault; it takes one thread, and at most a few seconds.
 */
export function renderReport(input: ReportToRender): Encapsulated | RenderingFault {
  try {
    switch (input.kind) {
      case 'sr':
        return renderSr(input);
      case 'cda':
        return renderCda(input);
      case 'text':
        return encapsulateText(input);
      case 'pdf':
        return encapsulateDocument(input, input.bytes, wordsOf(input.language).report);
    }
  } catch (thrown) {
    if (thrown instanceof ReportUnreadable) return { fault: thrown.message };
    throw thrown;
  }
}

type Sr = Extract<ReportToRender, { kind: 'sr' }>;
type Document = Exclude<ReportToRender, { kind: 'sr' }>;

function renderSr({ bytes, form, sourceSha256, language }: Sr): Encapsulated | RenderingFault {
  const document = readSrDocument(bytes, form);
  if ('fault' in document) return document;
  const found = scan(bytes, bytes.byteLength, form);
  if ('need' in found) return { fault: 'it ends within its head' };
  const context = sourceContextOf(bytes, found);
  return encapsulatePdf({
    context,
    pdf: reportPdf(reportOfSr(document, language), sourceSha256),
    title: titleBytes(document.title === '' ? wordsOf(language).report : document.title, charsetIn(context)),
    seriesDescription: wordsOf(language).reportInPdf,
    concept: document.concept,
    verification: verificationOf(document),
    contentDate: context.contentDate,
    contentTime: context.contentTime,
    source: { sopClassUid: document.sopClassUid, sopInstanceUid: document.sopInstanceUid },
    sourceSha256,
  });
}

function verificationOf({ verification }: SrDocument): 'VERIFIED' | 'UNVERIFIED' | undefined {
  return verification === 'VERIFIED' || verification === 'UNVERIFIED' ? verification : undefined;
}

function renderCda(input: Document): Encapsulated {
  checkSize(input.bytes, textReportBytesMax);
  const cda = readCda(input.bytes, input.language, madeFrom(input, 'CDA'));
  checkPatient(cda.patient, input.context);
  if (cda.kind === 'pdf') return encapsulateDocument(input, cda.pdf, cda.title);
  return encapsulateDocument(input, reportPdf(cda.report, input.sourceSha256), cda.report.title);
}

function encapsulateText(input: Document): Encapsulated {
  checkSize(input.bytes, textReportBytesMax);
  const { bytes, context, language, sourceSha256 } = input;
  const report = reportOfText(bytes, context, language, madeFrom(input, 'text/plain'));
  return encapsulateDocument(input, reportPdf(report, sourceSha256), report.title);
}

function encapsulateDocument(
  { context, sourceSha256, language }: Document,
  pdf: Uint8Array,
  title: string,
): Encapsulated {
  checkSize(pdf, reportBytesMax);
  // As study/report.ts checks a PDF that comes by itself. Who opens it would find it out.
  const bytes = Buffer.from(pdf.buffer, pdf.byteOffset, pdf.byteLength);
  if (!bytes.subarray(0, reportTailBytes).includes('%PDF-')) throw new ReportUnreadable('it is no PDF');
  if (!bytes.subarray(-reportTailBytes).includes('%%EOF')) throw new ReportUnreadable('the PDF has no end');
  return encapsulatePdf({
    context,
    pdf,
    title: titleBytes(title, charsetIn(context)),
    seriesDescription: wordsOf(language).reportInPdf,
    concept: undefined,
    verification: undefined,
    contentDate: new Uint8Array(0),
    contentTime: new Uint8Array(0),
    source: null,
    sourceSha256,
  });
}

function checkSize(bytes: Uint8Array, bytesMax: number): void {
  if (bytes.byteLength > bytesMax) {
    throw new ReportUnreadable(`it is larger than ${(bytesMax / 1024 ** 2).toString()} MiB`);
  }
}

/** A document has no UID that names it for others; its digest does. */
function madeFrom({ sourceSha256, language }: Document, type: string): string {
  const digest = Buffer.from(sourceSha256).toString('hex');
  return `${wordsOf(language).documentOfType} ${type}, SHA-256 ${digest}`;
}
