import { SluisError } from '../ops/error.ts';
import type { DeliveryRecord } from '../state/records.ts';
import { type Entry, entry, type Ledger } from './ledger.ts';
import type { TaggedInstance } from './tagging.ts';
import type { StowOutcome } from './transports/stow.ts';
import { isDuplicate, isOutOfResources, mayPass } from './transports/stow-answer.ts';

/** What the answer to one request makes of its instances. */
interface ReadOutcome {
  /** Number → its new entry, of those of which the answer says something for good. */
  readonly answered: ReadonlyMap<number, Entry>;
  readonly held: readonly TaggedInstance[];
  readonly refused: readonly TaggedInstance[];
  readonly unclear: readonly TaggedInstance[];
}

/** `sentBefore`: the positions of those that may have gone out earlier, without an answer. */
export function readOutcome(
  outcome: StowOutcome,
  batch: readonly TaggedInstance[],
  sentBefore: ReadonlySet<number>,
): ReadOutcome {
  const answered = new Map<number, Entry>();
  for (const one of batch) {
    const value = entryOf(outcome, one, sentBefore.has(one.position));
    if (value !== undefined) {
      answered.set(one.position, value);
    }
  }
  const isRefused = ({ position }: TaggedInstance): boolean => answered.get(position) === entry.refused;
  return {
    answered,
    held: batch.filter((one) => answered.has(one.position) && !isRefused(one)),
    refused: batch.filter(isRefused),
    unclear: batch.filter(({ position }) => !answered.has(position)),
  };
}

/**
 * A duplicate of what went out before and was never answered for is in all likelihood that. One that never
 * went out is somebody else's, perhaps another object: nobody can say that it was delivered. Nor of one of
 * two with one UID: the receiver may hold the other.
 */
function entryOf(
  { held, refused }: StowOutcome,
  { instance: { sopInstanceUid }, isTwin }: TaggedInstance,
  sentBefore: boolean,
): Entry | undefined {
  const kept = held.get(sopInstanceUid);
  if (kept !== undefined) {
    return entry[kept];
  }
  const reason = refused.get(sopInstanceUid);
  if (reason === undefined || mayPass(reason)) {
    return undefined;
  }
  return isDuplicate(reason) && sentBefore && !isTwin ? entry.heldWithWarning : entry.refused;
}

/** Answers that can be about what was sent. Others are about the address, who asks, or the moment. */
const aboutTheInstance: ReadonlySet<number> = new Set([200, 202, 400, 409, 413, 415, 422]);

/** Whether an unclear answer is one more sign that the receiver will never take this instance. */
export function isAboutTheInstance({ status, refused }: StowOutcome, { instance }: TaggedInstance): boolean {
  const reason = refused.get(instance.sopInstanceUid);
  return reason === undefined ? aboutTheInstance.has(status) : !isOutOfResources(reason);
}

/** For the sender: which status came, and what a duplicate among the refused means. */
export function wordsOfAnswer({ status, refused }: StowOutcome, batch: readonly TaggedInstance[]): string {
  const isTaken = batch.some(({ instance }) => isDuplicate(refused.get(instance.sopInstanceUid) ?? ''));
  return isTaken
    ? `status ${status}: the receiver holds another object with this SOP Instance UID, or the same from elsewhere`
    : `status ${status}`;
}

/** For the sender too, so an error of the network gives its code and no address. */
export function wordsOfError(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return error instanceof SluisError
    ? `${error.message}${code}`
    : `the request did not come to an end${code}`;
}

/** What a pushed delivery is after an answer. */
export function stateAfter(now: DeliveryRecord, ledger: Ledger): DeliveryRecord['state'] {
  const { held, refused, open } = ledger.tally();
  if (open > 0) {
    // Given up while this request was still under way.
    return now.state === 'failed' && held > 0 ? 'partial' : now.state;
  }
  return refused === 0 ? 'delivered' : held === 0 ? 'failed' : 'partial';
}

/** How a delivery ends that is given up. What was sent and never answered for is neither held nor refused. */
export function givenUp(ledger: Ledger, words: string): Pick<DeliveryRecord, 'state' | 'lastOutcome'> {
  const unknown = ledger.find(entry.asked, Number.POSITIVE_INFINITY).length;
  return {
    state: ledger.tally().held === 0 ? 'failed' : 'partial',
    lastOutcome:
      unknown === 0 ? words : `${words}; it is unknown whether the receiver holds ${unknown} instances`,
  };
}
