import type { InstanceRecord } from '../state/records.ts';
import { DICOM } from '../study/multipart.ts';
import { reportTypes } from '../study/report.ts';

/** What an item is and what it is called in an archive: numbers, which say nothing of the patient. */
export interface ItemName {
  /** 0 for an instance, else which media type a report has. */
  readonly kind: number;
  /** From 1, in the order in which they come; 0 for a report. */
  readonly study: number;
  /** From 1 in the study; 0 for a report. */
  readonly series: number;
  /** From 1 in the series, or among the reports. */
  readonly number: number;
}

/** A kind is one more than the place here: later versions may only add behind the last. */
const reportKinds: readonly string[] = reportTypes;

/** Of what is no type of reportTypes: a record of a later program. */
const unknownKind = 255;

/** Names the items of one delivery, one after the other. */
export class ItemNames {
  readonly #studies = new Map<
    string,
    { study: number; series: Map<string, { series: number; last: number }> }
  >();
  #reports = 0;

  next({ scan, report }: Pick<InstanceRecord, 'scan' | 'report'>): ItemName {
    if (report !== null) {
      const kind = reportKinds.indexOf(report.mediaType) + 1;
      this.#reports += 1;
      return { kind: kind === 0 ? unknownKind : kind, study: 0, series: 0, number: this.#reports };
    }
    const { studyInstanceUid = '', seriesInstanceUid = '' } = scan ?? {};
    let study = this.#studies.get(studyInstanceUid);
    if (study === undefined) {
      study = { study: this.#studies.size + 1, series: new Map() };
      this.#studies.set(studyInstanceUid, study);
    }
    let series = study.series.get(seriesInstanceUid);
    if (series === undefined) {
      series = { series: study.series.size + 1, last: 0 };
      study.series.set(seriesInstanceUid, series);
    }
    series.last += 1;
    return { kind: 0, study: study.study, series: series.series, number: series.last };
  }
}

export function mediaTypeOf({ kind }: Pick<ItemName, 'kind'>): string {
  return kind === 0 ? DICOM : (reportKinds[kind - 1] ?? 'application/octet-stream');
}

/**
 * The name of an item in an archive: DICOM/ST000001/SE000001/IM000001.dcm, as on the discs that hospitals
 * know, or reports/1.pdf.
 */
export function entryName(name: ItemName): string {
  const { kind, study, series, number } = name;
  if (kind !== 0) return `reports/${number.toString()}.${extensionOf(mediaTypeOf(name))}`;
  return `DICOM/ST${six(study)}/SE${six(series)}/IM${six(number)}.dcm`;
}

/** The length of the same, without making it: an archive is laid out by the names of all its entries. */
export function entryNameBytes(name: ItemName): number {
  const { kind, study, series, number } = name;
  const isUsual = kind === 0 && Math.max(study, series, number) <= usualMax;
  return isUsual ? usualBytes : entryName(name).length;
}

/** Numbers that six digits hold. */
const usualMax = 999_999;
const usualBytes = 'DICOM/ST000001/SE000001/IM000001.dcm'.length;

function six(number: number): string {
  return number.toString().padStart(6, '0');
}

function extensionOf(mediaType: string): string {
  if (mediaType === 'application/pdf') return 'pdf';
  if (mediaType === 'text/plain') return 'txt';
  return /[/+]xml$/.test(mediaType) ? 'xml' : 'bin';
}
