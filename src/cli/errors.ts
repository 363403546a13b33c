import { type ErrorFacts, type Remedy, SluisError } from '../ops/error.ts';

/** The command line itself is wrong; main prints the sentence, the nearest usage, and ends with 2. */
export class UsageError extends SluisError {
  override readonly name = 'UsageError';
  readonly code = 'SLUIS_CLI_USAGE';
  readonly remedy = 'fix-request';
}

/** Something given on the command line cannot be used: a file, a number in it, a folder. */
export class InputRefused extends SluisError {
  override readonly name = 'InputRefused';
  readonly code = 'SLUIS_CLI_INPUT';
  readonly remedy = 'fix-request';
}

/** No byte of progress for as long as --give-up-after allows. Running the command again resumes. */
export class GaveUp extends SluisError {
  override readonly name = 'GaveUp';
  readonly code = 'SLUIS_CLI_GAVE_UP';
  readonly remedy = 'resume';

  constructor(seconds: number, cause: Error) {
    super(
      `no progress for ${seconds.toString()} s, the last failure was: ${cause.message}. ` +
        'Nothing is lost: run the same command again to go on where it stopped',
      { cause },
    );
  }
}

/** The exchange cannot be reached, or the line broke in the middle of a request. */
export class Unreachable extends SluisError {
  override readonly name = 'Unreachable';
  readonly code = 'SLUIS_CLI_UNREACHABLE';
  readonly remedy: Remedy;

  constructor(server: string, why: string, lasting: boolean, cause: unknown) {
    super(`the exchange at ${server} cannot be reached: ${why}`, { cause });
    this.remedy = lasting ? 'fix-request' : 'retry';
  }
}

/** The exchange answered something that its contract does not say. */
export class AnswerUnexpected extends SluisError {
  override readonly name = 'AnswerUnexpected';
  readonly code = 'SLUIS_CLI_ANSWER';
  readonly remedy = 'give-up';
  override readonly facts: ErrorFacts;

  constructor(what: string, facts: ErrorFacts = {}) {
    super(`${what}. Is --server the address of an exchange, and is this program as new as it is?`);
    this.facts = facts;
  }
}

/** The disk that a command writes to cannot take it. Nothing that was not written whole is acknowledged or named as an output. */
export class DiskRefuses extends SluisError {
  override readonly name = 'DiskRefuses';
  readonly code = 'SLUIS_CLI_DISK';
  readonly remedy = 'resume';

  constructor(folder: string, cause: NodeJS.ErrnoException) {
    const why =
      cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'the disk is full' : (cause.code ?? cause.message);
    super(
      `${folder} cannot be written: ${why}. Nothing is lost: repair that and run the same command again`,
      { cause },
    );
  }
}

/** A transfer is not at its end yet, and waiting for it stopped. */
export class StillChecking extends SluisError {
  override readonly name = 'StillChecking';
  readonly code = 'SLUIS_CLI_STILL_CHECKING';
  readonly remedy = 'retry';
}

/** A delivery holds what must not be written: wrong digests, names that are no UID, overlapping ranges. */
export class DeliveryBroken extends SluisError {
  override readonly name = 'DeliveryBroken';
  readonly code = 'SLUIS_CLI_DELIVERY_BROKEN';
  readonly remedy = 'give-up';
}
