import { takeoverGraceMs } from '../limits.ts';

/** How long @tus/server lets a request that is to give its lock up go on reading, before it ends its body. */
export const lockDrainMs = takeoverGraceMs;

/**
 * How long whoever wants the lock waits for that, and for the holder's last checkpoint. Then it goes on: the
 * engine's own lease, which fences, keeps the holder's late bytes out.
 */
export const lockGraceMs = 2 * lockDrainMs;
