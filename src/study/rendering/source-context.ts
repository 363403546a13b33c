import { decodeText } from '../../dicom/charset.ts';
import { decideBsn, identify } from '../../dicom/identity.ts';
import type { Scan } from '../../dicom/scan.ts';
import { Tag } from '../../dicom/tags.ts';
import { plainText, trimPadding } from '../../dicom/text.ts';
import type { RawElement } from './raw-element.ts';
import { RawItem, readRawItem, unreadable } from './raw-item.ts';
import { ReportTag } from './tags.ts';

/**
 * What a report that is made into an instance takes over from its source: whose it is, of which study,
 * and the character set of both. Plain data, patient data: never log it, seal it before it is stored.
 */
export interface SourceContext {
  /** The Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1), as far as they say who and which; values byte for byte. */
  readonly elements: readonly RawElement[];
  /** (0008,0080), for the head of a page; it is not written: another institution's equipment made the source. */
  readonly institution: Uint8Array;
  /** (0008,0023) and (0008,0033) of the source, which a report made from it bears too. */
  readonly contentDate: Uint8Array;
  readonly contentTime: Uint8Array;
  /** What the source claims to be its patient's BSN: none, one, or those that contradict each other. Not written. */
  readonly bsns: readonly string[];
}

/** What is copied, with its VR, which an implicit source does not say. Sequences hold these again. */
const COPIED = new Map<number, 'CS' | 'DA' | 'LO' | 'PN' | 'SH' | 'TM' | 'UI' | 'UT' | 'SQ'>([
  [Tag.specificCharacterSet, 'CS'],
  [ReportTag.studyDate, 'DA'],
  [ReportTag.studyTime, 'TM'],
  [Tag.accessionNumber, 'SH'],
  [ReportTag.issuerOfAccessionNumber, 'SQ'],
  [ReportTag.referringPhysicianName, 'PN'],
  [ReportTag.timezoneOffset, 'SH'],
  [ReportTag.studyDescription, 'LO'],
  [Tag.patientName, 'PN'],
  [Tag.patientId, 'LO'],
  [Tag.issuerOfPatientId, 'LO'],
  [Tag.typeOfPatientId, 'CS'],
  [Tag.issuerOfPatientIdQualifiers, 'SQ'],
  [Tag.patientBirthDate, 'DA'],
  [Tag.patientSex, 'CS'],
  [Tag.otherPatientIds, 'LO'],
  [Tag.otherPatientIdsSequence, 'SQ'],
  [Tag.studyInstanceUid, 'UI'],
  [ReportTag.studyId, 'SH'],
  [ReportTag.localNamespaceEntityId, 'UT'],
  [Tag.universalEntityId, 'UT'],
  [Tag.universalEntityIdType, 'CS'],
  [Tag.identifierTypeCode, 'CS'],
]);

const SEQUENCES: ReadonlySet<number> = new Set(
  [...COPIED].filter(([, vr]) => vr === 'SQ').map(([tag]) => tag),
);

/** PS3.3 makes these type 2, or 1 for the study: an instance has them, empty if nothing is known. */
const REQUIRED = [
  ReportTag.studyDate,
  ReportTag.studyTime,
  Tag.accessionNumber,
  ReportTag.referringPhysicianName,
  Tag.patientName,
  Tag.patientId,
  Tag.patientBirthDate,
  Tag.patientSex,
  ReportTag.studyId,
] as const;

/**
 * Reads the context from an instance's head. Elements behind the window count as absent, so the same
 * number of bytes has to be given each time; 128 KiB, or the head when it is longer, hold all of them.
 *
 * @param window the instance's first bytes, of which scan() made the scan; never throws for these
 */
export function sourceContextOf(window: Uint8Array, scan: Scan): SourceContext {
  const head = new RawItem();
  try {
    readRawItem(window, scan, { last: ReportTag.studyId, sequences: SEQUENCES }, head);
  } catch (thrown) {
    // The window ends within an element, or a sequence cannot be read: what was found before counts.
    unreadable(thrown);
  }
  const elements = copied(head);
  const present = new Set(elements.map(({ tag }) => tag));
  for (const tag of REQUIRED) {
    const vr = COPIED.get(tag);
    if (!present.has(tag) && vr !== undefined && vr !== 'SQ') {
      elements.push({ tag, vr, value: new Uint8Array(0) });
    }
  }
  return {
    elements,
    institution: copyOf(head, ReportTag.institutionName),
    contentDate: copyOf(head, ReportTag.contentDate),
    contentTime: copyOf(head, ReportTag.contentTime),
    bsns: bsnsIn(window, scan),
  };
}

function bsnsIn(window: Uint8Array, scan: Scan): string[] {
  const claimed = identify(window, scan).bsn.filter((finding) => decideBsn([finding]) !== undefined);
  return [...new Set(claimed.map(({ value }) => value))];
}

/** A value of the context as text for people, '' when it is absent. */
export function contextText(context: SourceContext, tag: number): string {
  return textIn(context, valueIn(context, tag));
}

/** Bytes of the source as text for people. */
export function textIn(context: SourceContext, value: Uint8Array): string {
  return trimPadding(decodeText(value, charsetIn(context)));
}

/** (0008,0005), its values with the backslashes between them. */
export function charsetIn(context: SourceContext): string {
  return plainText(valueIn(context, Tag.specificCharacterSet));
}

function valueIn({ elements }: SourceContext, tag: number): Uint8Array {
  const found = elements.find((element) => element.tag === tag);
  return found !== undefined && 'value' in found ? found.value : new Uint8Array(0);
}

function copied(item: RawItem): RawElement[] {
  const elements: RawElement[] = [];
  for (const [tag, vr] of COPIED) {
    if (vr === 'SQ') {
      const items = item.items(tag);
      if (items.length > 0) elements.push({ tag, items: items.map(copied) });
    } else if (item.values.has(tag)) {
      elements.push({ tag, vr, value: copyOf(item, tag) });
    }
  }
  return elements;
}

/** A copy: a view would keep, and take to a worker, the whole window. Padding to even length is added when it is written. */
function copyOf(item: RawItem, tag: number): Uint8Array {
  return Uint8Array.from(item.values.get(tag) ?? []);
}
