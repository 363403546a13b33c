import { SluisError } from './error.ts';

/** One thing that is wrong: where (a path, and what set it), and what was expected there. */
export interface ConfigProblem {
  /** `http.port`, `addressBook.organizations.2.ura`, `SLUIS_HTPP_PORT`; '' for the file as a whole. */
  readonly path: string;
  /** Who said so: a file's name, a variable, a flag. */
  readonly source: string;
  /** A sentence without the value itself, which may be a secret in the wrong place. */
  readonly message: string;
}

/** The configuration cannot be used; every problem at once, so that one round repairs them all. */
export class ConfigInvalid extends SluisError {
  override readonly name = 'ConfigInvalid';
  readonly code = 'SLUIS_CONFIG_INVALID';
  readonly remedy = 'fix-request';
  override readonly facts;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ path, source, message }) => {
      const where = [path, source && source !== path ? `(${source})` : ''].filter(Boolean).join(' ');
      return `  ${where}: ${message}`;
    });
    const count = `${problems.length.toString()} problem${problems.length === 1 ? '' : 's'}`;
    super([`the configuration has ${count}:`, ...lines].join('\n'));
    this.problems = problems;
    this.facts = { problems: problems.length };
  }
}
