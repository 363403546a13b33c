import { createHash } from 'node:crypto';
import { SYNTAX_OF } from '../../dicom/syntaxes.ts';
import { Tag } from '../../dicom/tags.ts';
import { programVersion } from '../../ops/version.ts';
import { derivedUid } from './derived-uid.ts';
import { ReportUnreadable } from './fault.ts';
import { ascii, encodeElements, type RawElement, uint32 } from './raw-element.ts';
import type { SourceContext } from './source-context.ts';
import { ReportTag } from './tags.ts';

/** PS3.6: Encapsulated PDF Storage. */
export const ENCAPSULATED_PDF = '1.2.840.10008.5.1.4.1.1.104.1';

/** PS3.3 section C.24.1: the modality of a document. */
export const DOCUMENT = 'DOC';

/** Behind the numbers that scanners and workstations give their series. */
const SERIES_NUMBER = '9901';

/** PS3.10 section 7.1: who wrote the file. The same for all versions; the name has the version. */
const IMPLEMENTATION_CLASS_UID = derivedUid('implementation', new Uint8Array(0));

export interface SopReference {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
}

export interface EncapsulatedPdfParts {
  /** Whose it is, and of which study. */
  readonly context: SourceContext;
  readonly pdf: Uint8Array;
  /** In the context's character set. */
  readonly title: Uint8Array;
  /** ASCII. */
  readonly seriesDescription: string;
  /** The item of (0040,A043); undefined for none. */
  readonly concept: readonly RawElement[] | undefined;
  readonly verification: 'VERIFIED' | 'UNVERIFIED' | undefined;
  /** Date and time of the report, as DA and TM; empty when it does not say. */
  readonly contentDate: Uint8Array;
  readonly contentTime: Uint8Array;
  /** The instance that it was made from; null for what came as a document. */
  readonly source: SopReference | null;
  /** SHA-256 of what it was made from. */
  readonly sourceSha256: Uint8Array;
}

export interface Encapsulated {
  /** A Part 10 file. */
  readonly instance: Uint8Array;
  readonly sopInstanceUid: string;
}

/**
 * Makes an Encapsulated PDF (PS3.3 A.45.1) in explicit little endian: patient and study as in the context,
 * a series of its own, Sluis as its equipment.
 *
 * Its UIDs are derived from the source's digest and from everything else that is written. So the same parts
 * give the same instance, and two that differ in a byte, because they are of two patients, in two languages or
 * made by two versions, never share a UID.
 *
 * @throws ReportUnreadable when the context names no study
 */
export function encapsulatePdf(parts: EncapsulatedPdfParts): Encapsulated {
  if (!parts.context.elements.some(({ tag }) => tag === Tag.studyInstanceUid)) {
    throw new ReportUnreadable('its study has no UID');
  }
  const version = programVersion();
  const elements = elementsOf(parts, version);
  const hash = createHash('sha256').update(parts.sourceSha256);
  for (const bytes of encodeElements(elements)) hash.update(bytes);
  const digest = hash.digest();
  const sopInstanceUid = derivedUid('report/instance', digest);
  const dataset = encodeElements([
    ...elements,
    ascii(Tag.sopInstanceUid, 'UI', sopInstanceUid),
    ascii(Tag.seriesInstanceUid, 'UI', derivedUid('report/series', digest)),
  ]);
  return { instance: Buffer.concat([...fileMeta(sopInstanceUid, version), ...dataset]), sopInstanceUid };
}

/** All but the two UIDs. */
function elementsOf(parts: EncapsulatedPdfParts, version: string): RawElement[] {
  const { context, pdf, title, seriesDescription, concept, verification, source } = parts;
  return [
    ...context.elements,
    ascii(Tag.sopClassUid, 'UI', ENCAPSULATED_PDF),
    // Encapsulated Document Series (C.24.1), General Equipment and SC Equipment (C.7.5.1, C.8.6.1).
    ascii(Tag.modality, 'CS', DOCUMENT),
    ascii(ReportTag.seriesNumber, 'IS', SERIES_NUMBER),
    ascii(ReportTag.seriesDescription, 'LO', seriesDescription),
    ascii(ReportTag.manufacturer, 'LO', 'Sluis'),
    ascii(ReportTag.manufacturerModelName, 'LO', 'Sluis'),
    ascii(ReportTag.softwareVersions, 'LO', version),
    ascii(ReportTag.conversionType, 'CS', 'WSD'),
    // Encapsulated Document (C.24.2).
    ascii(ReportTag.instanceNumber, 'IS', '1'),
    { tag: ReportTag.contentDate, vr: 'DA', value: parts.contentDate },
    { tag: ReportTag.contentTime, vr: 'TM', value: parts.contentTime },
    ascii(ReportTag.acquisitionDateTime, 'DT', ''),
    ascii(ReportTag.burnedInAnnotation, 'CS', 'YES'),
    ...(source === null ? [] : [{ tag: ReportTag.sourceInstances, items: [reference(source)] }]),
    { tag: ReportTag.documentTitle, vr: 'ST', value: title },
    { tag: ReportTag.conceptName, items: concept === undefined ? [] : [concept] },
    ...(verification === undefined ? [] : [ascii(ReportTag.verificationFlag, 'CS', verification)]),
    ascii(ReportTag.mimeType, 'LO', 'application/pdf'),
    { tag: ReportTag.encapsulatedDocument, vr: 'OB', value: pdf },
    uint32(ReportTag.encapsulatedDocumentLength, pdf.byteLength),
  ];
}

function reference({ sopClassUid, sopInstanceUid }: SopReference): RawElement[] {
  return [
    ascii(ReportTag.referencedSopClassUid, 'UI', sopClassUid),
    ascii(ReportTag.referencedSopInstanceUid, 'UI', sopInstanceUid),
  ];
}

function fileMeta(sopInstanceUid: string, version: string): Uint8Array[] {
  const group = Buffer.concat(
    encodeElements([
      { tag: ReportTag.metaVersion, vr: 'OB', value: Uint8Array.of(0, 1) },
      ascii(Tag.mediaStorageSopClassUid, 'UI', ENCAPSULATED_PDF),
      ascii(Tag.mediaStorageSopInstanceUid, 'UI', sopInstanceUid),
      ascii(Tag.transferSyntaxUid, 'UI', SYNTAX_OF['explicit-le']),
      ascii(ReportTag.implementationClassUid, 'UI', IMPLEMENTATION_CLASS_UID),
      ascii(ReportTag.implementationVersionName, 'SH', `SLUIS_${version}`.slice(0, 16)),
    ]),
  );
  const length = encodeElements([uint32(Tag.metaGroupLength, group.byteLength)]);
  return [Buffer.alloc(128), Buffer.from('DICM'), ...length, group];
}
