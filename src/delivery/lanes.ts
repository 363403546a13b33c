import type { AddressBook } from '../addressbook/address-book.ts';
import type { Log } from '../ops/log.ts';
import type { Part } from '../ops/part.ts';
import type { Storage } from '../storage/storage.ts';
import type { Deliveries } from './deliveries.ts';
import type { Integrity } from './integrity.ts';
import { Lane, type LaneSettings } from './lane.ts';
import type { Offers } from './offers.ts';
import type { Tagging } from './tagging.ts';
import { StowReceiver, type StowSettings } from './transports/stow.ts';

interface LanesParts {
  readonly addressBook: AddressBook;
  readonly deliveries: Deliveries;
  readonly offers: Offers;
  readonly tagging: Tagging;
  readonly storage: Storage;
  readonly integrity: Pick<Integrity, 'check' | 'isVerified' | 'stop'>;
  readonly lane: LaneSettings;
  readonly stow: StowSettings;
  readonly log: Log;
}

/** One lane a mailbox that is pushed to; mailboxes that pull get offers. A slow one holds only itself. */
export class Lanes implements Part {
  readonly #parts: LanesParts;
  readonly #lanes = new Map<string, Lane>();
  #stopped = false;

  constructor(parts: LanesParts) {
    this.#parts = parts;
  }

  /** Takes up what was queued before. */
  async start(): Promise<void> {
    for (const { id } of this.#parts.addressBook.mailboxes()) {
      this.wake(id);
    }
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    this.#parts.integrity.stop();
    await Promise.all([
      this.#parts.offers.stop(deadline),
      ...[...this.#lanes.values()].map((lane) => lane.stop(deadline)),
    ]);
  }

  /** Says that there is something for this mailbox. Never waits. */
  wake(mailbox: string): void {
    if (this.#stopped) {
      return;
    }
    const { receiving } = this.#parts.addressBook.mailbox(mailbox);
    if (receiving.by === 'pull') {
      this.#parts.offers.wake(mailbox);
      return;
    }
    let lane = this.#lanes.get(mailbox);
    if (lane === undefined) {
      const { deliveries, tagging, storage, integrity, stow, log } = this.#parts;
      const receiver = new StowReceiver(receiving, storage, stow);
      const settings = this.#parts.lane;
      lane = new Lane({ mailbox, deliveries, tagging, receiver, integrity, settings, log });
      this.#lanes.set(mailbox, lane);
    }
    lane.wake();
  }
}
