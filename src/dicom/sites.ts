import { HEADER_BYTES_MIN, type Header, UNDEFINED, VR } from './element.ts';
import { DicomError } from './error.ts';
import type { Encoding } from './syntaxes.ts';
import { visitItems } from './visit.ts';
import type { Window } from './window.ts';

/** Where the edits of a patch go; offsets in the instance. Plain data, as all of a scan. */
export interface Sites extends PatientSites {
  /** `unknown` when the head could not be followed so far. */
  readonly originalAttributes: Site | { readonly state: 'unknown' };
  /** The tags of the top level that a signature covers; `unknown` when the head could not be followed so far. */
  readonly signed: readonly number[] | 'all' | 'unknown';
  /** The groups a patch may change that have a (gggg,0000). */
  readonly groups: readonly CountedGroup[];
}

/** What a dialect writes of group 0010. */
export interface PatientSites {
  readonly patientId: Site;
  readonly issuerOfPatientId: Site;
  readonly typeOfPatientId: Site;
  readonly issuerOfPatientIdQualifiers: Site;
  readonly otherPatientIds: Site;
  readonly otherPatientIdsSequence: Site;
}

export type PatientAttribute = keyof PatientSites;

export type Site = AbsentSite | PresentSite;

export interface AbsentSite {
  readonly state: 'absent';
  /** Where it would be by the order of tags. */
  readonly at: number;
}

export interface PresentSite {
  /** Of its length. */
  readonly state: 'defined' | 'undefined';
  /** Its first byte. */
  readonly at: number;
  /** Its value, without the delimiter of an undefined length. */
  readonly from: number;
  readonly to: number;
  /** See VR; 0 in implicit VR. */
  readonly vr: number;
}

export interface CountedGroup {
  readonly group: number;
  /** First byte of the element (gggg,0000), and of its value of 4 bytes. */
  readonly at: number;
  readonly lengthAt: number;
  /** What it counts: from behind it to the end of the group; null when that is out of sight. */
  readonly from: number;
  readonly to: number | null;
}

/** The attributes in the order of their tags. */
export const PATIENT_ATTRIBUTES: readonly PatientAttribute[] = [
  'patientId',
  'issuerOfPatientId',
  'typeOfPatientId',
  'issuerOfPatientIdQualifiers',
  'otherPatientIds',
  'otherPatientIdsSequence',
];

/** The offset behind the whole element. */
export function endOf(site: PresentSite): number {
  return site.state === 'undefined' ? site.to + HEADER_BYTES_MIN : site.to;
}

/** How the items of a sequence are written: a UN value is implicit little endian whatever the dataset is (PS3.5 section 6.2.2). */
export function itemEncoding(site: Site, dataset: Encoding): Encoding {
  return site.state !== 'absent' && site.vr === VR.UN ? 'implicit-le' : dataset;
}

/** The site of the element with this header, once its end is known. */
export function presentSite(at: number, header: Header, end: number): PresentSite {
  const open = header.length === UNDEFINED;
  const to = open ? end - HEADER_BYTES_MIN : end;
  return { state: open ? 'undefined' : 'defined', at, from: at + header.bytes, to, vr: header.vr };
}

export function isSequenceVr(vr: number): boolean {
  return vr === VR.SQ || vr === VR.UN || vr === VR.none;
}

/** Throws DicomError unless the value is items and nothing else. */
export function checkItems(window: Window, tag: number, site: PresentSite, encoding: Encoding): void {
  const open = site.state === 'undefined';
  const limit = endOf(site);
  window.require(limit, site.at, tag);
  const inside = itemEncoding(site, encoding);
  const end = visitItems(window, { tag, from: site.from, limit, open, encoding: inside }, () => undefined);
  if (end !== limit) throw new DicomError('MALFORMED', 'the sequence has two ends', site.at, tag);
}
