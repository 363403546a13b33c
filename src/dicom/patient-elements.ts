import { tagAt } from './element.ts';
import { DicomError } from './error.ts';
import { type OtherId, type ReadQualifiers, readOtherIds, readQualifiers } from './other-ids.ts';
import { patientBytes } from './patient-sites.ts';
import type { Scan } from './scan.ts';
import { endOf, itemEncoding, PATIENT_ATTRIBUTES, type PatientAttribute, type Site } from './sites.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { plainText } from './text.ts';

/** The attributes that a patch may change, as they stand in the stored bytes. */
export class PatientElements {
  readonly dataset: Encoding;
  readonly #scan: Scan;
  readonly #seen: Uint8Array;
  readonly #start: number;

  /**
   * `seen` are the bytes that patientBytes() names.
   *
   * @throws RangeError when they are not as many
   * @throws DicomError when they are others
   */
  constructor(scan: Scan, seen: Uint8Array | undefined) {
    const wanted = patientBytes(scan.sites);
    if (wanted !== undefined && seen?.byteLength !== wanted.end - wanted.start) {
      throw new RangeError('patch() was not given the bytes it needs');
    }
    this.dataset = scan.encoding;
    this.#scan = scan;
    this.#seen = wanted === undefined ? new Uint8Array(0) : (seen ?? new Uint8Array(0));
    this.#start = wanted?.start ?? 0;
    this.#check();
  }

  site(attribute: PatientAttribute): Site {
    return this.#scan.sites[attribute];
  }

  /** Header, value and delimiter; empty when the attribute is absent. */
  element(attribute: PatientAttribute): Uint8Array {
    const site = this.site(attribute);
    return site.state === 'absent' ? EMPTY : this.#cut(site.at, endOf(site));
  }

  /** The value alone; empty when the attribute is absent. */
  value(attribute: PatientAttribute): Uint8Array {
    const site = this.site(attribute);
    return site.state === 'absent' ? EMPTY : this.#cut(site.from, site.to);
  }

  /** The value without padding, byte for character. */
  text(attribute: PatientAttribute): string {
    return plainText(this.value(attribute));
  }

  /** What (0010,0024) says; undefined when it says nothing. */
  qualifiers(): ReadQualifiers | undefined {
    const attribute = 'issuerOfPatientIdQualifiers';
    return readQualifiers(this.value(attribute), itemEncoding(this.site(attribute), this.dataset));
  }

  otherIds(): OtherId[] {
    const attribute = 'otherPatientIdsSequence';
    return readOtherIds(this.value(attribute), itemEncoding(this.site(attribute), this.dataset));
  }

  #cut(from: number, to: number): Uint8Array {
    return this.#seen.subarray(from - this.#start, to - this.#start);
  }

  /** Edits at places of one instance, made from the bytes of another, would be the worst that can happen. */
  #check(): void {
    const view = new DataView(this.#seen.buffer, this.#seen.byteOffset, this.#seen.byteLength);
    for (const attribute of PATIENT_ATTRIBUTES) {
      const site = this.site(attribute);
      if (site.state === 'absent') continue;
      const tag = Tag[attribute];
      if (tagAt(view, site.at - this.#start, this.dataset) !== tag) {
        throw new DicomError('MALFORMED', 'the bytes are not those that were scanned', site.at, tag);
      }
    }
  }
}

const EMPTY = new Uint8Array(0);
