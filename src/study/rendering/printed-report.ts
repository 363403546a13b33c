/** The languages that a page's own words are in. What the report says stays as it is. */
export type ReportLanguage = 'nl' | 'en';

/** A report ready to be laid out: every text is final, in the order in which it is read. Patient data. */
export interface PrintedReport {
  readonly language: ReportLanguage;
  readonly institution: string;
  readonly title: string;
  /** How final the report is, in words. */
  readonly status: string;
  /** Label and text of what the head of the first page says. */
  readonly head: readonly (readonly [label: string, text: string])[];
  /** Whose report it is, in one line for the foot of each page. */
  readonly patientLine: string;
  readonly blocks: readonly Block[];
  /** What it was made from, in words: SOP Instance UID 1.2.3. */
  readonly madeFrom: string;
  /** When the source says it was made. The PDF bears this date, and never that of the moment, to be the same each time. */
  readonly madeAt: Date;
}

/** `depth` counts from 0 and says how far the block is indented. */
export type Block =
  | { readonly kind: 'heading'; readonly depth: number; readonly text: string }
  | { readonly kind: 'text'; readonly depth: number; readonly text: string }
  /** A short value behind its name. */
  | { readonly kind: 'entry'; readonly depth: number; readonly label: string; readonly text: string };
