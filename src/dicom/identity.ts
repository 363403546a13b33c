import type { BsnFinding } from './bsn.ts';
import { findBsns } from './bsn-places.ts';
import { decodeText } from './charset.ts';
import type { ForeignElement } from './foreign.ts';
import { readIdentityValues } from './identity-values.ts';
import { IDENTITY_BYTES } from './limits.ts';
import { findOtherPeople } from './other-people.ts';
import type { Scan } from './scan.ts';
import { Tag } from './tags.ts';
import { NO_BYTES, plainText, trimPadding } from './text.ts';
import { Window } from './window.ts';

export { type BsnFinding, decideBsn } from './bsn.ts';

/** Who an instance says it is about. Patient data: seal it before it is stored, never log it. */
export interface Identity {
  readonly patientId: string;
  readonly issuerOfPatientId: string;
  readonly patientName: string;
  readonly patientBirthDate: string;
  readonly patientSex: string;
  readonly accessionNumber: string;
  readonly bsn: readonly BsnFinding[];
  /** A place says that it holds a BSN, and what it holds is none. */
  readonly bsnInvalid: boolean;
  /** A nested dataset, private ones included, names somebody whom the dataset itself does not name. */
  readonly nestedIdentity: boolean;
  /**
   * The top-level elements inside of which that person stands. Empty beside a nestedIdentity when they cannot
   * all be taken out: there are more than can be listed, or the dataset begins with one.
   */
  readonly foreign: readonly ForeignElement[];
  /** (0008,0005) as it stands there. */
  readonly charset: string;
}

/**
 * Reads who the instance is about: from its own top level only, since sequences hold other people too
 * (Dutch archives keep the history of corrected identities in private ones). '' is what is absent.
 *
 * `window` is at least what scan() was given, and IDENTITY_BYTES of it where there are as many. What lies
 * behind both, or reaches behind it, is not looked at, so that the answer does not depend on how the bytes
 * came. Never throws, for whatever bytes scan() accepted.
 */
export function identify(window: Uint8Array, scan: Scan): Identity {
  const bytes = window.subarray(0, Math.max(IDENTITY_BYTES, scan.scannedTo));
  const looked = new Window(bytes, bytes.byteLength);
  const values = readIdentityValues(looked, scan);
  const people = findOtherPeople(looked, values);
  const bsns = findBsns(values, people.bsns);
  const raw = (tag: number) => values.own.get(tag) ?? NO_BYTES;
  const charset = plainText(raw(Tag.specificCharacterSet));
  const text = (tag: number) => trimPadding(decodeText(raw(tag), charset));
  return {
    patientId: text(Tag.patientId),
    issuerOfPatientId: text(Tag.issuerOfPatientId),
    patientName: text(Tag.patientName),
    patientBirthDate: text(Tag.patientBirthDate),
    patientSex: text(Tag.patientSex),
    accessionNumber: text(Tag.accessionNumber),
    bsn: bsns.findings,
    bsnInvalid: bsns.invalid,
    nestedIdentity: people.present,
    // A dataset that begins with one may hold nothing else, and an instance without a dataset is none.
    foreign: people.foreign.some(({ at }) => at === scan.datasetAt) ? [] : people.foreign,
    charset,
  };
}
