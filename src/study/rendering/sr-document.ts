import { type Form, scan } from '../../dicom/scan.ts';
import { Tag } from '../../dicom/tags.ts';
import type { RenderingFault } from './fault.ts';
import { ReportUnreadable } from './fault.ts';
import { textReportBytesMax } from './limits.ts';
import type { RawElement } from './raw-element.ts';
import { RawItem, readRawItem, unreadable } from './raw-item.ts';
import { readSrContent, type SrItem, SrReading, srCodeText } from './sr-content.ts';
import { ReportTag } from './tags.ts';
import { TextItem } from './text-item.ts';

export type { SrItem, SrValue } from './sr-content.ts';

/** A structured report as text: values decoded, not yet in anybody's words. '' is what it does not say. Patient data. */
export interface SrDocument {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly title: string;
  /** (0040,A491): COMPLETE or PARTIAL; and (0040,A492), its reason. */
  readonly completion: string;
  readonly completionDescription: string;
  /** (0040,A493): VERIFIED or UNVERIFIED. */
  readonly verification: string;
  /** (0040,A496): PRELIMINARY or FINAL. */
  readonly preliminary: string;
  readonly observers: readonly SrObserver[];
  /** Who wrote it, as PN, where (0040,A078) says so; else the content does. */
  readonly authors: readonly string[];
  /** SOP Instance UIDs of the documents that it replaces or adds to (0040,A360). */
  readonly earlier: readonly string[];
  readonly patient: {
    readonly name: string;
    readonly id: string;
    readonly birthDate: string;
    readonly sex: string;
  };
  readonly institution: string;
  readonly accession: string;
  readonly studyDate: string;
  readonly studyDescription: string;
  readonly contentDate: string;
  readonly contentTime: string;
  /** What the title is a code of, as it is written; undefined when the document has no title. */
  readonly concept: readonly RawElement[] | undefined;
  readonly content: readonly SrItem[];
}

/** Who verified the report (PS3.3 table C.17-2). */
interface SrObserver {
  readonly name: string;
  readonly organization: string;
  readonly at: string;
}

const SR_FAMILY = '1.2.840.10008.5.1.4.1.1.88.';
/** Key objects: a list of images with a note, and no report. */
const KEY_OBJECT_SELECTION = `${SR_FAMILY}59`;

/** True for the storage classes whose instances are a tree of content (PS3.3 A.35). */
export function isStructuredReport(sopClassUid: string): boolean {
  return sopClassUid.startsWith(SR_FAMILY) && sopClassUid !== KEY_OBJECT_SELECTION;
}

const SEQUENCES: ReadonlySet<number> = new Set([
  ReportTag.conceptName,
  ReportTag.verifyingObservers,
  ReportTag.authorObservers,
  ReportTag.predecessorDocuments,
  ReportTag.content,
]);

/**
 * Reads a structured report: the instance as a whole, of which a deflated dataset has to be inflated.
 * Whatever the bytes are, the answer is a document or a fault; nothing of it is left out in silence.
 */
export function readSrDocument(bytes: Uint8Array, form: Form = 'stored'): SrDocument | RenderingFault {
  try {
    return documentOf(bytes, form);
  } catch (thrown) {
    return { fault: unreadable(thrown).message };
  }
}

function documentOf(bytes: Uint8Array, form: Form): SrDocument {
  if (bytes.byteLength > textReportBytesMax) throw new ReportUnreadable('it is larger than 16 MiB');
  const found = scan(bytes, bytes.byteLength, form);
  if ('need' in found) throw new ReportUnreadable('it ends within its head');
  if (!isStructuredReport(found.sopClassUid)) throw new ReportUnreadable('it is no structured report');
  const dataset = new RawItem();
  readRawItem(bytes, found, { last: ReportTag.content, sequences: SEQUENCES }, dataset);

  const root = new TextItem(dataset);
  const concept = root.first(ReportTag.conceptName);
  const content = readSrContent(root, new SrReading(found.encoding !== 'explicit-be'));
  if (content.length === 0) throw new ReportUnreadable('it has no content');
  return {
    sopClassUid: found.sopClassUid,
    sopInstanceUid: found.sopInstanceUid,
    title: concept === undefined ? '' : srCodeText(concept),
    completion: root.text(ReportTag.completionFlag),
    completionDescription: root.text(ReportTag.completionFlagDescription),
    verification: root.text(ReportTag.verificationFlag),
    preliminary: root.text(ReportTag.preliminaryFlag),
    observers: root.items(ReportTag.verifyingObservers).map((observer) => ({
      name: observer.text(ReportTag.verifyingObserverName),
      organization: observer.text(ReportTag.verifyingOrganization),
      at: observer.text(ReportTag.verificationDateTime),
    })),
    authors: root
      .items(ReportTag.authorObservers)
      .map((author) => author.text(ReportTag.personName))
      .filter((name) => name !== ''),
    earlier: root
      .items(ReportTag.predecessorDocuments)
      .flatMap((study) => study.items(ReportTag.referencedSeries))
      .flatMap((series) => series.items(ReportTag.referencedSopSequence))
      .map((document) => document.text(ReportTag.referencedSopInstanceUid)),
    patient: {
      name: root.text(Tag.patientName),
      id: root.text(Tag.patientId),
      birthDate: root.text(Tag.patientBirthDate),
      sex: root.text(Tag.patientSex),
    },
    institution: root.text(ReportTag.institutionName),
    accession: root.text(Tag.accessionNumber),
    studyDate: root.text(ReportTag.studyDate),
    studyDescription: root.text(ReportTag.studyDescription),
    contentDate: root.text(ReportTag.contentDate),
    contentTime: root.text(ReportTag.contentTime),
    concept: concept && conceptElements(concept.raw),
    content,
  };
}

/** PS3.3 table 8.8-1, the part of it that names a code. */
function conceptElements({ values }: RawItem): RawElement[] {
  const parts = [
    { tag: ReportTag.codeValue, vr: 'SH' },
    { tag: ReportTag.codingSchemeDesignator, vr: 'SH' },
    { tag: ReportTag.codingSchemeVersion, vr: 'SH' },
    { tag: ReportTag.codeMeaning, vr: 'LO' },
  ] as const;
  return parts.flatMap(({ tag, vr }) => {
    const value = values.get(tag);
    return value === undefined ? [] : [{ tag, vr, value: Uint8Array.from(value) }];
  });
}
