import { type ErrorFacts, SluisError } from '../ops/error.ts';

/** A file that is being sent is not the one that was planned. Make a new plan: what was sent is void. */
export class SourceChanged extends SluisError {
  override readonly name = 'SourceChanged';
  readonly code = 'SLUIS_STUDY_SOURCE_CHANGED';
  readonly remedy = 'fix-request';
  /** For the person at the command line; not a fact for logs, since names of files can hold names of patients. */
  readonly path: string;

  constructor(path: string, what: string, cause?: unknown) {
    super(`a file changed while it was being sent: ${what}`, { cause });
    this.path = path;
  }
}

/** An instance composes to another length than was announced. Nobody may take the answer for whole. */
export class CompositionChanged extends SluisError {
  override readonly name = 'CompositionChanged';
  readonly code = 'SLUIS_STUDY_COMPOSITION_CHANGED';
  readonly remedy = 'give-up';
  override readonly facts: ErrorFacts;

  constructor(index: number, announced: number, composed: number) {
    super(
      `instance ${index.toString()} is ${composed.toString()} bytes, ${announced.toString()} were announced`,
    );
    this.facts = { index, announced, composed };
  }
}
