/** What the caller should do next. Decided where the error is made, because only that place knows. */
export type Remedy = 'retry' | 'resume' | 'give-up' | 'fix-request';

/** Facts for logs, metrics and problem answers. Never patient data. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>;

/**
 * The root of every error this program makes on purpose.
 *
 * `code` is what scripts match on and never changes; the message is a sentence for a person and says
 * what to do next where that is not obvious. The HTTP status is a table in http/problem.ts.
 */
export abstract class SluisError extends Error {
  abstract readonly code: `SLUIS_${string}`;
  abstract readonly remedy: Remedy;
  readonly facts: ErrorFacts = {};
}

/** A part of the program cannot go on; the process ends with `exitCode` (table in README). */
export class Fatal extends SluisError {
  override readonly name = 'Fatal';
  readonly code = 'SLUIS_FATAL';
  readonly remedy = 'give-up';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** Turns whatever was thrown into an Error, keeping it as the cause. Used once at each boundary. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
