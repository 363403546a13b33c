import type { TaggedInstance } from './tagging.ts';

/**
 * As many of the items at these positions, from the first on, as fit in a request; a large one goes alone. Never two of one
 * UID (an acute transfer may have them): the answer would not say which of the two it means.
 */
export async function batchOf(
  positions: readonly number[],
  tag: (position: number) => Promise<TaggedInstance>,
  batchBytes: number,
): Promise<TaggedInstance[]> {
  const batch: TaggedInstance[] = [];
  const uids = new Set<string>();
  let bytes = 0;
  for (const position of positions) {
    const tagged = await tag(position);
    const { sopInstanceUid } = tagged.instance;
    if (batch.length > 0 && (bytes + tagged.bytes > batchBytes || uids.has(sopInstanceUid))) {
      break;
    }
    batch.push(tagged);
    uids.add(sopInstanceUid);
    bytes += tagged.bytes;
  }
  return batch;
}
