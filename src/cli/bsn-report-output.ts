import { access } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { asError } from '../ops/error.ts';
import { DiskRefuses, InputRefused } from './errors.ts';
import { READ_BYTES } from './limits.ts';
import { NewFile } from './new-file.ts';
import type { Terminal } from './terminal.ts';

/** Takes a report line by line. */
export interface ReportOutput {
  /** The name that it has until it is finished; null where it is no file. */
  readonly part: string | null;
  line(text: string): Promise<void>;
  /** All lines are there. */
  finish(): Promise<void>;
  /** Always, at the end: what was not finished is gone. */
  close(): Promise<void>;
}

export function screenOutput(terminal: Terminal): ReportOutput {
  return {
    part: null,
    async line(text) {
      terminal.print(text);
    },
    async finish() {},
    async close() {},
  };
}

/**
 * A file that appears when the report is whole, for this user alone; never in the place of another.
 *
 * @throws InputRefused when there is something already, DiskRefuses when it cannot be written
 */
export async function fileOutput(path: string): Promise<ReportOutput> {
  const folder = dirname(path);
  const refuse = (thrown: unknown): never => {
    throw new DiskRefuses(path, asError(thrown));
  };
  if (
    await access(path).then(
      () => true,
      () => false,
    )
  )
    throw isThere(path);
  const file = await NewFile.open(folder).catch(refuse);
  let waiting: string[] = [];
  let characters = 0;
  const flush = async (): Promise<void> => {
    const text = waiting.join('');
    waiting = [];
    characters = 0;
    await file.write(text).catch(refuse);
  };
  return {
    part: basename(file.path),
    async line(text) {
      waiting.push(`${text}\n`);
      characters += text.length;
      if (characters > READ_BYTES) await flush();
    },
    async finish() {
      await flush();
      if (!(await file.appearAs(path).catch(refuse))) throw isThere(path);
    },
    async close() {
      await file.close();
    },
  };
}

function isThere(path: string): InputRefused {
  return new InputRefused(`${path} is there already, and nothing is ever replaced; give --out another name`);
}
