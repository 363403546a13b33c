import type { Lock, Locker, RequestRelease } from '@tus/utils';
import { type Lease, Leases } from '../leases.ts';
import { lockGraceMs } from './limits.ts';

/**
 * The locks of @tus/server, kept by leases: whoever asks last wins, the holder is asked to release once, and
 * nobody spins. (MemoryLocker asks again and again, on every turn of the event loop, for 30 s.)
 *
 * These are leases of their own. They order the requests of @tus/server; what may be written is for the
 * leases of the engine to say.
 */
export class LeaseLocker implements Locker {
  readonly #leases = new Leases(lockGraceMs);

  newLock(id: string): Lock {
    return new LeaseLock(id, this.#leases);
  }
}

class LeaseLock implements Lock {
  readonly #id: string;
  readonly #leases: Leases;
  #lease: Lease | undefined;

  constructor(id: string, leases: Leases) {
    this.#id = id;
    this.#leases = leases;
  }

  /** Rejects UploadTakenOver when somebody asked later, and the signal's reason when the request is over meanwhile. */
  async lock(request: AbortSignal, requestRelease: RequestRelease): Promise<void> {
    const lease = await this.#leases.take(this.#id, 0);
    if (request.aborted) {
      await lease.end();
      request.throwIfAborted();
    }
    this.#lease = lease;
    const release = () => void requestRelease();
    // Somebody may have asked before we could listen.
    if (lease.stop.aborted) release();
    else lease.stop.addEventListener('abort', release, { once: true });
  }

  async unlock(): Promise<void> {
    await this.#lease?.end();
  }
}

/** For requests that only read: the engine tells them what is durable, and they disturb nobody. */
export const noLocker: Locker = {
  newLock: () => ({ lock: async () => undefined, unlock: async () => undefined }),
};
