import { decideBsn, type Identity } from '../dicom/identity.ts';
import { Group } from './bsn-report-group.ts';
import type { Look } from './bsn-report-look.ts';
import type { FileRow, GroupRow, Numbers, Standing, Summary } from './bsn-report-rows.ts';
import { REPORT_PATIENTS_MAX, REPORT_STUDIES_MAX } from './limits.ts';

interface Patient {
  readonly group: Group;
  readonly number: number;
  readonly patientId: string;
  readonly issuerOfPatientId: string;
}

interface Study {
  readonly group: Group;
  readonly studyInstanceUid: string;
  readonly patient: Patient | undefined;
}

/**
 * Counts what was looked at, by study and by patient. Grows with the number of those up to its limits,
 * not with the number of files. Holds patient data; its rows do not, unless `showsNumbers` says so for it.
 */
export class Tally {
  readonly showsNumbers: boolean;
  readonly #all = new Group();
  /** By Patient ID and issuer. */
  readonly #patients = new Map<string, Patient>();
  /** By patient and Study Instance UID: a study of two patients is two. */
  readonly #studies = new Map<string, Study>();
  readonly #byNumber: Patient[] = [];
  readonly #problems = new Map<string, number>();
  #files = 0;
  #ungrouped = 0;

  constructor(showsNumbers: boolean) {
    this.showsNumbers = showsNumbers;
  }

  /** Counts one file; the row says what it is by itself. */
  add({ file, entry, scan, identity, signed, problem, detail }: Look): FileRow {
    this.#files += 1;
    const patient = identity === undefined ? undefined : this.#patientOf(identity);
    const row = {
      level: 'file',
      file,
      entry,
      patient: patient?.number ?? null,
      studyInstanceUid: scan?.studyInstanceUid ?? '',
      seriesInstanceUid: scan?.seriesInstanceUid ?? '',
      sopInstanceUid: scan?.sopInstanceUid ?? '',
      problem,
      detail,
    } as const;
    if (problem !== null) this.#problems.set(problem, (this.#problems.get(problem) ?? 0) + 1);
    if (identity === undefined) {
      return { ...row, bsn: null, findings: [], invalid: false, foreign: false, signed: false };
    }
    const standing = standingOf(identity);
    const { bsnInvalid: invalid, nestedIdentity: foreign, bsn: findings } = identity;
    const counted = { standing, findings, invalid, foreign, signed };
    this.#all.add(counted);
    patient?.group.add(counted);
    const study = this.#studyOf(row.studyInstanceUid, patient);
    study?.group.add(counted);
    if (study === undefined || (patient === undefined && identity.patientId !== '')) this.#ungrouped += 1;
    return {
      ...row,
      bsn: standing,
      findings: findings.map(({ source, confidence }) => ({ source, confidence })),
      invalid,
      foreign,
      signed,
      ...this.#numbers(
        identity,
        findings.map(({ value }) => value),
      ),
    };
  }

  /** Each study in the order of its first file, then each patient. */
  *groups(): Generator<GroupRow> {
    for (const { group, studyInstanceUid, patient } of this.#studies.values()) {
      yield this.#rowOf('study', group, studyInstanceUid, patient);
    }
    for (const patient of this.#patients.values()) yield this.#rowOf('patient', patient.group, null, patient);
  }

  /** What a patient's instances say, in whichever study; undefined for a number that nobody has. */
  standingOf(patient: number | null): Standing | undefined {
    return patient === null ? undefined : this.#byNumber[patient - 1]?.group.standing;
  }

  summary(): Summary {
    const { instances, standings, invalid, foreign, signed } = this.#all;
    const percent = (count: number): number =>
      instances === 0 ? 0 : Math.round((1000 * count) / instances) / 10;
    const { found, hint, missing, conflict } = standings;
    return {
      level: 'summary',
      files: this.#files,
      instances,
      patients: this.#patients.size,
      studies: this.#studies.size,
      bsn: { found, hint, missing, conflict },
      percent: {
        found: percent(found),
        hint: percent(hint),
        missing: percent(missing),
        conflict: percent(conflict),
      },
      findings: this.#all.findings().map((one) => ({ ...one, percent: percent(one.instances) })),
      invalid,
      foreign,
      signed,
      conflictingPatients: countConflicts(this.#patients.values()),
      conflictingStudies: countConflicts(this.#studies.values()),
      problems: Object.fromEntries([...this.#problems].sort(([a], [b]) => (a < b ? -1 : 1))),
      ungrouped: this.#ungrouped,
    };
  }

  #patientOf({ patientId, issuerOfPatientId }: Identity): Patient | undefined {
    if (patientId === '') return undefined;
    const key = `${patientId}\0${issuerOfPatientId}`;
    const known = this.#patients.get(key);
    if (known !== undefined || this.#patients.size >= REPORT_PATIENTS_MAX) return known;
    const number = this.#patients.size + 1;
    const patient = { group: new Group(), number, patientId, issuerOfPatientId };
    this.#patients.set(key, patient);
    this.#byNumber.push(patient);
    return patient;
  }

  #studyOf(studyInstanceUid: string, patient: Patient | undefined): Study | undefined {
    const key = `${patient?.number.toString() ?? ''} ${studyInstanceUid}`;
    const known = this.#studies.get(key);
    if (known !== undefined || this.#studies.size >= REPORT_STUDIES_MAX) return known;
    const study = { group: new Group(), studyInstanceUid, patient };
    this.#studies.set(key, study);
    return study;
  }

  #rowOf(
    level: GroupRow['level'],
    group: Group,
    studyInstanceUid: string | null,
    patient: Patient | undefined,
  ): GroupRow {
    const { instances, standing, standings, invalid, foreign, signed } = group;
    return {
      level,
      patient: patient?.number ?? null,
      studyInstanceUid,
      instances,
      bsn: standing,
      found: standings.found,
      findings: group.findings(),
      invalid,
      foreign,
      signed,
      ...this.#numbers(patient ?? { patientId: '', issuerOfPatientId: '' }, group.numbers),
    };
  }

  #numbers(
    { patientId, issuerOfPatientId }: Omit<Numbers, 'bsn'>,
    bsn: readonly string[],
  ): { numbers?: Numbers } {
    return this.showsNumbers ? { numbers: { patientId, issuerOfPatientId, bsn: [...new Set(bsn)] } } : {};
  }
}

function standingOf({ bsn }: Identity): Exclude<Standing, 'partly'> {
  const decided = decideBsn(bsn);
  if (decided !== undefined) return 'bsn' in decided ? 'found' : 'conflict';
  return bsn.some(({ confidence }) => confidence === 'hint') ? 'hint' : 'missing';
}

function countConflicts(groups: Iterable<{ readonly group: Group }>): number {
  let count = 0;
  for (const { group } of groups) count += group.standing === 'conflict' ? 1 : 0;
  return count;
}
