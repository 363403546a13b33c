import type { Principal } from '../access/principal.ts';
import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { endBy } from '../ops/part.ts';
import { keys } from '../state/keys.ts';
import type { DeliveryRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { StorageDamaged } from '../storage/errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Composition } from '../study/composing.ts';
import type { WorkPool } from '../work/pool.ts';
import { type Acknowledged, acknowledgedEntries } from './acknowledging.ts';
import { doubledMs } from './backoff.ts';
import { contentOf, contentTypeOf, etagOf, type Packing } from './content.ts';
import { type Deliveries, hasEnded } from './deliveries.ts';
import { DigestTable } from './digest-table.ts';
import { digestDelivery } from './digesting.ts';
import { NotOffered } from './errors.ts';
import type { Integrity } from './integrity.ts';
import { prepareRetryMs, prepareRetryMsMax, preparingMax } from './limits.ts';
import { wordsOfError } from './outcome.ts';
import { selectionOf } from './selection.ts';
import type { Tagging } from './tagging.ts';

interface OffersParts {
  readonly state: State;
  readonly storage: Storage;
  readonly deliveries: Deliveries;
  readonly tagging: Tagging;
  readonly pool: Pick<WorkPool, 'digest'>;
  readonly integrity: Pick<Integrity, 'check'>;
  readonly log: Log;
  /** Something new is in the inbox of this mailbox. */
  onOffered(mailbox: string): void;
}

/**
 * Mailboxes that are pulled: a delivery is offered, whole and at once, when the digests of exactly the
 * bytes this mailbox will get are known; it ends when the receiver has said of every item, with its
 * SHA-256, that it holds it.
 */
export class Offers {
  readonly #parts: OffersParts;
  /** Mailboxes that may have something to prepare, each in its turn. */
  readonly #mailboxes = new Set<string>();
  readonly #preparing = new Map<string, Promise<void>>();
  /** Deliveries that could not be prepared and wait for their next try. */
  readonly #resting = new Set<string>();
  /** Delivery → how often it could not be prepared. */
  readonly #failures = new Map<string, number>();
  readonly #cut = new AbortController();
  #stopped = false;

  constructor(parts: OffersParts) {
    this.#parts = parts;
  }

  /** Prepares what is queued for this mailbox. Never waits. */
  wake(mailbox: string): void {
    this.#mailboxes.add(mailbox);
    this.#prepareMore();
  }

  /** Digests of which the workers have begun may end until `deadline`; the next start begins anew. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    await endBy(deadline, this.#cut, this.#preparing.values());
  }

  /** What is offered to this mailbox, most urgent first, from behind `cursor`, at most `limit`. */
  inbox(mailbox: string, cursor: string | undefined, limit: number): DeliveryRecord[] {
    const offered: DeliveryRecord[] = [];
    for (const delivery of this.#parts.deliveries.waiting(mailbox, cursor)) {
      if (delivery.offered) {
        offered.push(delivery);
      }
      if (offered.length >= limit) {
        break;
      }
    }
    return offered;
  }

  /** Whether something is queued for this mailbox that is not offered yet: its digests are being computed. */
  isPreparing(mailbox: string): boolean {
    return this.#parts.deliveries.hasUnoffered(mailbox);
  }

  /** The digests of an offered delivery. Throws DeliveryUnknown, NotOffered. */
  digests(principal: Principal, id: string): { delivery: DeliveryRecord; digests: DigestTable } {
    const delivery = this.#parts.deliveries.get(principal, id);
    const stored = this.#parts.state.get(keys.digests, id);
    if (!delivery.offered || stored === undefined || delivery.state === 'recalled') {
      throw new NotOffered();
    }
    return { delivery, digests: new DigestTable(stored) };
  }

  /** What this mailbox gets: any range of it is the same bytes at any time. */
  content(delivery: DeliveryRecord, digests: DigestTable, packing: Packing = 'multipart'): Composition {
    return contentOf(this.#parts.tagging, delivery, digests, packing);
  }

  contentType(delivery: DeliveryRecord, packing: Packing = 'multipart'): string {
    return contentTypeOf(delivery, packing);
  }

  etag(delivery: DeliveryRecord, packing: Packing = 'multipart'): string {
    return etagOf(delivery, selectionOf(this.#parts.state, delivery), packing);
  }

  /** The receiver has begun to fetch. */
  async begun(delivery: DeliveryRecord): Promise<void> {
    if (delivery.state === 'queued') {
      await this.#parts.deliveries.change(delivery.id, (now) =>
        now.state === 'queued' ? { ...now, state: 'sending', attempts: now.attempts + 1 } : now,
      );
    }
  }

  /**
   * Takes the receiver's word for each item, if its SHA-256 is that of what was offered. With the
   * last one the delivery is confirmed. Saying the same twice is no error, and one that was refused may
   * still be stored. Throws AcknowledgementInvalid.
   */
  async acknowledge(
    principal: Principal,
    id: string,
    items: readonly Acknowledged[],
  ): Promise<DeliveryRecord> {
    const { delivery, digests } = this.digests(principal, id);
    const said = await acknowledgedEntries(this.#parts.state, delivery, digests, items);
    return this.#parts.deliveries.change(id, (now, ledger) => {
      for (const [position, value] of said) {
        ledger.set(position, value);
      }
      const { held, refused, open } = ledger.tally();
      if (now.state === 'recalled' || open > 0) {
        return { ...now, delivered: held };
      }
      const state = refused === 0 ? 'confirmed' : held === 0 ? 'failed' : 'partial';
      return { ...now, state, delivered: held, lastOutcome: 'acknowledged by the receiver' };
    });
  }

  /** A few at a time, and of each mailbox one after the other: a sender of 5,000 studies holds up nobody. */
  #prepareMore(): void {
    for (const mailbox of this.#mailboxes) {
      if (this.#stopped || this.#preparing.size >= preparingMax) {
        return;
      }
      this.#mailboxes.delete(mailbox);
      const delivery = this.#nextOf(mailbox);
      if (delivery !== undefined) {
        // Behind the others, where this loop comes by again.
        this.#mailboxes.add(mailbox);
        const preparing = this.#prepare(delivery).finally(() => {
          this.#preparing.delete(delivery.id);
          this.#prepareMore();
        });
        this.#preparing.set(delivery.id, preparing);
      }
    }
  }

  #nextOf(mailbox: string): DeliveryRecord | undefined {
    const { deliveries } = this.#parts;
    for (const id of deliveries.unoffered(mailbox)) {
      if (!this.#preparing.has(id) && !this.#resting.has(id)) {
        return deliveries.find(id);
      }
    }
    return undefined;
  }

  async #prepare(delivery: DeliveryRecord): Promise<void> {
    const { deliveries, log } = this.#parts;
    const { id, mailbox, of: count } = delivery;
    try {
      await this.#parts.integrity.check(delivery.transfer);
      const stopped = (): boolean => this.#stopped;
      const digested = await digestDelivery(this.#parts, delivery, stopped, this.#cut.signal);
      if (digested === undefined) {
        return;
      }
      if (!(await deliveries.offer(delivery, digested.table, digested.untagged))) {
        // It got another recipe meanwhile: who woke us for that found it being prepared.
        this.#mailboxes.add(mailbox);
        return;
      }
      this.#failures.delete(id);
      log.info('delivery.offered', { delivery: id, mailbox, count });
      this.#parts.onOffered(mailbox);
    } catch (thrown) {
      if (this.#stopped) {
        return;
      }
      const error = asError(thrown);
      this.#retry(delivery, error);
      if (error instanceof StorageDamaged) {
        await this.#tellDamaged(delivery, error);
      }
    }
  }

  /** So that its sender sees why it goes nowhere. */
  async #tellDamaged({ id }: DeliveryRecord, error: StorageDamaged): Promise<void> {
    const lastOutcome = wordsOfError(error);
    try {
      if (this.#parts.deliveries.find(id)?.lastOutcome !== lastOutcome) {
        await this.#parts.deliveries.change(id, (now) => (hasEnded(now) ? now : { ...now, lastOutcome }));
      }
    } catch (failure) {
      this.#parts.log.warn('delivery.outcome-not-recorded', { delivery: id, error: failure });
    }
  }

  #retry({ id, mailbox }: DeliveryRecord, error: Error): void {
    const count = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, count);
    const ms = doubledMs(count, prepareRetryMs, prepareRetryMsMax);
    this.#parts.log.error('delivery.offer-failed', { delivery: id, mailbox, count, ms, error });
    this.#resting.add(id);
    setTimeout(() => {
      this.#resting.delete(id);
      this.wake(mailbox);
    }, ms).unref();
  }
}
