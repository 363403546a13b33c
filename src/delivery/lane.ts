import { asError, SluisError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import type { DeliveryRecord } from '../state/records.ts';
import { isGivenUp, nextDelayMs, type RetrySettings } from './backoff.ts';
import { type Deliveries, hasEnded } from './deliveries.ts';
import { ReceiverUnclear } from './errors.ts';
import { entry, type Ledger } from './ledger.ts';
import { deliveriesAheadMax, questionsInFlightMax } from './limits.ts';
import { attemptsFailed, deliveredBytes, instancesHeld, instancesRefused } from './metrics.ts';
import { Progress } from './progress.ts';
import type { TaggedInstance, Tagging } from './tagging.ts';
import type { StowOutcome, StowReceiver } from './transports/stow.ts';
import { isOutOfResources, mayPass } from './transports/stow-answer.ts';

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
  readonly #progress = new Map<string, Progress>();
  readonly #abort = new AbortController();
  #running = 0;
  #stopped = false;
  /** After a fault of our own (storage, state) the lane rests, so that it does not spin. */
  #restUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** Says that there may be work. Never waits. */
  wake(): void {
    clearTimeout(this.#timer);
    while (!this.#stopped && this.#running < this.#parts.settings.connections) {
      const job = this.#next();
      if (job === undefined) {
        return;
      }
      this.#running++;
      void job(this.#abort.signal)
        .catch((thrown: unknown) => {
          this.#parts.log.error('lane.failed', { mailbox: this.#parts.mailbox, error: asError(thrown) });
          this.#restUntil = Date.now() + this.#parts.settings.retry.firstMs;
        })
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
    clearTimeout(this.#timer);
    if (this.#running > 0) {
      const cut = (): void => this.#abort.abort();
      deadline.addEventListener('abort', cut);
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        if (deadline.aborted) {
          cut();
        }
      });
      deadline.removeEventListener('abort', cut);
    }
    await this.#parts.receiver.close();
  }

  #next(): Job | undefined {
    const now = Date.now();
    if (now < this.#restUntil) {
      this.#sleep(this.#restUntil - now);
      return undefined;
    }
    let ahead = 0;
    let wakeAt = Number.POSITIVE_INFINITY;
    for (const delivery of this.#parts.deliveries.waiting(this.#parts.mailbox)) {
      if (delivery.nextAttemptAt > now) {
        wakeAt = Math.min(wakeAt, delivery.nextAttemptAt);
        continue;
      }
      if (++ahead > deliveriesAheadMax) {
        break;
      }
      const job = this.#jobOf(delivery);
      if (job !== undefined) {
        return job;
      }
    }
    if (wakeAt !== Number.POSITIVE_INFINITY) {
      this.#sleep(wakeAt - now);
    }
    return undefined;
  }

  #jobOf(delivery: DeliveryRecord): Job | undefined {
    const { deliveries, settings } = this.#parts;
    const progress = this.#progressOf(delivery.id);
    const ledger = deliveries.ledger(delivery.id);
    const unknown = progress.toAsk(ledger);
    if (unknown.length > 0) {
      return this.#claim(delivery, progress, unknown, (signal) =>
        this.#ask(delivery, unknown, progress, signal),
      );
    }
    const waiting = progress.toSend(ledger, settings.batchInstances);
    if (waiting.length > 0) {
      return this.#claim(delivery, progress, waiting, (signal) =>
        this.#send(delivery, waiting, progress, signal),
      );
    }
    return undefined;
  }

  /** A fault with one delivery (its receiver's or our own) makes that one wait, not the others of the lane. */
  #claim(delivery: DeliveryRecord, progress: Progress, numbers: readonly number[], job: Job): Job {
    progress.take(numbers);
    return (signal) =>
      job(signal)
        .catch((thrown: unknown) => this.#failed(delivery, progress, asError(thrown)))
        .finally(() => progress.give(numbers));
  }

  /** After a cut or a kill: perhaps the receiver has them. Ask before sending again. */
  async #ask(
    delivery: DeliveryRecord,
    numbers: number[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { receiver, tagging } = this.#parts;
    const tag = tagging.of(delivery);
    const answers = new Map<number, boolean>();
    const queue = [...numbers];
    const askNext = async (): Promise<void> => {
      for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
        answers.set(number, await receiver.holds(await tag(number), signal));
      }
    };
    try {
      await Promise.all(Array.from({ length: questionsInFlightMax }, askNext));
    } finally {
      queue.length = 0;
    }
    await this.#settle(delivery, (ledger) => {
      for (const [number, held] of answers) {
        const open = progress.isHopeless(number) ? entry.refused : entry.waiting;
        ledger.set(number, held ? entry.held : open);
      }
      return null;
    });
  }

  async #send(
    delivery: DeliveryRecord,
    numbers: number[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { receiver, log, mailbox } = this.#parts;
    let batch: readonly TaggedInstance[] = [];
    let outcome: StowOutcome;
    try {
      batch = await this.#batch(delivery, numbers);
      if (!(await this.#markAsked(delivery, batch))) {
        return;
      }
      outcome = await receiver.send(batch, signal);
    } catch (thrown) {
      const stopped = batch.length === 0 ? numbers : batch.map(({ number }) => number);
      progress.suspect(stopped, stopped.length);
      throw thrown;
    }
    const unclear = batch.filter(({ instance: { sopInstanceUid } }) => isUnclear(outcome, sopInstanceUid));
    progress.suspect(
      unclear.map(({ number }) => number),
      batch.length,
    );
    for (const { number, instance } of batch.length === 1 ? unclear : []) {
      if (isAboutTheInstance(outcome, instance.sopInstanceUid)) {
        progress.leftUnclear(number);
      }
    }
    await this.#settle(delivery, (ledger) => {
      for (const { number, instance, bytes } of batch) {
        const held = outcome.held.get(instance.sopInstanceUid);
        const refused = outcome.refused.get(instance.sopInstanceUid);
        if (held !== undefined) {
          ledger.set(number, held === 'held' ? entry.held : entry.heldWithWarning);
          instancesHeld.add(1);
          deliveredBytes.add(bytes);
        } else if (refused !== undefined && !mayPass(refused)) {
          ledger.set(number, entry.refused);
          instancesRefused.add(1);
        }
      }
      return `status ${outcome.status}`;
    });
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
   * False when the delivery has ended meanwhile, and nothing is to be sent.
   */
  async #markAsked(delivery: DeliveryRecord, batch: readonly TaggedInstance[]): Promise<boolean> {
    const changed = await this.#parts.deliveries.change(delivery.id, (now, ledger) => {
      if (hasEnded(now)) {
        return now;
      }
      for (const { number } of batch) {
        ledger.set(number, entry.asked);
      }
      return { ...now, state: 'sending', attempts: now.attempts + 1 };
    });
    return !hasEnded(changed);
  }

  /**
   * As many of the instances as fit in a request; a large one goes alone. Never two of one UID (an acute
   * transfer may have them): the answer would not say which of the two it means.
   */
  async #batch(delivery: DeliveryRecord, numbers: readonly number[]): Promise<TaggedInstance[]> {
    const { batchBytes } = this.#parts.settings;
    const tag = this.#parts.tagging.of(delivery);
    const batch: TaggedInstance[] = [];
    const uids = new Set<string>();
    let bytes = 0;
    for (const number of numbers) {
      const tagged = await tag(number);
      const { sopInstanceUid } = tagged.instance;
      if (batch.length > 0 && (bytes + tagged.bytes > batchBytes || uids.has(sopInstanceUid))) {
        break;
      }
      batch.push(tagged);
      uids.add(sopInstanceUid);
      bytes += tagged.bytes;
    }
    return batch;
  }

  async #settle(delivery: DeliveryRecord, change: (ledger: Ledger) => string | null): Promise<void> {
    const changed = await this.#parts.deliveries.change(delivery.id, (now, ledger) => {
      const outcome = change(ledger) ?? now.lastOutcome;
      const { held, refused, open } = ledger.tally();
      const state = open > 0 ? now.state : refused === 0 ? 'delivered' : held === 0 ? 'failed' : 'partial';
      return { ...now, state, delivered: held, lastOutcome: outcome };
    });
    this.#tellEnded(changed);
  }

  #tellEnded(changed: DeliveryRecord): void {
    if (hasEnded(changed) && this.#progress.delete(changed.id)) {
      const { id, mailbox, transfer, state, delivered } = changed;
      this.#parts.log.info('delivery.ended', { mailbox, delivery: id, transfer, state, count: delivered });
    }
  }

  async #failed(delivery: DeliveryRecord, progress: Progress, error: Error, afterMs = 0): Promise<void> {
    const { deliveries, settings, log, mailbox } = this.#parts;
    progress.failures++;
    attemptsFailed.add(1);
    const delay = nextDelayMs(progress.failures, delivery.priority, settings.retry, afterMs);
    log.warn('lane.attempt-failed', {
      mailbox,
      delivery: delivery.id,
      count: progress.failures,
      ms: delay,
      error,
    });
    const changed = await deliveries.change(delivery.id, (now, ledger) => {
      if (hasEnded(now)) {
        return now;
      }
      const outcome = { lastOutcome: wordsOf(error), nextAttemptAt: Date.now() + delay };
      if (isGivenUp(now.queuedAt, now.priority, settings.retry, Date.now())) {
        return { ...now, ...outcome, state: ledger.tally().held === 0 ? 'failed' : 'partial' };
      }
      return { ...now, ...outcome };
    });
    this.#tellEnded(changed);
  }

  #progressOf(delivery: string): Progress {
    let progress = this.#progress.get(delivery);
    if (progress === undefined) {
      progress = new Progress();
      this.#progress.set(delivery, progress);
    }
    return progress;
  }

  #sleep(ms: number): void {
    clearTimeout(this.#timer);
    // One wake a minute at least: a clock that was set back must not stop a lane for hours.
    this.#timer = setTimeout(() => this.wake(), Math.min(ms, 60_000));
  }
}

function isUnclear({ held, refused }: StowOutcome, uid: string): boolean {
  const reason = refused.get(uid);
  return !held.has(uid) && (reason === undefined || mayPass(reason));
}

/** Answers about whoever asks, about the moment, or about the receiver's own state: 5xx and these. */
const notAboutTheInstance: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421, 425, 429]);

/** Whether an unclear answer is one more sign that the receiver will never take this instance. */
function isAboutTheInstance({ status, refused }: StowOutcome, uid: string): boolean {
  const reason = refused.get(uid);
  if (reason !== undefined) {
    return !isOutOfResources(reason);
  }
  return status < 500 && !notAboutTheInstance.has(status);
}

/** What the sender may read too, so an error of the network gives its code and no address. */
function wordsOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return error instanceof SluisError
    ? `${error.message}${code}`
    : `the request did not come to an end${code}`;
}
