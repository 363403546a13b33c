import { type ParseArgsConfig, parseArgs } from 'node:util';
import { asError } from '../ops/error.ts';
import { UsageError } from './errors.ts';
import type { Terminal } from './terminal.ts';

/** What each file of a command exports. */
export interface Command {
  /** The whole help text; its first line is the command's form. */
  readonly usage: string;
  /** Runs to the end and says with which code the process ends (README: exit codes). */
  run(args: string[], terminal?: Terminal): Promise<number>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * parseArgs with its own errors as UsageError: an unknown flag, a flag without its value. The sentence
 * never repeats a value, which may be a secret that somebody put on the command line.
 */
export function parseOptions<const O extends Options>(options: O, args: string[]) {
  try {
    return parseArgs({ options, args, allowPositionals: true, strict: true });
  } catch (thrown) {
    const error: NodeJS.ErrnoException = asError(thrown);
    if (error.code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    const [sentence = error.message] = error.message.split(/\. (?=To specify|Did you)/u);
    throw new UsageError(sentence, { cause: error });
  }
}

/** A flag that has to be there. */
export function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') throw new UsageError(`${flag} is missing`);
  return value;
}

/** A whole number of at least `min` and at most `max`. */
export function wholeNumber(text: string, flag: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d{1,15}$/u.test(text) || value < min || value > max) {
    throw new UsageError(`${flag} takes a whole number from ${min.toString()} to ${max.toString()}`);
  }
  return value;
}

/** One of a closed list. */
export function oneOf<const T extends string>(text: string, flag: string, among: readonly T[]): T {
  const found = among.find((one) => one === text);
  if (found === undefined) throw new UsageError(`${flag} is one of ${among.join(', ')}`);
  return found;
}

/** The id of a mailbox or transfer: it becomes part of an address, so nothing else passes. */
export function identifier(text: string, flag: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(text)) {
    throw new UsageError(`${flag} takes an id: letters, digits, dots, dashes and underscores, at most 64`);
  }
  return text;
}
