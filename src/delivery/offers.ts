import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Principal } from '../access/principal.ts';
import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { endBy } from '../ops/part.ts';
import { keys } from '../state/keys.ts';
import type { DeliveryRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { Storage } from '../storage/storage.ts';
import { Composition } from '../study/composing.ts';
import type { WorkPool } from '../work/pool.ts';
import { doubledMs } from './backoff.ts';
import type { Deliveries } from './deliveries.ts';
import { DigestTable } from './digest-table.ts';
import { AcknowledgementInvalid, NotOffered } from './errors.ts';
import { type Entry, entry } from './ledger.ts';
import {
  digestBatchMax,
  instancesPerTurn,
  prepareRetryMs,
  prepareRetryMsMax,
  preparingMax,
} from './limits.ts';
import type { Tagging } from './tagging.ts';
import { twinsOf } from './twins.ts';

/** What the receiver says of one instance. */
export interface Acknowledged {
  readonly sopInstanceUid: string;
  /** Hexadecimal SHA-256 of what it holds. */
  readonly sha256: string;
  readonly status: 'stored' | 'refused';
}

interface OffersParts {
  readonly state: State;
  readonly storage: Storage;
  readonly deliveries: Deliveries;
  readonly tagging: Tagging;
  readonly pool: Pick<WorkPool, 'digest'>;
  readonly log: Log;
  /** Something new is in the inbox of this mailbox. */
  onOffered(mailbox: string): void;
}

/**
 * Mailboxes that are pulled: a delivery is offered, whole and at once, when the digests of exactly the
 * bytes this mailbox will get are known; it ends when the receiver has said of every instance, with its
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

  /** The package this mailbox gets: any range of it is the same bytes at any time. */
  content(delivery: DeliveryRecord, digests: DigestTable): Composition {
    const tag = this.#parts.tagging.of(delivery);
    return new Composition({
      boundary: boundaryOf(delivery),
      count: delivery.of,
      bytes: Float64Array.from({ length: delivery.of }, (_, number) => digests.bytesOf(number)),
      instance: async (number) => {
        const { instance, edits } = await tag(number);
        return { extents: instance.extents, bytes: instance.bytes, edits };
      },
    });
  }

  contentType(delivery: DeliveryRecord): string {
    return `multipart/related; type="application/dicom"; boundary=${boundaryOf(delivery)}`;
  }

  /** Names delivery, recipe and selection (all): RFC 9110, 8.8.3. */
  etag(delivery: DeliveryRecord): string {
    const recipe = createHash('sha256').update(JSON.stringify(delivery.recipe)).digest('hex').slice(0, 16);
    return `"${delivery.id}.${recipe}.all"`;
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
   * Takes the receiver's word for each instance, if its SHA-256 is that of what was offered. With the
   * last one the delivery is confirmed. Saying the same twice is no error, and one that was refused may
   * still be stored. Throws AcknowledgementInvalid.
   */
  async acknowledge(
    principal: Principal,
    id: string,
    items: readonly Acknowledged[],
  ): Promise<DeliveryRecord> {
    const { delivery, digests } = this.digests(principal, id);
    const numbersOf = this.#numbers(delivery, digests);
    const said = new Map<number, Entry>();
    let looked = 0;
    for (const { sopInstanceUid, sha256, status } of items) {
      const numbers = numbersOf(sopInstanceUid, sha256.toLowerCase());
      const [first] = numbers;
      if (first === undefined) {
        throw new AcknowledgementInvalid('an acknowledged SOP Instance UID is not in this delivery');
      }
      if (status === 'stored' && digests.get(first).sha256 !== sha256.toLowerCase()) {
        throw new AcknowledgementInvalid(
          'the SHA-256 of an acknowledged instance is not that of what was offered: fetch it again',
        );
      }
      for (const number of numbers) {
        // What it once said it holds it does not refuse further on in the list.
        if (said.get(number) !== entry.held) {
          said.set(number, status === 'stored' ? entry.held : entry.refused);
        }
        if (++looked % instancesPerTurn === 0) {
          await nextTurn();
        }
      }
    }
    return this.#parts.deliveries.change(id, (now, ledger) => {
      for (const [number, value] of said) {
        ledger.set(number, value);
      }
      const { held, refused, open } = ledger.tally();
      if (now.state === 'recalled' || open > 0) {
        return { ...now, delivered: held };
      }
      const state = refused === 0 ? 'confirmed' : held === 0 ? 'failed' : 'partial';
      return { ...now, state, delivered: held, lastOutcome: 'acknowledged by the receiver' };
    });
  }

  /**
   * An acute transfer may have two different instances with one UID: the SHA-256 tells which is meant. It
   * means both where their patches make them equal; the receiver then holds both as one.
   */
  #numbers(
    delivery: DeliveryRecord,
    digests: DigestTable,
  ): (uid: string, sha256: string) => readonly number[] {
    const { state } = this.#parts;
    const twins = twinsOf(state, delivery.transfer);
    const known = new Map<string, Map<string, number[]>>();
    return (uid, sha256) => {
      const first = state.get(keys.instanceNumbers, [delivery.transfer, uid]);
      if (first === undefined) {
        return [];
      }
      let ofUid = known.get(uid);
      if (ofUid === undefined) {
        const others = twins(uid, delivery.of);
        if (others.length === 0) {
          return [first];
        }
        ofUid = new Map<string, number[]>();
        for (const number of [first, ...others]) {
          const digest = digests.get(number).sha256;
          const equal = ofUid.get(digest);
          if (equal === undefined) {
            ofUid.set(digest, [number]);
          } else {
            equal.push(number);
          }
        }
        known.set(uid, ofUid);
      }
      return ofUid.get(sha256) ?? [first];
    };
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
    const { state, deliveries, log } = this.#parts;
    try {
      const table = new DigestTable(delivery.of);
      for (let from = 0; from < delivery.of && !this.#stopped; from += digestBatchMax) {
        await this.#digest(delivery, table, from, Math.min(from + digestBatchMax, delivery.of));
      }
      if (this.#stopped) {
        return;
      }
      await state.commit((tx) => tx.put(keys.digests, delivery.id, table.stored));
      await deliveries.change(delivery.id, (now) => ({ ...now, offered: true }));
      this.#failures.delete(delivery.id);
      log.info('delivery.offered', { delivery: delivery.id, mailbox: delivery.mailbox, count: delivery.of });
      this.#parts.onOffered(delivery.mailbox);
    } catch (thrown) {
      if (!this.#cut.signal.aborted) {
        this.#retry(delivery, asError(thrown));
      }
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

  async #digest(delivery: DeliveryRecord, table: DigestTable, from: number, to: number): Promise<void> {
    const { storage, pool, tagging } = this.#parts;
    const tag = tagging.of(delivery);
    const tagged = await Promise.all(Array.from({ length: to - from }, (_, at) => tag(from + at)));
    const digests = await pool.digest(
      tagged.map(({ instance, edits }) => ({
        ranges: storage.locate(instance.extents, 0, instance.bytes),
        edits,
      })),
      this.#cut.signal,
    );
    for (const [at, { number }] of tagged.entries()) {
      const digest = digests[at];
      if (digest === undefined) {
        throw new Error('a worker answered fewer digests than it was asked for');
      }
      table.set(number, digest);
    }
  }
}

/** Random enough not to occur in the data (the id has 62 random bits and the time), and always the same. */
function boundaryOf(delivery: DeliveryRecord): string {
  return `sluis-${createHash('sha256').update(`boundary ${delivery.id}`).digest('hex').slice(0, 32)}`;
}
