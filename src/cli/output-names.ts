import { basename, extname, join } from 'node:path';
import { InputRefused } from './errors.ts';

/** Gives every file an output of its own: a second IM1.dcm becomes IM1-2.dcm. */
export class OutputNames {
  readonly folder: string;
  readonly #inputs: ReadonlySet<string>;
  /** In lower case: some file systems take two names that differ in case only for one. */
  readonly #taken = new Set<string>();

  constructor(folder: string, inputs: ReadonlySet<string>) {
    this.folder = folder;
    this.#inputs = inputs;
  }

  /** Asks for one path after the other that may hold the copy of `path`, until one `gets` it; it is nobody else's then. */
  async give(path: string, gets: (output: string) => Promise<boolean>): Promise<string> {
    const name = basename(path);
    const extension = extname(name);
    const stem = name.slice(0, name.length - extension.length);
    for (let number = 1; ; number += 1) {
      const candidate = number === 1 ? name : `${stem}-${number.toString()}${extension}`;
      const output = join(this.folder, candidate);
      if (this.#taken.has(candidate.toLowerCase())) continue;
      if (this.#inputs.has(output)) {
        throw new InputRefused(`${output} would be written over; give --out a folder without the originals`);
      }
      if (!(await gets(output))) continue;
      this.#taken.add(candidate.toLowerCase());
      return output;
    }
  }
}
