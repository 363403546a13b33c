/** Why a report cannot be shown as a PDF, in words without a value of it. Plain data. */
export interface RenderingFault {
  readonly fault: string;
}

/** Thrown inside this folder only; what it exports answers with a RenderingFault. */
export class ReportUnreadable extends Error {
  override readonly name = 'ReportUnreadable';
}
