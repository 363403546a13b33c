import { openPacs, type Pacs, type Plan } from '../../delivery/pacs.ts';
import type { Random } from './random.ts';

/** One sending of an instance that the PACS held before its request began. */
export interface SentAgain {
  readonly sopInstanceUid: string;
  /** Between its being stored and the request. */
  readonly ms: number;
}

/**
 * A PACS of moods: most requests it takes, some it refuses, cuts, stalls, stores in part, or stores
 * without saying so. It always knows what it holds, so whoever asks never has to send again.
 */
export class MoodyPacs {
  readonly pacs: Pacs;
  readonly sentAgain: SentAgain[] = [];
  /** Requests after which it held what it had not said that it holds: what a sender has to ask about. */
  unsaid = 0;
  readonly #random: Random;
  readonly #storedAt = new Map<string, number>();
  readonly #open = new Map<number, { readonly begunAt: number; readonly plan: Plan }>();
  #calm = false;
  #onStored: (() => void) | undefined;

  private constructor(pacs: Pacs, random: Random) {
    this.pacs = pacs;
    this.#random = random;
    pacs.plan = (uids, request) => this.#plan(uids, request);
  }

  static async open(random: Random): Promise<MoodyPacs> {
    return new MoodyPacs(await openPacs(), random);
  }

  /** From here on it takes everything. */
  async calm(): Promise<void> {
    this.#calm = true;
    this.pacs.qidoStatus = null;
    await this.pacs.down();
    await this.pacs.up();
  }

  /** Resolves when it has stored something and not yet answered, or after `withinMs`. */
  async stored(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#onStored = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onStored = undefined;
  }

  /** Called before the body of a request is read, and again when it was: the same mood both times. */
  #plan(uids: readonly string[], request: number): Plan {
    const open = this.#open.get(request);
    if (open === undefined) {
      const plan = this.#calm ? {} : this.#mood();
      this.#open.set(request, { begunAt: performance.now(), plan });
      return plan;
    }
    for (const uid of uids) this.#look(uid, open);
    if (open.plan.cut !== undefined || open.plan.body === '') this.unsaid += 1;
    this.#onStored?.();
    return open.plan;
  }

  #look(uid: string, { begunAt, plan }: { readonly begunAt: number; readonly plan: Plan }): void {
    const storedAt = this.#storedAt.get(uid);
    if (storedAt === undefined) {
      if (plan.stores?.(uid) ?? true) this.#storedAt.set(uid, performance.now());
    } else if (begunAt > storedAt) {
      this.sentAgain.push({ sopInstanceUid: uid, ms: Math.round(begunAt - storedAt) });
    }
  }

  #mood(): Plan {
    const random = this.#random;
    const nothing = (): boolean => false;
    // What it leaves out has to be the same for storing as for saying.
    const salt = random.between(0, 9);
    const some = (uid: string): boolean => (Number(uid.slice(-3)) + salt) % 3 !== 0;
    const moods: readonly [number, Plan][] = [
      [8, {}],
      [5, { answersAfterMs: random.between(10, 400) }],
      [3, { status: 503, stores: nothing, body: '', headers: { 'Retry-After': '1' } }],
      // It has them, and something in front of it says that it has not.
      [2, { status: 503, body: '' }],
      [2, { cut: 'before-reading' }],
      [3, { cut: 'after-reading' }],
      [1, { stalls: true }],
      [2, { status: 202, stores: some }],
      [1, { body: '' }],
    ];
    let left = random.next() * moods.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, plan] of moods) {
      left -= weight;
      if (left < 0) return plan;
    }
    return {};
  }
}
