import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough for the busiest machine: whoever waits so long has found a fault. */
const WAIT_MS = 60_000;

/** Waits until `holds`, looking again each turn of a short timer. Rejects, with what `what` says, after a minute. */
export async function until(
  holds: () => boolean,
  what: () => unknown = () => holds.toString(),
): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`did not come about: ${JSON.stringify(what())}`);
    await sleep(2);
  }
}
