import { objectElements } from '../objects.ts';
import { EXPLICIT_LE, encodingOf, fileMeta, uidsOf } from '../part10.ts';
import { type Element, encode } from '../writer.ts';

/** What is to become of a form when a BSN is written into it. */
export type Expected =
  /** Read to its end, and tagged. */
  | { readonly outcome: 'tagged' }
  /** Read, and left as it is: its records hold offsets, or all its patient's tags are signed. */
  | { readonly outcome: 'untagged'; readonly why: 'directory' | 'signed' }
  /** Read, and without the UIDs that an exchange knows objects by. */
  | { readonly outcome: 'unnamed' }
  /** The head can be read; the rest ends too early or is damaged. */
  | { readonly outcome: 'incomplete' }
  /** The head itself is broken. */
  | { readonly outcome: 'refused'; readonly code: RefusalCode };

type RefusalCode =
  | 'HEAD_TOO_LARGE'
  | 'MALFORMED'
  | 'NOT_DICOM'
  | 'SYNTAX_LIES'
  | 'SYNTAX_UNSUPPORTED'
  | 'TOO_DEEP'
  | 'TRUNCATED';

/** One thing that real systems, or broken ones, send. The name is a file's, without its ending. */
export interface OddForm {
  readonly name: string;
  readonly bytes: Buffer;
  readonly expected: Expected;
}

export const TAGGED: Expected = { outcome: 'tagged' };
export const INCOMPLETE: Expected = { outcome: 'incomplete' };
export const refused = (code: RefusalCode): Expected => ({ outcome: 'refused', code });

/** A small colour image, complete and valid; `more` replaces what has its tag, `without` takes away. */
export function base(more: readonly Element[] = [], without: readonly number[] = []): Element[] {
  const gone = new Set([...more.map(({ tag }) => tag), ...without]);
  const usual = objectElements({ kind: 'secondary-capture', seed: 1 });
  return [...usual.filter(({ tag }) => !gone.has(tag)), ...more].sort((a, b) => a.tag - b.tag);
}

/** Preamble, meta and dataset around `dataset`, which is written already. */
export const file = (dataset: Uint8Array, syntax = EXPLICIT_LE): Buffer => {
  const { sopClassUid, sopInstanceUid } = uidsOf(base());
  return Buffer.concat([fileMeta(sopClassUid, sopInstanceUid, syntax), dataset]);
};

export const dataset = (more: readonly Element[] = [], syntax = EXPLICIT_LE): Buffer =>
  encode(base(more), encodingOf(syntax));
