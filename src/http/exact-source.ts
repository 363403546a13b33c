import { AnswerLength } from './errors.ts';

/**
 * The same bytes as `source`, holding the last promised one back until the source has said that it is at
 * its end. Without that a source with too many bytes would be noticed only after an answer that looks whole.
 * Throws `AnswerLength` when the source yields another number of bytes than `promised`.
 */
export async function* exactly(
  source: AsyncIterable<Uint8Array>,
  promised: number,
): AsyncGenerator<Uint8Array> {
  let given = 0;
  let last: Uint8Array | undefined;
  for await (const chunk of source) {
    given += chunk.length;
    if (given > promised) throw new AnswerLength(promised, given);
    if (given < promised || chunk.length === 0) {
      yield chunk;
    } else {
      // A copy: the chunk is the source's again as soon as it is asked for the next.
      last = chunk.slice(-1);
      if (chunk.length > 1) yield chunk.subarray(0, -1);
    }
  }
  if (given !== promised) throw new AnswerLength(promised, given);
  if (last) yield last;
}
