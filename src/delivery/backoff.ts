import type { Priority } from '../state/records.ts';

export interface RetrySettings {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly acuteMaxMs: number;
  readonly giveUpMs: number;
}

/**
 * The wait before the next attempt: doubling from `firstMs` to `maxMs`, an acute one never longer than
 * `acuteMaxMs`; spread over its upper half, so that lanes that failed together do not come back together.
 */
export function retryDelayMs(
  failures: number,
  priority: Priority,
  { firstMs, maxMs, acuteMaxMs }: RetrySettings,
  random: () => number = Math.random,
): number {
  const most = longestMs(priority, { maxMs, acuteMaxMs });
  const delay = doubledMs(failures, firstMs, most);
  return Math.round(delay * (0.5 + random() / 2));
}

/** The wait with what the receiver asked for in Retry-After (0: nothing), which is heard up to the longest wait. */
export function nextDelayMs(
  failures: number,
  priority: Priority,
  settings: RetrySettings,
  retryAfterMs: number,
): number {
  const asked = Math.min(retryAfterMs, longestMs(priority, settings));
  return Math.max(asked, retryDelayMs(failures, priority, settings));
}

/** The wait after so many failures: doubling from `firstMs` to `maxMs`. */
export function doubledMs(failures: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
}

/** What is left of a wait that was written down. More than any wait is a clock that was set back: nothing. */
export function msUntil(
  nextAttemptAt: number,
  priority: Priority,
  settings: RetrySettings,
  now: number,
): number {
  const ms = nextAttemptAt - now;
  return ms > longestMs(priority, settings) ? 0 : Math.max(0, ms);
}

function longestMs(
  priority: Priority,
  { maxMs, acuteMaxMs }: Pick<RetrySettings, 'maxMs' | 'acuteMaxMs'>,
): number {
  return priority === 'acute' ? Math.min(maxMs, acuteMaxMs) : maxMs;
}

/**
 * A delivery that fails for so long goes to the dead letters; an acute one never does by itself. Nor does any
 * before its lane has run for as long as its longest wait: while the process was off nobody tried.
 */
export function isGivenUp(
  failingSince: number,
  priority: Priority,
  { maxMs, giveUpMs }: RetrySettings,
  now: number,
  runningMs: number,
): boolean {
  const hasTried = runningMs >= Math.min(maxMs, giveUpMs);
  return priority !== 'acute' && hasTried && now - failingSince > giveUpMs;
}
