import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { endBy } from '../ops/part.ts';
import type { DeliveryRecord } from '../state/records.ts';
import { isGivenUp, msUntil, nextDelayMs, type RetrySettings } from './backoff.ts';
import { batchOf } from './batch.ts';
import { type Deliveries, hasEnded } from './deliveries.ts';
import { NothingSent, ReceiverUnclear, ReceiverUnreachable } from './errors.ts';
import type { Integrity } from './integrity.ts';
import { entry, type Ledger } from './ledger.ts';
import { deliveriesAheadMax } from './limits.ts';
import { attemptsFailed, deliveredBytes, instancesHeld, instancesRefused } from './metrics.ts';
import {
  givenUp,
  isAboutTheInstance,
  readOutcome,
  stateAfter,
  wordsOfAnswer,
  wordsOfError,
} from './outcome.ts';
import { Progress } from './progress.ts';
import { askFor } from './questions.ts';
import { isSameRecipe } from './recipes.ts';
import { LaneRest } from './rest.ts';
import { Soundness } from './soundness.ts';
import type { TaggedInstance, Tagging } from './tagging.ts';
import type { StowOutcome, StowReceiver } from './transports/stow.ts';
import { countUntagged } from './untagged.ts';

export interface LaneSettings {
  readonly connections: number;
  readonly batchBytes: number;
  readonly batchInstances: number;
  readonly retry: RetrySettings;
}

interface LaneParts {
  readonly mailbox: string;
  readonly deliveries: Deliveries;
  readonly tagging: Tagging;
  readonly receiver: Pick<StowReceiver, 'send' | 'holds' | 'close'>;
  readonly integrity: Pick<Integrity, 'check' | 'isVerified'>;
  readonly settings: LaneSettings;
  readonly log: Log;
}

type Job = (signal: AbortSignal) => Promise<void>;

/**
 * The queue and pace of one receiving mailbox that is pushed to. It has at most `connections` requests
 * under way, takes the most urgent delivery first, writes down that it sends before it sends, and
 * believes only the receiver's own answer.
 */
export class Lane {
  readonly #parts: LaneParts;
  readonly #rest: LaneRest;
  readonly #soundness: Soundness;
  readonly #progress = new Map<string, Progress>();
  readonly #abort = new AbortController();
  readonly #startedAt = performance.now();
  #running = 0;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#rest = new LaneRest(parts.settings.retry);
    this.#soundness = new Soundness({
      integrity: parts.integrity,
      onFailed: (delivery, error) =>
        this.#failed(delivery, this.#progressOf(delivery), error).catch((thrown) => this.#fault(thrown)),
      onChecked: () => this.wake(),
    });
  }

  /** Says that there may be work. Never waits. */
  wake(): void {
    clearTimeout(this.#timer);
    while (!this.#stopped && this.#running < this.#connections) {
      const job = this.#next();
      if (job === undefined) {
        return;
      }
      this.#running++;
      void job(this.#abort.signal)
        .catch((thrown: unknown) => this.#fault(thrown))
        .finally(() => {
          this.#running--;
          if (this.#stopped && this.#running === 0) {
            this.#idle?.();
          }
          this.wake();
        });
    }
  }

  /** Lets requests under way end until `deadline`; what is cut is asked for at the next start. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    this.#soundness.stop();
    clearTimeout(this.#timer);
    if (this.#running > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      await endBy(deadline, this.#abort, [idle]);
    }
    await this.#parts.receiver.close();
  }

  /** One request finds out whether a receiver that could not be reached is there again. */
  get #connections(): number {
    return this.#rest.unreachableSince === undefined ? this.#parts.settings.connections : 1;
  }

  #next(): Job | undefined {
    if (this.#rest.ms > 0) {
      this.#sleep(this.#rest.ms);
      return undefined;
    }
    const now = performance.now();
    let ahead = 0;
    let wakeAt = Number.POSITIVE_INFINITY;
    const rests = (id: string): boolean => {
      const until = this.#progress.get(id)?.restUntil ?? 0;
      wakeAt = until > now ? Math.min(wakeAt, until) : wakeAt;
      return until > now;
    };
    for (const delivery of this.#parts.deliveries.waiting(this.#parts.mailbox, undefined, rests)) {
      const progress = this.#progressOf(delivery);
      if (rests(delivery.id)) {
        continue;
      }
      if (++ahead > deliveriesAheadMax) {
        break;
      }
      const job = this.#soundness.isKnown(delivery) ? this.#jobOf(delivery, progress) : undefined;
      if (job !== undefined) {
        return job;
      }
    }
    if (wakeAt !== Number.POSITIVE_INFINITY) {
      this.#sleep(wakeAt - now);
    }
    return undefined;
  }

  #jobOf(delivery: DeliveryRecord, progress: Progress): Job | undefined {
    const ledger = this.#parts.deliveries.ledger(delivery.id);
    const unknown = progress.toAsk(ledger);
    const waiting =
      unknown.length > 0 && progress.asksFirst
        ? []
        : progress.toSend(ledger, this.#parts.settings.batchInstances);
    if (waiting.length > 0) {
      return this.#claim(delivery, progress, waiting, (signal) =>
        this.#send(delivery, waiting, progress, signal),
      );
    }
    if (unknown.length > 0) {
      return this.#claim(delivery, progress, unknown, (signal) =>
        this.#ask(delivery, unknown, progress, signal),
      );
    }
    return undefined;
  }

  /**
   * A fault with one delivery (its receiver's or our own) makes that one wait, not the others of the lane.
   * What we cut ourselves is no fault.
   */
  #claim(delivery: DeliveryRecord, progress: Progress, positions: readonly number[], job: Job): Job {
    progress.take(positions);
    return (signal) =>
      job(signal)
        .catch(async (thrown: unknown) => {
          if (!signal.aborted) {
            await this.#failed(delivery, progress, asError(thrown));
          }
        })
        .finally(() => progress.give(positions));
  }

  /** After a cut or a kill: perhaps the receiver has them. Ask before sending again. */
  async #ask(
    delivery: DeliveryRecord,
    positions: readonly number[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { receiver, tagging } = this.#parts;
    const { held: answers, failure } = await askFor(positions, tagging.of(delivery), receiver, signal);
    if ([...answers.keys()].some(({ isTwin }) => !isTwin)) {
      this.#reached();
    }
    progress.asksFirst = failure === undefined;
    if (answers.size > 0) {
      await this.#settle(delivery, [...answers.keys()], (ledger) => {
        for (const [{ position }, held] of answers) {
          const open = progress.isHopeless(position) ? entry.refused : entry.again;
          ledger.set(position, held ? entry.held : open);
        }
        return null;
      });
    }
    if ([...answers.values()].includes(true)) {
      progress.failures = 0;
    }
    if (failure !== undefined) {
      throw asError(failure);
    }
  }

  async #send(
    delivery: DeliveryRecord,
    positions: number[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { receiver, tagging, settings, log, mailbox } = this.#parts;
    let batch: readonly TaggedInstance[] = [];
    let sentBefore: ReadonlySet<number> = new Set();
    let outcome: StowOutcome;
    try {
      batch = await batchOf(positions, tagging.of(delivery), settings.batchBytes);
      const rest = positions.splice(batch.length);
      if (rest.length > 0) {
        // What does not fit is another connection's.
        progress.give(rest);
        this.wake();
      }
      const marked = await this.#markAsked(delivery, batch);
      if (marked === undefined) {
        return;
      }
      sentBefore = marked;
      outcome = await receiver.send(batch, signal);
    } catch (thrown) {
      if (thrown instanceof NothingSent) {
        await this.#unmark(delivery, batch, sentBefore);
        throw asError(thrown.cause);
      }
      progress.suspect(positions, positions.length);
      throw thrown;
    }
    this.#reached();
    const { answered, held, refused, unclear } = readOutcome(outcome, batch, sentBefore);
    progress.suspect(
      unclear.map(({ position }) => position),
      batch.length,
    );
    for (const one of batch.length === 1 ? unclear : []) {
      if (isAboutTheInstance(outcome, one)) {
        progress.leftUnclear(one.position);
      }
    }
    await this.#settle(delivery, batch, (ledger) => {
      for (const [position, value] of answered) {
        ledger.set(position, value);
      }
      // Why one was refused is not written over by an answer in which all went well.
      const isNews = refused.length > 0 || ledger.tally().refused === 0;
      return isNews ? wordsOfAnswer(outcome, refused) : null;
    });
    instancesHeld.add(held.length);
    deliveredBytes.add(held.reduce((sum, { bytes }) => sum + bytes, 0));
    instancesRefused.add(refused.length);
    if (unclear.length > 0) {
      const { status } = outcome;
      log.warn('lane.answer-unclear', { mailbox, delivery: delivery.id, status, count: unclear.length });
      const said = `the receiver answered ${status} and did not say that it holds ${unclear.length} instances`;
      await this.#failed(delivery, progress, new ReceiverUnclear(said), outcome.retryAfterMs);
    } else {
      progress.failures = 0;
    }
  }

  /**
   * Written down before the first byte goes out: a kill from here on leaves "perhaps", never "not sent".
   * Returns which of them may have gone out before; undefined when the delivery has ended meanwhile, or got
   * another recipe: what was tagged by the old one is not to be sent.
   */
  async #markAsked(
    delivery: DeliveryRecord,
    batch: readonly TaggedInstance[],
  ): Promise<ReadonlySet<number> | undefined> {
    const sentBefore = new Set<number>();
    let isMarked = false;
    await this.#parts.deliveries.change(delivery.id, (now, ledger) => {
      isMarked = !hasEnded(now) && isSameRecipe(now.recipe, delivery.recipe);
      if (!isMarked) {
        return now;
      }
      for (const { position } of batch) {
        if (ledger.get(position) === entry.again) {
          sentBefore.add(position);
        }
        ledger.set(position, entry.asked);
      }
      return { ...now, state: 'sending', attempts: now.attempts + 1 };
    });
    return isMarked ? sentBefore : undefined;
  }

  /** Nothing went out: they wait as before, and nobody has to be asked for them. */
  async #unmark(
    delivery: DeliveryRecord,
    batch: readonly TaggedInstance[],
    sentBefore: ReadonlySet<number>,
  ): Promise<void> {
    await this.#settle(delivery, batch, (ledger) => {
      for (const { position } of batch) {
        ledger.set(position, sentBefore.has(position) ? entry.again : entry.waiting);
      }
      return null;
    });
  }

  /** `change` says what became of these; returns words for the sender, or null for nothing new. */
  async #settle(
    delivery: DeliveryRecord,
    tagged: readonly TaggedInstance[],
    change: (ledger: Ledger) => string | null,
  ): Promise<void> {
    const changed = await this.#parts.deliveries.change(delivery.id, (now, ledger) => {
      const open = tagged.filter(({ position }) => !ledger.isHeld(position));
      const lastOutcome = change(ledger) ?? now.lastOutcome;
      const untagged = countUntagged(
        now.untagged,
        open.filter(({ position }) => ledger.isHeld(position)),
      );
      const { held } = ledger.tally();
      const failingSince = held > now.delivered ? null : now.failingSince;
      return { ...now, state: stateAfter(now, ledger), delivered: held, untagged, failingSince, lastOutcome };
    });
    this.#tellEnded(changed);
  }

  #tellEnded(changed: DeliveryRecord): void {
    if (hasEnded(changed) && this.#progress.delete(changed.id)) {
      this.#soundness.forget(changed.id);
      const { id, mailbox, transfer, state, delivered } = changed;
      this.#parts.log.info('delivery.ended', { mailbox, delivery: id, transfer, state, count: delivered });
    }
  }

  async #failed(delivery: DeliveryRecord, progress: Progress, error: Error, afterMs = 0): Promise<void> {
    const { deliveries, settings, log, mailbox } = this.#parts;
    progress.failures++;
    attemptsFailed.add(1);
    if (error instanceof ReceiverUnreachable) {
      this.#rest.unreachable();
    }
    const delay = nextDelayMs(progress.failures, delivery.priority, settings.retry, afterMs);
    progress.restUntil = performance.now() + delay;
    log.warn('lane.attempt-failed', {
      mailbox,
      delivery: delivery.id,
      count: progress.failures,
      ms: delay,
      error,
    });
    const at = Date.now();
    const changed = await deliveries.change(delivery.id, (now, ledger) => {
      if (hasEnded(now)) {
        return now;
      }
      const failingSince = now.failingSince ?? Math.max(now.queuedAt, this.#rest.unreachableSince ?? at);
      const failing = { failingSince, lastOutcome: wordsOfError(error), nextAttemptAt: at + delay };
      const runningMs = performance.now() - this.#startedAt;
      return isGivenUp(failingSince, now.priority, settings.retry, at, runningMs)
        ? { ...now, ...failing, ...givenUp(ledger, failing.lastOutcome) }
        : { ...now, ...failing };
    });
    this.#tellEnded(changed);
  }

  /** A fault of our own, such as a full disk below the records. */
  #fault(thrown: unknown): void {
    this.#parts.log.error('lane.failed', { mailbox: this.#parts.mailbox, error: asError(thrown) });
    this.#rest.afterFault();
  }

  /** After it could not be reached: what waited for that need not wait any longer. */
  #reached(): void {
    if (this.#rest.unreachableSince !== undefined) {
      this.#rest.reached();
      for (const progress of this.#progress.values()) {
        progress.restUntil = 0;
      }
    }
  }

  /** Made the first time, with what is left of the wait that was written down before a restart. */
  #progressOf({ id, nextAttemptAt, priority }: DeliveryRecord): Progress {
    let progress = this.#progress.get(id);
    if (progress === undefined) {
      progress = new Progress();
      const ms = msUntil(nextAttemptAt, priority, this.#parts.settings.retry, Date.now());
      progress.restUntil = ms === 0 ? 0 : performance.now() + ms;
      this.#progress.set(id, progress);
    }
    return progress;
  }

  #sleep(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.ceil(ms));
  }
}
