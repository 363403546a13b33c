import { pagesMax } from './limits.ts';

/** Why a report cannot be shown as a PDF, in words without a value of it. Plain data. */
export interface RenderingFault {
  readonly fault: string;
}

/** Thrown inside this folder only; what it exports answers with a RenderingFault. */
export class ReportUnreadable extends Error {
  override readonly name = 'ReportUnreadable';
}

/** What one report may come to is known in several places, and said in one way. */
export function tooLong(): ReportUnreadable {
  return new ReportUnreadable(`it has more than ${pagesMax.toString()} pages`);
}
