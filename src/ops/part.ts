/**
 * A long-lived part of the program. main.ts starts parts in order and stops them in reverse.
 *
 * `stop` finishes what is running until `deadline` aborts, then cuts it.
 */
export interface Part {
  start(): Promise<void>;
  stop(deadline: AbortSignal): Promise<void>;
}

/** Waits until all that is `running` has ended, and cuts it when `deadline` aborts. */
export async function endBy(
  deadline: AbortSignal,
  cut: AbortController,
  running: Iterable<Promise<unknown>>,
): Promise<void> {
  const onDeadline = (): void => cut.abort();
  deadline.addEventListener('abort', onDeadline);
  if (deadline.aborted) {
    onDeadline();
  }
  await Promise.allSettled(running);
  deadline.removeEventListener('abort', onDeadline);
}
