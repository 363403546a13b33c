import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Principal } from '../access/principal.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import type { Dialect } from '../dicom/dialect.ts';
import { newId } from '../state/ids.ts';
import { keys } from '../state/keys.ts';
import {
  type DeliveryRecord,
  type DeliveryState,
  type InstanceRecord,
  type MailboxRecord,
  priorities,
  type TransferRecord,
  type TransferState,
} from '../state/records.ts';
import type { Reader, State, Transaction } from '../state/state.ts';
import { allOf, type Choices, Choosing } from './choice.ts';
import type { DigestTable } from './digest-table.ts';
import { DeliveryUnknown } from './errors.ts';
import { Ledger } from './ledger.ts';
import { instancesPerTurn } from './limits.ts';
import { deliveriesEnded } from './metrics.ts';
import { isSameRecipe, Recipes, retagged } from './recipes.ts';

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
  readonly #recipes: Recipes;

  /** @param parts.dialects built in and configured; those that are built in when absent */
  constructor(parts: { state: State; addressBook: AddressBook; dialects?: readonly Dialect[] }) {
    this.#state = parts.state;
    this.#addressBook = parts.addressBook;
    this.#recipes = new Recipes(parts.dialects);
  }

  /**
   * What each mailbox of a transfer gets, when all of its items are known. Looks at every item where a mailbox
   * may get fewer, and gives the event loop back meanwhile.
   */
  async choose(transfer: TransferRecord): Promise<Choices> {
    const choosing = new Choosing(transfer, this.#mailboxesOf(transfer));
    for (let number = 0; number < choosing.items; number += 1) {
      choosing.add(this.#item(this.#state, transfer.id, number));
      if (number % instancesPerTurn === instancesPerTurn - 1) {
        await nextTurn();
      }
    }
    return choosing.end();
  }

  /**
   * In the transaction that makes a transfer ready: one delivery a mailbox, its recipe and selection frozen.
   *
   * @param choices of choose(); without them they are made here, which for a large transfer takes a while
   */
  queue(tx: Transaction, transfer: TransferRecord, choices = this.#choices(tx, transfer)): void {
    const now = Date.now();
    const issuer = this.#addressBook.issuerOf(transfer.organization);
    const queued = this.#mailboxesOf(transfer).map((mailbox) => {
      const { selection, bytes, leftOut } = choices.get(mailbox.id) ?? allOf(transfer);
      const isEmpty = selection.of === 0;
      const delivery: DeliveryRecord = {
        id: newId(now),
        transfer: transfer.id,
        mailbox: mailbox.id,
        priority: transfer.priority,
        recipe: this.#recipes.of(mailbox, transfer, issuer, now),
        state: isEmpty ? 'failed' : 'queued',
        delivered: 0,
        of: selection.of,
        bytes,
        leftOut,
        untagged: {},
        offered: false,
        attempts: 0,
        nextAttemptAt: now,
        failingSince: null,
        lastOutcome: isEmpty ? 'nothing was sent that this mailbox takes: see what was left out' : null,
        queuedAt: now,
        updatedAt: now,
      };
      tx.put(keys.deliveries, delivery.id, delivery);
      tx.put(keys.deliveriesOf, [transfer.id, delivery.id], mailbox.id);
      tx.put(keys.ledgers, delivery.id, new Ledger(selection.of).bytes);
      if (selection.bitmap !== null) {
        tx.put(keys.selections, delivery.id, selection.bitmap);
      }
      if (isEmpty) {
        deliveriesEnded.add(1, { state: 'failed' });
      } else {
        tx.put(keys.lanes, laneKey(delivery), 1);
        tx.put(keys.unoffered, laneKey(delivery), 1);
      }
      if (mailbox.organization !== transfer.organization) {
        tx.put(keys.transfersOf, [mailbox.organization, transfer.id], 'receiver');
      }
      return delivery;
    });
    const state = transferStateOf(queued.map((delivery) => delivery.state));
    if (state !== transfer.state) {
      tx.put(keys.transfers, transfer.id, { ...transfer, state, updatedAt: now });
    }
  }

  /**
   * In the transaction that attaches a BSN to a transfer: what is still on its way gets it. What was offered
   * is prepared anew; what a receiver holds stays as it got it. Returns the mailboxes that have something to
   * do.
   */
  retag(tx: Transaction, transfer: TransferRecord): string[] {
    const mailboxes: string[] = [];
    for (const { key } of this.#state.list(keys.deliveriesOf, { prefix: [transfer.id] })) {
      const delivery = tx.get(keys.deliveries, key[1]);
      if (delivery === undefined || hasEnded(delivery)) {
        continue;
      }
      const now = Date.now();
      const recipe = retagged(delivery.recipe, transfer.bsn, now);
      if (recipe === undefined) {
        continue;
      }
      if (delivery.offered) {
        tx.remove(keys.digests, delivery.id);
        tx.put(keys.unoffered, laneKey(delivery), 1);
      }
      tx.put(keys.deliveries, delivery.id, { ...delivery, recipe, offered: false, updatedAt: now });
      mailboxes.push(delivery.mailbox);
    }
    return mailboxes;
  }

  /**
   * Shows a prepared delivery to its mailbox, whole. Returns false, and does nothing, when it ended meanwhile
   * or has another recipe now than `prepared`.
   */
  async offer(
    prepared: DeliveryRecord,
    digests: DigestTable,
    untagged: DeliveryRecord['untagged'],
  ): Promise<boolean> {
    return this.#state.commit((tx) => {
      const now = tx.get(keys.deliveries, prepared.id);
      if (now === undefined || hasEnded(now) || !isSameRecipe(now.recipe, prepared.recipe)) {
        return false;
      }
      tx.put(keys.digests, now.id, digests.stored);
      tx.put(keys.deliveries, now.id, { ...now, offered: true, untagged, updatedAt: Date.now() });
      tx.remove(keys.unoffered, laneKey(now));
      return true;
    });
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

  #mailboxesOf(transfer: TransferRecord): MailboxRecord[] {
    return transfer.to.map((mailbox) => this.#addressBook.mailbox(mailbox));
  }

  #choices(reader: Reader, transfer: TransferRecord): Choices {
    const choosing = new Choosing(transfer, this.#mailboxesOf(transfer));
    for (let number = 0; number < choosing.items; number += 1) {
      choosing.add(this.#item(reader, transfer.id, number));
    }
    return choosing.end();
  }

  #item(reader: Reader, transfer: string, number: number): InstanceRecord {
    const item = reader.get(keys.instances, [transfer, number]);
    if (item === undefined) {
      throw new Error(`transfer ${transfer} has no item ${number}`);
    }
    return item;
  }
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
