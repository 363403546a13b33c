import type { InstanceRecord, NestedIdentityPolicy, TransferRecord } from '../state/records.ts';
import { isStructuredReport } from '../study/rendering/sr-document.ts';
import { Demographics } from './demographics.ts';
import { problemsShownMax, renderedMax } from './limits.ts';
import type { Manifest } from './manifest.ts';
import { effectOf } from './reasons.ts';

/** Numbers of the items that matter to who wants PDFs: of each kind one more than are made, at most. */
export interface Renderable {
  readonly reports: readonly number[];
  readonly structuredReports: readonly number[];
  /** The first item that names a study; undefined when none does. */
  readonly study: number | undefined;
}

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
  readonly #reports: number[] = [];
  readonly #structuredReports: number[] = [];
  #study: number | undefined;
  #accepted = 0;
  /** Listed items that are there: of equal ones only one is kept (checking.ts). */
  #matched = 0;
  #patientMac: string | null = null;
  /** Another person stands in an element of the standard, which cannot be taken out. */
  #isForeignStandard = false;
  /** … or in more elements than are listed. */
  #isForeignUnknown = false;
  readonly #demographics = new Demographics();

  constructor(expected: number | null) {
    this.expected = expected;
  }

  get renderable(): Renderable {
    return { reports: this.#reports, structuredReports: this.#structuredReports, study: this.#study };
  }

  /** Looks at the next instance. */
  add(instance: InstanceRecord, manifest: Manifest | undefined): void {
    if (instance.reasons.length > 0 && this.#problems.length < problemsShownMax) {
      this.#problems.push(this.next);
    }
    this.#addRenderable(instance);
    this.#isForeignStandard ||= instance.foreign.some(({ tag }) => !isPrivate(tag));
    this.#isForeignUnknown ||= instance.reasons.includes('NESTED_IDENTITY') && instance.foreign.length === 0;
    this.next++;
    for (const code of instance.reasons) {
      this.#codes.add(code);
    }
    this.#addPatient(instance);
    this.#accepted += instance.verdict === 'rejected' ? 0 : 1;
    const listed = listingOf(instance, manifest);
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
    { allKnown, nestedIdentity }: { allKnown: boolean; nestedIdentity: readonly NestedIdentityPolicy[] },
  ): Pick<TransferRecord, 'state' | 'reasons' | 'problems'> | undefined {
    const codes = new Set([...transfer.reasons, ...this.#codes]);
    const problems = this.#problems;
    const isHeld =
      codes.has('NESTED_IDENTITY') && transfer.priority !== 'acute' && this.#stops(nestedIdentity);
    if (isHeld || [...codes].some((code) => effectOf(code, transfer.priority) !== 'flag')) {
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

  /** Whether a receiver does not take what names somebody else: `strip` takes out private elements only. */
  #stops(policies: readonly NestedIdentityPolicy[]): boolean {
    const canBeStripped = !this.#isForeignStandard && !this.#isForeignUnknown;
    return policies.includes('hold') || (policies.includes('strip') && !canBeStripped);
  }

  #addRenderable({ report, scan }: InstanceRecord): void {
    if ((scan?.studyInstanceUid ?? '') !== '') {
      this.#study ??= this.next;
    }
    const isSr = isStructuredReport(scan?.sopClassUid ?? '');
    const list = report !== null ? this.#reports : isSr ? this.#structuredReports : undefined;
    if (list !== undefined && list.length <= renderedMax) {
      list.push(this.next);
    }
  }

  /** Objects that name no patient prove nothing about mixing. */
  #addPatient({ patientMac: mac, demographics }: InstanceRecord): void {
    if (mac !== null && this.#patientMac !== null && mac !== this.#patientMac) {
      // Somebody else may well have another name.
      this.#codes.add('PATIENT_MIXED');
      return;
    }
    this.#patientMac ??= mac;
    if (demographics !== null && this.#demographics.differs(demographics)) {
      this.#codes.add('DEMOGRAPHICS_DIFFER');
    }
  }
}

/** What the manifest says of an item; undefined for what it cannot list, which is no fault. */
function listingOf(
  instance: InstanceRecord,
  manifest: Manifest | undefined,
): ReturnType<Manifest['compare']> | undefined {
  // What is made here was never sent.
  if (instance.derivedFrom !== null) {
    return undefined;
  }
  if (instance.report !== null) {
    return manifest?.compareReport(instance);
  }
  // Without a UID it is rejected for that, and nobody could have listed it.
  return instance.sopInstanceUid === '' ? undefined : manifest?.compare(instance);
}

/** PS3.5 section 7.8.1: an odd group is somebody's own. */
function isPrivate(tag: number): boolean {
  return (tag >>> 16) % 2 === 1;
}
