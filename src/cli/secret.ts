import { createReadStream } from 'node:fs';
import { asError } from '../ops/error.ts';
import { InputRefused } from './errors.ts';
import { SECRET_BYTES_MAX } from './limits.ts';
import type { Terminal } from './terminal.ts';

/**
 * One line that must not stand on a command line, since everybody on the machine can read those: from
 * a file, or from standard input when `path` is '-'. Trimmed. Throws InputRefused, never with the content.
 */
export async function readSecret(terminal: Terminal, path: string, what: string): Promise<string> {
  const where = path === '-' ? 'standard input' : path;
  const source = path === '-' ? terminal.input() : createReadStream(path);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of source) {
      pieces.push(Buffer.from(piece));
      bytes += piece.length;
      if (bytes > SECRET_BYTES_MAX) break;
    }
  } catch (thrown) {
    throw new InputRefused(`${what} cannot be read: ${asError(thrown).message}`, { cause: thrown });
  }
  if (bytes > SECRET_BYTES_MAX) {
    throw new InputRefused(
      `${where} is longer than ${SECRET_BYTES_MAX.toString()} bytes, so it does not hold ${what}`,
    );
  }
  const text = Buffer.concat(pieces).toString('utf8').trim();
  if (text === '') throw new InputRefused(`${where} is empty; it should hold ${what}`);
  // A token goes into a header: a line break in it would end the header and begin another.
  if (!/^[\x20-\x7e]+$/u.test(text)) {
    throw new InputRefused(`${where} should hold ${what} on one line, in plain letters and digits`);
  }
  return text;
}
