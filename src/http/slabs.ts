import { bodyLimits } from './limits.ts';
import { SinkPace } from './sink-pace.ts';
import { Turnstile } from './turnstile.ts';

const sizes = [bodyLimits.slabBytesMin, bodyLimits.slabBytesMax] as const;
export type SlabBytes = (typeof sizes)[number];
/** What a slab is for: a body with a reader, by size, or one that waits for its handler. */
export type SlabUse = SlabBytes | 'held';

/**
 * Reusable buffers for bodies on their way from the socket to storage, with one budget over all
 * connections. Fresh buffers of a mebibyte cost page faults on every use; these do not.
 */
export class SlabPool {
  /** Gauge: bytes of slabs that bodies hold now, */
  bytesInUse = 0;
  /** and the most they ever held. */
  bytesInUsePeak = 0;
  readonly bytesMax: number;
  /** How quickly what is written without a slab is taken; bodies of one disk see it together. */
  readonly pace = new SinkPace();
  /** Whose turn it is to be read. */
  readonly turnstile = new Turnstile();
  readonly #idle = new Map<number, Buffer[]>(sizes.map((bytes) => [bytes, []]));
  #idleBytes = 0;

  constructor(bytesMax: number = bodyLimits.slabBytesTotal) {
    this.bytesMax = bytesMax;
  }

  /** True when bodies should wait earlier than usual. */
  get crowded(): boolean {
    return this.bytesInUse > this.bytesMax * bodyLimits.crowdedShare;
  }

  /**
   * A slab of that size, or a small one when the budget has no room for that, or nothing. Small ones for a held
   * body come out of the reserve when the budget is spent: it has nowhere to go, the others can be written.
   */
  take(use: SlabUse): Buffer | undefined {
    const bytes = use === 'held' ? bodyLimits.slabBytesMin : use;
    const reserve = use === 'held' ? bodyLimits.heldBytesTotal : 0;
    if (this.bytesInUse + bytes > this.bytesMax + reserve) {
      return use === bodyLimits.slabBytesMax ? this.take(bodyLimits.slabBytesMin) : undefined;
    }
    const reused = this.#idle.get(bytes)?.pop();
    if (reused) this.#idleBytes -= bytes;
    this.bytesInUse += bytes;
    this.bytesInUsePeak = Math.max(this.bytesInUsePeak, this.bytesInUse);
    // Not from Node's shared pool, whose pages would be pinned by one small slice of them.
    return reused ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Gives a slab back. Its bytes belong to the next taker from here on. */
  give(slab: Buffer): void {
    this.bytesInUse -= slab.length;
    if (this.#idleBytes + slab.length > bodyLimits.slabBytesIdle) return;
    this.#idle.get(slab.length)?.push(slab);
    this.#idleBytes += slab.length;
  }
}

/** The budget is the process's, so all its listeners share one pool. */
export const processSlabs = new SlabPool();
