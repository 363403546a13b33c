import type { Form } from '../dicom/scan.ts';
import type { FileRange } from '../storage/storage.ts';
import type { ReportLanguage } from '../study/rendering/printed-report.ts';
import type { Inspection, Piece } from './jobs.ts';

/** A report to be made into an Encapsulated PDF instance, once. */
export interface RenderJob {
  readonly of:
    | { readonly kind: 'sr'; readonly form: Form }
    /** `context`: the head of an instance of the study that the document belongs to. */
    | { readonly kind: 'pdf' | 'cda' | 'text'; readonly context: RenderContext };
  readonly source: readonly Piece[];
  /** Behind the source: the rest of an instance whose dataset is deflated, as one raw deflate stream. */
  readonly deflatedRest: readonly Piece[];
  /** Of what it is made from, as it was sent. */
  readonly sourceSha256: Uint8Array;
  readonly language: ReportLanguage;
  /** Path of a file that is there. What it holds gives way. */
  readonly into: string;
}

/** Where the first bytes of an instance lie, of which there are `bytes`. */
export interface RenderContext {
  readonly pieces: readonly FileRange[];
  readonly bytes: number;
  readonly form: Form;
}

export interface RenderResult {
  /** Of the new instance; undefined when none could be made. */
  readonly inspection: Inspection | undefined;
  readonly bytes: number;
  /** Why none could be made; without a value of the report. */
  readonly fault: string | undefined;
}
