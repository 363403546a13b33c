import { type Header, VR, vrCode } from './element.ts';
import { DicomError } from './error.ts';
import { OTHER_IDS_BYTES_MAX, PATIENT_BYTES_MAX, VALUE_BYTES_MAX } from './limits.ts';
import {
  checkItems,
  endOf,
  isSequenceVr,
  PATIENT_ATTRIBUTES,
  type PatientAttribute,
  type PatientSites,
  type PresentSite,
  presentSite,
  type Site,
} from './sites.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import type { Window } from './window.ts';

/** Of an attribute whose place is still ahead. */
const UNMET: Site = { state: 'absent', at: 0 };

/** Finds, along the elements of the top level, the places of what a dialect writes of group 0010. */
export class PatientSiteFinder {
  readonly #window: Window;
  readonly #encoding: Encoding;
  /** All fields from the start: growing one by one they took a tenth of a scan. */
  readonly #sites: Record<PatientAttribute, Site> = {
    patientId: UNMET,
    issuerOfPatientId: UNMET,
    typeOfPatientId: UNMET,
    issuerOfPatientIdQualifiers: UNMET,
    otherPatientIds: UNMET,
    otherPatientIdsSequence: UNMET,
  };
  /** Attributes whose place is behind; their order is that of the tags. */
  #passed = 0;
  /** Of the next one; nearly every element is held against it alone. */
  #tag = tagOf(PATIENT_ATTRIBUTES[0]);

  constructor(window: Window, encoding: Encoding) {
    this.#window = window;
    this.#encoding = encoding;
  }

  /** The next element begins at `at`: what has a smaller tag and was not found is absent. */
  meet(tag: number, at: number): void {
    while (tag > this.#tag) {
      const attribute = PATIENT_ATTRIBUTES[this.#passed];
      if (attribute === undefined) return;
      if (this.#sites[attribute] === UNMET) this.#sites[attribute] = { state: 'absent', at };
      this.#passed += 1;
      this.#tag = tagOf(PATIENT_ATTRIBUTES[this.#passed]);
    }
  }

  /** The element that was met ends at `end`. Throws MALFORMED when it is one of them and cannot be rewritten. */
  found(tag: number, at: number, header: Header, end: number): void {
    if (tag !== this.#tag) return;
    const attribute = PATIENT_ATTRIBUTES[this.#passed];
    if (attribute === undefined) return;
    const site = presentSite(at, header, end);
    checkPatientSite(this.#window, attribute, site, this.#encoding);
    this.#sites[attribute] = site;
  }

  /** All of them; the elements that were met end at `at`. */
  end(at: number): PatientSites {
    this.meet(Number.POSITIVE_INFINITY, at);
    checkPatientBytes(this.#sites);
    return this.#sites;
  }
}

function tagOf(attribute: PatientAttribute | undefined): number {
  return attribute === undefined ? Number.POSITIVE_INFINITY : Tag[attribute];
}

/**
 * Throws MALFORMED unless the element can be read and written again: a text as a text, a sequence as
 * items and nothing else.
 */
function checkPatientSite(
  window: Window,
  attribute: PatientAttribute,
  site: PresentSite,
  encoding: Encoding,
): void {
  const tag = Tag[attribute];
  const isSequence = SEQUENCES.has(attribute);
  const name = NAMES[attribute];
  const fault = (what: string) => new DicomError('MALFORMED', `${name} ${what}`, site.at, tag);
  if (isSequence ? !isSequenceVr(site.vr) : site.state === 'undefined' || !TEXTS.has(site.vr)) {
    throw fault(`is not written as a ${isSequence ? 'sequence' : 'text'}`);
  }
  if (endOf(site) - site.from > (BYTES_MAX[attribute] ?? VALUE_BYTES_MAX)) throw fault('is far too long');
  if (isSequence) checkItems(window, tag, site, encoding);
}

/** Throws MALFORMED when what a patch reads again lies too far apart. */
function checkPatientBytes(sites: PatientSites): void {
  const bytes = patientBytes(sites);
  if (bytes === undefined || bytes.end - bytes.start <= PATIENT_BYTES_MAX) return;
  throw new DicomError(
    'MALFORMED',
    'the elements of the patient are far too long',
    bytes.start,
    Tag.patientId,
  );
}

/** From the first of the attributes that are there to the end of the last; undefined when none is. */
export function patientBytes(sites: PatientSites): { start: number; end: number } | undefined {
  let start = -1;
  let end = -1;
  for (const attribute of PATIENT_ATTRIBUTES) {
    const site = sites[attribute];
    if (site.state === 'absent') continue;
    if (start < 0) start = site.at;
    end = endOf(site);
  }
  return start < 0 ? undefined : { start, end };
}

const SEQUENCES: ReadonlySet<PatientAttribute> = new Set([
  'issuerOfPatientIdQualifiers',
  'otherPatientIdsSequence',
]);

/** Whatever holds characters; writers take SH and the like for LO. */
const TEXTS: ReadonlySet<number> = new Set([
  VR.none,
  ...'AE AS CS DA DS DT IS LO LT OB PN SH ST TM UC UI UN UR UT'.split(' ').map(vrCode),
]);

const BYTES_MAX: Readonly<Partial<Record<PatientAttribute, number>>> = {
  otherPatientIds: OTHER_IDS_BYTES_MAX,
  issuerOfPatientIdQualifiers: OTHER_IDS_BYTES_MAX,
  otherPatientIdsSequence: OTHER_IDS_BYTES_MAX,
};

const NAMES: Readonly<Record<PatientAttribute, string>> = {
  patientId: 'Patient ID',
  issuerOfPatientId: 'Issuer of Patient ID',
  typeOfPatientId: 'Type of Patient ID',
  issuerOfPatientIdQualifiers: 'Issuer of Patient ID Qualifiers Sequence',
  otherPatientIds: 'Other Patient IDs',
  otherPatientIdsSequence: 'Other Patient IDs Sequence',
};
