import { lentBytesMax } from './limits.ts';
import type { ByteReader, Extent, FileRange } from './storage.ts';

type Lender = Pick<ByteReader, 'lend'>;

/** Lends several lists of extents at once: `use` gets the ranges of each, in their order. */
export function lendTogether<R>(
  storage: Lender,
  lists: readonly (readonly Extent[])[],
  use: (ranges: FileRange[][]) => Promise<R>,
): Promise<R> {
  const sizes = lists.map(bytesOf);
  const all = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return storage.lend(lists.flat(), 0, all, (ranges) => {
    const rest = ranges.values();
    return use(sizes.map((bytes) => takeRanges(rest, bytes)));
  });
}

/**
 * The same for a long list, some at a time, so that no more has to be fetched and kept for it than
 * `lentBytesMax`, or one alone. Resolves with the answers to all; `use` gets the place of its first one.
 */
export async function lendInTurns<R>(
  storage: Lender,
  lists: readonly (readonly Extent[])[],
  use: (ranges: FileRange[][], from: number) => Promise<readonly R[]>,
): Promise<R[]> {
  const answers: R[] = [];
  for (let from = 0, to = 0; from < lists.length; from = to) {
    let bytes = 0;
    do {
      bytes += bytesOf(lists[to] ?? []);
      to++;
    } while (to < lists.length && bytes + bytesOf(lists[to] ?? []) <= lentBytesMax);
    const start = from;
    answers.push(...(await lendTogether(storage, lists.slice(from, to), (ranges) => use(ranges, start))));
  }
  return answers;
}

/** The next ranges that make up `bytes`: none reaches beyond an extent, so they always end there. */
export function takeRanges(ranges: Iterator<FileRange>, bytes: number): FileRange[] {
  const own: FileRange[] = [];
  for (let left = bytes; left > 0; ) {
    const next = ranges.next();
    if (next.done === true) {
      throw new RangeError(`${left} bytes less were lent than were asked for`);
    }
    own.push(next.value);
    left -= next.value.bytes;
  }
  return own;
}

function bytesOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { bytes }) => sum + bytes, 0);
}
