import type { InstanceRecord, TransferRecord } from '../state/records.ts';
import { problemsShownMax } from './limits.ts';
import type { Manifest } from './manifest.ts';
import { effectOf } from './reasons.ts';

/**
 * What the instances of one transfer amount to, as far as they were looked at. None of them ever changes,
 * so what comes later is added, and nothing is looked at twice.
 */
export class Judgement {
  /** Instances the manifest lists, when it was sealed: what was found before it is looked at again. */
  readonly expected: number | null;
  /** The number of the next instance to look at. */
  next = 0;
  readonly #codes = new Set<string>();
  readonly #problems: number[] = [];
  #accepted = 0;
  /** Listed UIDs that are there: of equal instances only one is kept (checking.ts). */
  #matched = 0;
  #patientMac: string | null = null;

  constructor(expected: number | null) {
    this.expected = expected;
  }

  /** Looks at the next instance. */
  add(instance: InstanceRecord, manifest: Manifest | undefined): void {
    if (instance.reasons.length > 0 && this.#problems.length < problemsShownMax) {
      this.#problems.push(this.next);
    }
    this.next++;
    for (const code of instance.reasons) {
      this.#codes.add(code);
    }
    this.#addPatient(instance.patientMac);
    this.#accepted += instance.verdict === 'rejected' ? 0 : 1;
    // Without a UID it is rejected for that, and nobody could have listed it.
    const listed = instance.sopInstanceUid === '' ? undefined : manifest?.compare(instance);
    if (listed === 'not-listed') {
      this.#codes.add('NOT_LISTED');
    } else if (listed === 'different') {
      this.#codes.add('DIGEST_DIFFERS');
    } else if (listed === 'equal') {
      this.#matched++;
    }
  }

  /** What becomes of the transfer; undefined while something may still come. */
  verdict(
    transfer: TransferRecord,
    { allKnown }: { allKnown: boolean },
  ): Pick<TransferRecord, 'state' | 'reasons' | 'problems'> | undefined {
    const codes = new Set([...transfer.reasons, ...this.#codes]);
    const problems = this.#problems;
    if ([...codes].some((code) => effectOf(code, transfer.priority) !== 'flag')) {
      return { state: this.#accepted === 0 ? 'rejected' : 'held', reasons: [...codes], problems };
    }
    if (this.expected === null ? !transfer.selfManifest : this.#matched < this.expected) {
      // What was sent instead of a listed instance has come, and nothing more is on its way.
      const isWrong = allKnown && codes.has('DIGEST_DIFFERS');
      return isWrong ? { state: 'held', reasons: [...codes], problems } : undefined;
    }
    if (transfer.instances === 0) {
      return { state: 'rejected', reasons: [...codes, 'PACKAGE_BROKEN'], problems };
    }
    if (transfer.bsn === null) {
      codes.add('BSN_MISSING');
    }
    return { state: 'ready', reasons: [...codes], problems };
  }

  /** Objects that name no patient prove nothing about mixing. */
  #addPatient(mac: string | null): void {
    if (mac !== null && this.#patientMac !== null && mac !== this.#patientMac) {
      this.#codes.add('PATIENT_MIXED');
    }
    this.#patientMac ??= mac;
  }
}
