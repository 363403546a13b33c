import { ReportUnreadable } from './fault.ts';
import { contentItemsMax, textBytesMax } from './limits.ts';
import { ReportTag } from './tags.ts';
import type { TextItem } from './text-item.ts';

/** What one content item says (PS3.3 table C.17.3-7), by its value type. Texts are decoded; dates and names as DICOM writes them. */
export type SrValue =
  | { readonly kind: 'container' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  /** `text` is '' when nothing was measured, and `qualifier` may say why. */
  | { readonly kind: 'number'; readonly text: string; readonly unit: string; readonly qualifier: string }
  | { readonly kind: 'date' | 'time' | 'datetime' | 'name' | 'uid'; readonly text: string }
  /** Images, waveforms and other instances. */
  | {
      readonly kind: 'instance';
      readonly of: 'image' | 'waveform' | 'composite';
      readonly sopInstanceUid: string;
      readonly frames: string;
      readonly segments: string;
      /** The presentation state that the image was seen through; '' for none. */
      readonly shownBy: string;
    }
  /** Coordinates in space or time: drawn on an image, not written. `of` is their form, as in CIRCLE. */
  | { readonly kind: 'coordinates'; readonly of: string }
  /** Another item of this document, by its place: 1.2.1 (PS3.3 C.17.3.2.5). */
  | { readonly kind: 'place'; readonly text: string }
  /** A value type that is not known here. */
  | { readonly kind: 'unknown'; readonly of: string };

export interface SrItem {
  /** As written: CONTAINS, HAS PROPERTIES, INFERRED FROM and so on. */
  readonly relationship: string;
  /** The meaning of the concept name; '' when it has none. */
  readonly concept: string;
  readonly value: SrValue;
  /** (0040,A032), a DT; '' when it does not say. */
  readonly observedAt: string;
  readonly children: readonly SrItem[];
}

/** What is known while one document is read. */
export class SrReading {
  readonly littleEndian: boolean;
  #items = 0;

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian;
  }

  countItem(): void {
    this.#items += 1;
    if (this.#items > contentItemsMax) {
      throw new ReportUnreadable(`it has more than ${contentItemsMax.toString()} content items`);
    }
  }
}

/** The content items below one; depth is bounded by the reader of the bytes (NESTING_MAX of dicom). */
export function readSrContent(parent: TextItem, reading: SrReading): SrItem[] {
  return parent.items(ReportTag.content).map((item) => {
    reading.countItem();
    const concept = item.first(ReportTag.conceptName);
    return {
      relationship: item.text(ReportTag.relationshipType),
      concept: concept === undefined ? '' : srCodeText(concept),
      value: srValue(item, reading),
      observedAt: item.text(ReportTag.observationDateTime),
      children: readSrContent(item, reading),
    };
  });
}

/** A code in words: its meaning, and its value where the meaning is left out (PS3.3 section 8.3). */
export function srCodeText(code: TextItem): string {
  const texts = [
    code.text(ReportTag.codeMeaning),
    code.text(ReportTag.codeValue),
    code.text(ReportTag.longCodeValue),
    code.text(ReportTag.urnCodeValue),
  ];
  return texts.find((text) => text !== '') ?? '';
}

function srValue(item: TextItem, reading: SrReading): SrValue {
  const type = item.text(ReportTag.valueType);
  switch (type) {
    case 'CONTAINER':
      return { kind: 'container' };
    case 'TEXT':
      return { kind: 'text', text: boundedText(item) };
    case 'CODE':
      return { kind: 'code', text: codeIn(item, ReportTag.conceptCode) };
    case 'NUM':
      return measured(item);
    case 'DATE':
      return { kind: 'date', text: item.text(ReportTag.date) };
    case 'TIME':
      return { kind: 'time', text: item.text(ReportTag.time) };
    case 'DATETIME':
      return { kind: 'datetime', text: item.text(ReportTag.dateTime) };
    case 'PNAME':
      return { kind: 'name', text: item.text(ReportTag.personName) };
    case 'UIDREF':
      return { kind: 'uid', text: item.text(ReportTag.uid) };
    case 'IMAGE':
      return reference(item, 'image', reading);
    case 'WAVEFORM':
      return reference(item, 'waveform', reading);
    case 'COMPOSITE':
      return reference(item, 'composite', reading);
    case 'SCOORD':
    case 'SCOORD3D':
      return { kind: 'coordinates', of: item.text(ReportTag.graphicType) };
    case 'TCOORD':
      return { kind: 'coordinates', of: item.text(ReportTag.temporalRangeType) };
    default:
      return type === '' ? { kind: 'place', text: placeOf(item, reading) } : { kind: 'unknown', of: type };
  }
}

function boundedText(item: TextItem): string {
  if ((item.raw.values.get(ReportTag.textValue)?.byteLength ?? 0) > textBytesMax) {
    throw new ReportUnreadable('a text in it is longer than 64 KiB');
  }
  return item.text(ReportTag.textValue);
}

function codeIn(item: TextItem, sequence: number): string {
  const code = item.first(sequence);
  return code === undefined ? '' : srCodeText(code);
}

function measured(item: TextItem): SrValue {
  const value = item.first(ReportTag.measuredValue);
  const unit = value?.first(ReportTag.measurementUnits);
  return {
    kind: 'number',
    text: value?.text(ReportTag.numericValue) ?? '',
    unit: unit === undefined ? '' : unitText(unit),
    qualifier: codeIn(item, ReportTag.numericValueQualifier),
  };
}

/** UCUM's codes are what people write (mm, cm2, mg/dl), but for those in brackets, and `1` for a bare number. */
function unitText(unit: TextItem): string {
  const code = unit.text(ReportTag.codeValue);
  if (unit.text(ReportTag.codingSchemeDesignator) !== 'UCUM') return srCodeText(unit);
  if (code === '1') return '';
  return code === '' || /[{}[\]]/.test(code) ? srCodeText(unit) : code;
}

function reference(
  item: TextItem,
  of: 'image' | 'waveform' | 'composite',
  { littleEndian }: SrReading,
): SrValue {
  const instance = item.first(ReportTag.referencedSopSequence);
  return {
    kind: 'instance',
    of,
    sopInstanceUid: instance?.text(ReportTag.referencedSopInstanceUid) ?? '',
    frames: instance?.text(ReportTag.referencedFrameNumber).replaceAll('\\', ', ') ?? '',
    segments: numbersIn(instance, ReportTag.referencedSegmentNumber, littleEndian),
    shownBy: instance?.first(ReportTag.referencedSopSequence)?.text(ReportTag.referencedSopInstanceUid) ?? '',
  };
}

/** US: two bytes each, in the order of the document. */
function numbersIn(item: TextItem | undefined, tag: number, littleEndian: boolean): string {
  const value = item?.raw.values.get(tag) ?? new Uint8Array(0);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const numbers: number[] = [];
  for (let at = 0; at + 2 <= value.byteLength; at += 2) numbers.push(view.getUint16(at, littleEndian));
  return numbers.join(', ');
}

/** The numbers of the way to an item, which are binary: UL (PS3.3 table C.17-5). */
function placeOf({ raw }: TextItem, { littleEndian }: SrReading): string {
  const value = raw.values.get(ReportTag.referencedContentItem);
  if (value === undefined) throw new ReportUnreadable('a content item has no value type');
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const numbers: number[] = [];
  for (let at = 0; at + 4 <= value.byteLength; at += 4) numbers.push(view.getUint32(at, littleEndian));
  return numbers.join('.');
}
