import type { BsnFinding } from '../dicom/identity.ts';

/** What an instance, or all instances of a study or patient, say about the patient's BSN. */
export type Standing =
  /** Each of them has it, in a place that counts. */
  | 'found'
  /** Some of them have it. */
  | 'partly'
  /** A number passes the 11-proof and nothing says that it is a BSN; one in eleven numbers does. */
  | 'hint'
  | 'missing'
  /** Two different ones. */
  | 'conflict';

export interface Place {
  readonly source: BsnFinding['source'];
  readonly confidence: BsnFinding['confidence'];
}

/** In the clear, and only with --show-numbers. */
export interface Numbers {
  readonly patientId: string;
  readonly issuerOfPatientId: string;
  /** Of what was found, hints included. */
  readonly bsn: readonly string[];
}

/** One file, or one entry of a ZIP archive. */
export interface FileRow {
  readonly level: 'file';
  readonly file: string;
  /** Name within the archive; null for a file by itself. */
  readonly entry: string | null;
  /** Running number; null where no Patient ID stands, or too many were seen. */
  readonly patient: number | null;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly sopInstanceUid: string;
  /** null for what is no instance. */
  readonly bsn: Standing | null;
  readonly findings: readonly Place[];
  readonly invalid: boolean;
  /** True when a sequence or private element names somebody else. */
  readonly foreign: boolean;
  readonly signed: boolean;
  /** A reason code; null when nothing is the matter with the file itself. */
  readonly problem: string | null;
  readonly detail: string | null;
  readonly numbers?: Numbers;
}

/** All instances of one study of one patient, or of one patient: how many of them are what. */
export interface GroupRow {
  readonly level: 'study' | 'patient';
  readonly patient: number | null;
  /** null in the row of a patient. */
  readonly studyInstanceUid: string | null;
  readonly instances: number;
  readonly bsn: Standing;
  readonly found: number;
  readonly findings: readonly (Place & { readonly instances: number })[];
  readonly invalid: number;
  readonly foreign: number;
  readonly signed: number;
  readonly numbers?: Numbers;
}

/** The last row. */
export interface Summary {
  readonly level: 'summary';
  /** Looked at, entries of archives included. */
  readonly files: number;
  readonly instances: number;
  readonly patients: number;
  readonly studies: number;
  /** Instances by what they say. */
  readonly bsn: Readonly<Record<Exclude<Standing, 'partly'>, number>>;
  /** Of the instances, 0 to 100 with one decimal. */
  readonly percent: Readonly<Record<Exclude<Standing, 'partly'>, number>>;
  /** Instances by place; one can have several. */
  readonly findings: readonly (Place & { readonly instances: number; readonly percent: number })[];
  readonly invalid: number;
  readonly foreign: number;
  readonly signed: number;
  readonly conflictingPatients: number;
  readonly conflictingStudies: number;
  /** Files that are no instances, by reason. */
  readonly problems: Readonly<Record<string, number>>;
  /** Instances that are counted here and in no patient's or study's row: there were too many. */
  readonly ungrouped: number;
}
