import { type BsnFinding, decideBsn } from '../dicom/identity.ts';
import type { Place, Standing } from './bsn-report-rows.ts';
import { REPORT_NUMBERS_MAX } from './limits.ts';

/** What is counted of an instance. */
export interface Counted {
  readonly standing: Exclude<Standing, 'partly'>;
  readonly findings: readonly BsnFinding[];
  readonly invalid: boolean;
  readonly foreign: boolean;
  readonly signed: boolean;
}

const PLACES: Place[] = [];

/** Place number of a finding: there are few, and a group is kept for every study of an archive. */
function placeOf({ source, confidence }: BsnFinding): number {
  const at = PLACES.findIndex((one) => one.source === source && one.confidence === confidence);
  return at < 0 ? PLACES.push({ source, confidence }) - 1 : at;
}

/** The instances of a study, of a patient, or all of them; then `standing` says nothing. */
export class Group {
  instances = 0;
  invalid = 0;
  foreign = 0;
  signed = 0;
  /** Different numbers that claim to be the patient's BSN. Patient data. */
  readonly numbers: string[] = [];
  readonly #standings = { found: 0, hint: 0, missing: 0, conflict: 0 };
  /** Instances by place number. */
  readonly #places: number[] = [];

  add(counted: Counted): void {
    this.instances += 1;
    this.#standings[counted.standing] += 1;
    this.invalid += Number(counted.invalid);
    this.foreign += Number(counted.foreign);
    this.signed += Number(counted.signed);
    for (const place of new Set(counted.findings.map(placeOf))) {
      while (this.#places.length <= place) this.#places.push(0);
      this.#places[place] = (this.#places[place] ?? 0) + 1;
    }
    for (const finding of counted.findings) {
      const isClaim = decideBsn([finding]) !== undefined;
      if (!isClaim || this.numbers.includes(finding.value)) continue;
      if (this.numbers.length < REPORT_NUMBERS_MAX) this.numbers.push(finding.value);
    }
  }

  get standings(): Readonly<Record<Exclude<Standing, 'partly'>, number>> {
    return this.#standings;
  }

  get standing(): Standing {
    const { found, hint } = this.#standings;
    if (this.numbers.length > 1) return 'conflict';
    if (found > 0) return found === this.instances ? 'found' : 'partly';
    return hint > 0 ? 'hint' : 'missing';
  }

  /** By place, in the order of the tags. */
  findings(): (Place & { readonly instances: number })[] {
    return PLACES.flatMap((place, at) => {
      const instances = this.#places[at] ?? 0;
      return instances === 0 ? [] : [{ ...place, instances }];
    }).sort((a, b) => (`${a.source} ${a.confidence}` < `${b.source} ${b.confidence}` ? -1 : 1));
  }
}
