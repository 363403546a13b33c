import { questionsInFlightMax } from './limits.ts';
import type { TaggedInstance } from './tagging.ts';
import type { StowReceiver } from './transports/stow.ts';

interface Answers {
  /** Whether the receiver holds it, of those that were asked for. */
  readonly held: ReadonlyMap<TaggedInstance, boolean>;
  /** What kept the rest from being asked for. */
  readonly failure: unknown;
}

/** Asks a receiver for the items at these positions, a few at a time; after one failure for no more of them. */
export async function askFor(
  positions: readonly number[],
  tag: (position: number) => Promise<TaggedInstance>,
  receiver: Pick<StowReceiver, 'holds'>,
  signal: AbortSignal,
): Promise<Answers> {
  const held = new Map<TaggedInstance, boolean>();
  const queue = [...positions];
  const askNext = async (): Promise<void> => {
    try {
      for (let position = queue.shift(); position !== undefined; position = queue.shift()) {
        const tagged = await tag(position);
        // Found by its UID, one of two may be the other one: it goes out again.
        held.set(tagged, tagged.isTwin ? false : await receiver.holds(tagged, signal));
      }
    } finally {
      queue.length = 0;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: questionsInFlightMax }, askNext));
  const failed = ends.find((end) => end.status === 'rejected');
  return { held, failure: failed?.reason };
}
