import { bridgeLimits } from './limits.ts';

interface Shares {
  small: number;
  large: number;
}

/**
 * How much of request bodies may be held whole in memory, over all connections: the bridge does that. Small
 * bodies have a share of their own, so that manifests that stall hold up no other request.
 */
export class BodyBudget {
  readonly #bytesMax: Readonly<Shares>;
  readonly #bytesInUse: Shares = { small: 0, large: 0 };

  constructor(bytesMax: Readonly<Shares> = bridgeLimits.bodiesBytes) {
    this.#bytesMax = bytesMax;
  }

  /** Gauge: what the bodies that are held now may come to. */
  get bytesInUse(): number {
    return this.#bytesInUse.small + this.#bytesInUse.large;
  }

  /** Whether a body of up to `bytes` may be held. One that is alone may, however large it is. */
  take(bytes: number): boolean {
    const share = shareOf(bytes);
    const inUse = this.#bytesInUse[share];
    if (inUse > 0 && inUse + bytes > this.#bytesMax[share]) return false;
    this.#bytesInUse[share] += bytes;
    return true;
  }

  /** Gives back what `take` said yes to. */
  give(bytes: number): void {
    this.#bytesInUse[shareOf(bytes)] -= bytes;
  }
}

function shareOf(bytes: number): keyof Shares {
  return bytes > bridgeLimits.bodyBytesMax ? 'large' : 'small';
}

/** The budget is the process's, so all its bridges share one. */
export const processBodies = new BodyBudget();
