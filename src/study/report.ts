import { TextDecoder } from 'node:util';
import { reportBytesMax, reportHeadBytes, reportReadBytes, reportTailBytes } from './limits.ts';
import type { ReadRange } from './peek.ts';
import { readProlog } from './xml-prolog.ts';

/** Documents that are taken as reports: PDF, CDA or other XML, and text. */
export const reportTypes = [
  'application/pdf',
  'text/xml',
  'application/xml',
  'application/hl7-cda+xml',
  'text/plain',
] as const;

export type ReportType = (typeof reportTypes)[number];

/** True for the type of a part or an upload that is a report and no instance. */
export function isReportType(contentType: string): contentType is ReportType {
  return reportTypes.some((type) => type === contentType);
}

export interface ReportFault {
  readonly code: /** Nothing is in it. */
    | 'EMPTY'
    /** It is over reportBytesMax. */
    | 'TOO_LARGE'
    /** It is not what its type says. */
    | 'MALFORMED'
    /** It ends before its document does. */
    | 'TRUNCATED'
    /** A readable document that not every receiver can read, or that could be made to harm him. */
    | 'UNSUPPORTED';
  /** A sentence for a person; holds no byte of the report. */
  readonly reason: string;
}

/** What a report turned out to be. */
export interface ReportCheck {
  readonly mediaType: ReportType;
  /** Its root is a ClinicalDocument (HL7 CDA R2). */
  readonly cda: boolean;
  /** How its text is written; null for a PDF. Latin-1 is read as windows-1252, which holds it and a euro sign. */
  readonly charset: 'utf-8' | 'windows-1252' | null;
  /** null for a report that can go on its way. */
  readonly fault: ReportFault | null;
}

/**
 * Looks whether a report is whole and what its type says, without reading any of its meaning: of a PDF
 * and of XML the first and last bytes, of a text all, in pieces.
 *
 * @param bytes of the report
 * @param read the bytes [start, end) of the report itself, inflated; they stay as they are until the next read
 * @throws what `read` throws, and nothing else
 */
export async function checkReport(
  mediaType: ReportType,
  bytes: number,
  read: ReadRange,
): Promise<ReportCheck> {
  const found = await lookedAt(mediaType, bytes, read);
  return { mediaType, cda: false, charset: null, fault: null, ...found };
}

function lookedAt(
  mediaType: ReportType,
  bytes: number,
  read: ReadRange,
): Promise<Partial<ReportCheck>> | Partial<ReportCheck> {
  if (bytes === 0) return fault('EMPTY', 'the report is empty');
  if (bytes > reportBytesMax) {
    return fault('TOO_LARGE', `the report is larger than ${(reportBytesMax / 1024 ** 2).toString()} MiB`);
  }
  if (mediaType === 'application/pdf') return pdf(bytes, read);
  if (mediaType === 'text/plain') return text(bytes, read);
  return xml(mediaType, bytes, read);
}

/** ISO 32000-1, 7.5.2 and 7.5.5, with what readers forgive: both marks within 1,024 bytes of the ends. */
async function pdf(bytes: number, read: ReadRange): Promise<Partial<ReportCheck>> {
  const head = latin1(await read(0, Math.min(bytes, reportTailBytes)));
  if (!head.includes('%PDF-')) return fault('MALFORMED', 'the report does not begin as a PDF');
  const tail = latin1(await read(Math.max(0, bytes - reportTailBytes), bytes));
  return tail.includes('%%EOF') ? {} : fault('TRUNCATED', 'the PDF has no end');
}

async function xml(mediaType: ReportType, bytes: number, read: ReadRange): Promise<Partial<ReportCheck>> {
  const prolog = readProlog(await read(0, Math.min(bytes, reportHeadBytes)));
  if (!('root' in prolog)) return { fault: prolog };
  const { charset, root } = prolog;
  const cda = root.replace(/^.*:/, '') === 'ClinicalDocument';
  if (mediaType === 'application/hl7-cda+xml' && !cda) {
    return { charset, ...fault('MALFORMED', 'the report is XML, but no ClinicalDocument') };
  }
  const tail = latin1(await read(Math.max(0, bytes - reportTailBytes), bytes)).trimEnd();
  const last = /<\/([^<>\s]+)\s*>$/.exec(tail)?.[1];
  // Behind the root only comments and instructions may come; the root may also be one empty element.
  const ended = last === undefined ? /(?:\/|--|\?)>$/.test(tail) : last === latin1(Buffer.from(root));
  return { charset, cda, ...(ended ? {} : fault('TRUNCATED', 'the XML ends before its document does')) };
}

/** Whatever is no control character is text; what is no UTF-8 is read as windows-1252, as Windows writes it. */
async function text(bytes: number, read: ReadRange): Promise<Partial<ReportCheck>> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let charset: ReportCheck['charset'] = 'utf-8';
  for (let at = 0; at < bytes; at += reportReadBytes) {
    const piece = await read(at, Math.min(bytes, at + reportReadBytes));
    if (!piece.every(isText)) return fault('MALFORMED', 'the text holds bytes that are no text');
    if (charset === 'utf-8' && !decodes(decoder, piece, at + piece.byteLength < bytes))
      charset = 'windows-1252';
  }
  return { charset };
}

function decodes(decoder: TextDecoder, piece: Uint8Array, stream: boolean): boolean {
  try {
    decoder.decode(piece, { stream });
    return true;
  } catch {
    return false;
  }
}

/** Tab, line ends, form feed, and what is no control character in ASCII; UTF-8 and Latin-1 are text too. */
export function isText(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0x7f : byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d;
}

function fault(code: ReportFault['code'], reason: string): { readonly fault: ReportFault } {
  return { fault: { code, reason } };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
