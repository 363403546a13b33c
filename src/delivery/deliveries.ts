import type { Principal } from '../access/principal.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import { DIALECTS, type Dialect } from '../dicom/dialect.ts';
import { Fatal } from '../ops/error.ts';
import { newId } from '../state/ids.ts';
import { keys } from '../state/keys.ts';
import {
  type DeliveryRecord,
  type DeliveryState,
  priorities,
  type TransferRecord,
  type TransferState,
} from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import { DeliveryUnknown } from './errors.ts';
import { Ledger } from './ledger.ts';
import { deliveriesEnded } from './metrics.ts';

type EndState = 'delivered' | 'confirmed' | 'partial' | 'failed' | 'recalled';

/** Deliveries that a lane has nothing more to do for. */
const ended: ReadonlySet<DeliveryState> = new Set([
  'delivered',
  'confirmed',
  'partial',
  'failed',
  'recalled',
]);

/** The records of the deliveries: queued with their transfer, changed by lanes and acknowledgements. */
export class Deliveries {
  readonly #state: State;
  readonly #addressBook: AddressBook;

  constructor(parts: { state: State; addressBook: AddressBook }) {
    this.#state = parts.state;
    this.#addressBook = parts.addressBook;
  }

  /** In the transaction that makes a transfer ready: one delivery a mailbox, its recipe frozen. */
  queue(tx: Transaction, transfer: TransferRecord): void {
    for (const id of transfer.to) {
      const mailbox = this.#addressBook.mailbox(id);
      const now = Date.now();
      const delivery: DeliveryRecord = {
        id: newId(now),
        transfer: transfer.id,
        mailbox: id,
        priority: transfer.priority,
        recipe: { version: 1, dialect: dialectOf(mailbox.dialect) },
        state: 'queued',
        delivered: 0,
        of: transfer.instances,
        offered: false,
        attempts: 0,
        nextAttemptAt: now,
        failingSince: null,
        lastOutcome: null,
        queuedAt: now,
        updatedAt: now,
      };
      tx.put(keys.deliveries, delivery.id, delivery);
      tx.put(keys.deliveriesOf, [transfer.id, delivery.id], id);
      tx.put(keys.lanes, laneKey(delivery), 1);
      tx.put(keys.unoffered, laneKey(delivery), 1);
      tx.put(keys.ledgers, delivery.id, new Ledger(transfer.instances).bytes);
      if (mailbox.organization !== transfer.organization) {
        tx.put(keys.transfersOf, [mailbox.organization, transfer.id], 'receiver');
      }
    }
  }

  /**
   * What a lane has to do, most urgent first, then in the order it was queued; from behind the delivery
   * `cursor`, also when that one has ended meanwhile. Nothing when nobody knows the cursor. The records of
   * those that `isSkipped` are not read.
   */
  *waiting(
    mailbox: string,
    cursor?: string,
    isSkipped: (delivery: string) => boolean = () => false,
  ): Generator<DeliveryRecord> {
    const last = cursor === undefined ? undefined : this.#state.get(keys.deliveries, cursor);
    if (cursor !== undefined && last?.mailbox !== mailbox) {
      return;
    }
    const range = last === undefined ? {} : { after: laneKey(last) };
    for (const { key } of this.#state.list(keys.lanes, { prefix: [mailbox], ...range })) {
      const delivery = isSkipped(key[2]) ? undefined : this.#state.get(keys.deliveries, key[2]);
      if (delivery !== undefined) {
        yield delivery;
      }
    }
  }

  hasUnoffered(mailbox: string): boolean {
    return [...this.#state.list(keys.unoffered, { prefix: [mailbox], limit: 1 })].length > 0;
  }

  /** Ids of what is queued for a mailbox and not offered, in the order of the lane. */
  *unoffered(mailbox: string): Generator<string> {
    for (const { key } of this.#state.list(keys.unoffered, { prefix: [mailbox] })) {
      yield key[2];
    }
  }

  find(id: string): DeliveryRecord | undefined {
    return this.#state.get(keys.deliveries, id);
  }

  /** A delivery to a mailbox of the asker's organization. Throws DeliveryUnknown. */
  get({ organization }: Principal, id: string): DeliveryRecord {
    const delivery = this.#state.get(keys.deliveries, id);
    if (delivery === undefined || this.#addressBook.mailbox(delivery.mailbox).organization !== organization) {
      throw new DeliveryUnknown();
    }
    return delivery;
  }

  ledger(id: string): Ledger {
    const stored = this.#state.get(keys.ledgers, id);
    if (stored === undefined) {
      throw new DeliveryUnknown();
    }
    return new Ledger(stored);
  }

  /** Changes a delivery and, where it follows from it, its transfer and its place in the lane. */
  async change(
    id: string,
    change: (now: DeliveryRecord, ledger: Ledger) => DeliveryRecord,
  ): Promise<DeliveryRecord> {
    return this.#state.commit((tx) => {
      const now = tx.get(keys.deliveries, id);
      const stored = tx.get(keys.ledgers, id);
      if (now === undefined || stored === undefined) {
        throw new DeliveryUnknown();
      }
      const ledger = new Ledger(stored);
      const changed = { ...change(now, ledger), updatedAt: Date.now() };
      tx.put(keys.deliveries, id, changed);
      tx.put(keys.ledgers, id, ledger.bytes);
      if (ended.has(changed.state)) {
        tx.remove(keys.lanes, laneKey(changed));
      }
      if (changed.offered || ended.has(changed.state)) {
        tx.remove(keys.unoffered, laneKey(changed));
      }
      if (ended.has(changed.state) && !ended.has(now.state)) {
        deliveriesEnded.add(1, { state: changed.state as EndState });
      }
      if (changed.state !== now.state) {
        this.#changeTransfer(tx, changed);
      }
      return changed;
    });
  }

  /** The transfer shows the worst of its deliveries, once all have ended; a receiver may still mend a failed one. */
  #changeTransfer(tx: Transaction, changed: DeliveryRecord): void {
    const transfer = tx.get(keys.transfers, changed.transfer);
    if (transfer === undefined || !['ready', 'delivering', 'failed'].includes(transfer.state)) {
      return;
    }
    const states = [...this.#state.list(keys.deliveriesOf, { prefix: [transfer.id] })].map(
      ({ key }) => tx.get(keys.deliveries, key[1])?.state ?? 'failed',
    );
    const state = transferStateOf(states);
    if (state !== transfer.state) {
      tx.put(keys.transfers, transfer.id, { ...transfer, state, updatedAt: Date.now() });
    }
  }
}

/** Throws Fatal for a dialect nobody defined: a mailbox must not get untagged studies by a typing error. */
function dialectOf(name: string): Dialect {
  const dialect = DIALECTS.find((one) => one.name === name);
  if (dialect === undefined) {
    const known = DIALECTS.map((one) => one.name).join(', ');
    throw new Fatal(`no dialect is called ${name}: use one of ${known}`, 2);
  }
  return dialect;
}

export function hasEnded({ state }: DeliveryRecord): boolean {
  return ended.has(state);
}

function transferStateOf(deliveries: readonly DeliveryState[]): TransferState {
  if (deliveries.every((state) => state === 'queued')) {
    return 'ready';
  }
  if (deliveries.some((state) => !ended.has(state))) {
    return 'delivering';
  }
  if (deliveries.some((state) => state === 'failed' || state === 'partial')) {
    return 'failed';
  }
  return deliveries.includes('recalled') ? 'recalled' : 'delivered';
}

function laneKey({ mailbox, priority, id }: DeliveryRecord): readonly [string, number, string] {
  return [mailbox, priorities.indexOf(priority), id];
}
