import { setTimeout as sleep } from 'node:timers/promises';
import type { MortalExchange } from './mortal-exchange.ts';

/** A transfer as the list and its own page show it; what a soak looks at. */
export interface WatchedTransfer {
  readonly id: string;
  readonly state: string;
  readonly to: readonly string[];
  readonly instances: number;
  readonly expected: number | null;
  readonly bytes: number;
  readonly reasons: readonly string[];
  readonly deliveries: readonly {
    readonly id: string;
    readonly mailbox: string;
    readonly state: string;
    readonly delivered: number;
    readonly of: number;
    readonly attempts: number;
    readonly lastOutcome: string | null;
  }[];
  readonly uploads?: readonly { readonly id: string; readonly bytes: number; readonly offset: number }[];
}

/** A state may only be followed by one further on. */
const order = ['receiving', 'ready', 'delivering', 'delivered'];
const deliveryOrder = ['queued', 'sending', 'delivered', 'confirmed'];

/** Looks at all transfers again and again, and notes whatever goes back that must only go forward. */
export class Watcher {
  readonly #exchange: MortalExchange;
  readonly #organization: string;
  readonly #furthest = new Map<string, number>();
  readonly faults: string[] = [];
  #looking: Promise<unknown> = Promise.resolve();

  constructor(exchange: MortalExchange, organization: string) {
    this.#exchange = exchange;
    this.#organization = organization;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await sleep(120, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * All transfers; undefined when the exchange was not there for all of them. One look at a time: of two
   * side by side the older could end last.
   */
  async look(): Promise<WatchedTransfer[] | undefined> {
    const looking = this.#looking.then(() => this.#look());
    this.#looking = looking.catch(() => undefined);
    return looking;
  }

  async #look(): Promise<WatchedTransfer[] | undefined> {
    const list = await this.#exchange.get(this.#organization, '/v1/transfers?limit=200');
    if (list === undefined) return undefined;
    const { items } = list as { items: WatchedTransfer[] };
    const seen: WatchedTransfer[] = [];
    for (const { id } of items) {
      const transfer = (await this.#exchange.get(this.#organization, `/v1/transfers/${id}`)) as
        | WatchedTransfer
        | undefined;
      if (transfer === undefined) return undefined;
      this.#hold(transfer);
      seen.push(transfer);
    }
    for (const id of this.#missing(seen)) this.#fault(`transfer ${id} is not in the list any more`);
    return seen;
  }

  #missing(seen: readonly WatchedTransfer[]): string[] {
    const there = new Set(seen.map(({ id }) => `transfer ${id} is`));
    return [...this.#furthest.keys()]
      .filter((name) => name.startsWith('transfer ') && name.endsWith(' is') && !there.has(name))
      .map((name) => name.split(' ')[1] ?? '');
  }

  #hold(transfer: WatchedTransfer): void {
    const { id, state, instances, deliveries, uploads = [] } = transfer;
    if (!order.includes(state)) this.#fault(`transfer ${id} is ${state} (${transfer.reasons.join()})`);
    this.#forward(`transfer ${id} is`, order.indexOf(state));
    this.#forward(`transfer ${id} instances`, instances);
    for (const delivery of deliveries) {
      if (!deliveryOrder.includes(delivery.state)) {
        this.#fault(`delivery ${delivery.id} is ${delivery.state} (${delivery.lastOutcome ?? ''})`);
      }
      this.#forward(`delivery ${delivery.id} is`, deliveryOrder.indexOf(delivery.state));
      this.#forward(`delivery ${delivery.id} delivered`, delivery.delivered);
    }
    for (const upload of uploads) this.#forward(`upload ${upload.id} offset`, upload.offset);
  }

  #forward(name: string, value: number): void {
    const before = this.#furthest.get(name);
    if (before !== undefined && value < before) {
      this.#fault(`${name} ${value.toString()}, and was ${before.toString()} before`);
    }
    this.#furthest.set(name, Math.max(value, before ?? value));
  }

  #fault(what: string): void {
    if (!this.faults.includes(what)) this.faults.push(what);
  }
}
