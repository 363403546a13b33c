import { keys } from '../state/keys.ts';
import type { State } from '../state/state.ts';

/**
 * What else than the first came under a SOP Instance UID with other content: numbers, at most `limit`. Only
 * acute transfers have such, so one look at the transfer answers for nearly all of them.
 */
export function twinsOf(
  state: State,
  transfer: string,
): (sopInstanceUid: string, limit: number) => readonly number[] {
  const numbers = (prefix: readonly string[], limit: number): number[] =>
    [...state.list(keys.twins, { prefix, limit })].map(({ value }) => value);
  const hasAny = numbers([transfer], 1).length > 0;
  return (sopInstanceUid, limit) => (hasAny ? numbers([transfer, sopInstanceUid], limit) : []);
}
