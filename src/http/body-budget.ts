import { bridgeLimits } from './limits.ts';

interface Shares {
  small: number;
  large: number;
}

/**
 * How much of request bodies may be held whole in memory, over all connections: the bridge does that. Small
 * bodies have a share of their own, so that manifests that stall hold up no other request; and one holder
 * (an organization) has at most half a share, so that it stalls nobody but itself.
 */
export class BodyBudget {
  readonly #bytesMax: Readonly<Shares>;
  readonly #bytesInUse: Shares = { small: 0, large: 0 };
  readonly #bytesOf = new Map<string, Shares>();

  constructor(bytesMax: Readonly<Shares> = bridgeLimits.bodiesBytes) {
    this.#bytesMax = bytesMax;
  }

  /** Gauge: what the bodies that are held now may come to. */
  get bytesInUse(): number {
    return this.#bytesInUse.small + this.#bytesInUse.large;
  }

  /**
   * Whether a body of up to `bytes` may be held, for `holder` where it is known. One that is alone may,
   * however large it is.
   */
  take(bytes: number, holder?: string): boolean {
    const share = shareOf(bytes);
    const max = this.#bytesMax[share];
    const own = holder === undefined ? undefined : (this.#bytesOf.get(holder) ?? { small: 0, large: 0 });
    if (isOver(this.#bytesInUse[share], bytes, max)) return false;
    if (own !== undefined && isOver(own[share], bytes, max / 2)) return false;
    this.#add(bytes, holder, own);
    return true;
  }

  /** Gives back what `take` said yes to. */
  give(bytes: number, holder?: string): void {
    this.#add(-bytes, holder, holder === undefined ? undefined : this.#bytesOf.get(holder));
  }

  #add(bytes: number, holder: string | undefined, own: Shares | undefined): void {
    const share = shareOf(Math.abs(bytes));
    this.#bytesInUse[share] += bytes;
    if (holder === undefined || own === undefined) return;
    own[share] += bytes;
    if (own.small + own.large > 0) this.#bytesOf.set(holder, own);
    else this.#bytesOf.delete(holder);
  }
}

function isOver(inUse: number, bytes: number, max: number): boolean {
  return inUse > 0 && inUse + bytes > max;
}

function shareOf(bytes: number): keyof Shares {
  return bytes > bridgeLimits.bodyBytesMax ? 'large' : 'small';
}

/** The budget is the process's, so all its bridges share one. */
export const processBodies = new BodyBudget();
