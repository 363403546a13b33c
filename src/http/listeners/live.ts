import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../ops/log.ts';
import type { Handler, ListenOptions } from '../exchange.ts';
import { answerLimits, type BodyTimers, bodyTimers, listenerLimits } from '../limits.ts';
import { httpCounts } from '../metrics.ts';
import { problem } from '../problem.ts';
import { serve } from '../serve.ts';
import type { SlabPool } from '../slabs.ts';
import type { LiveExchange } from './live-exchange.ts';

export interface ListenerOptions extends ListenOptions {
  readonly log: Log;
  /** Where bodies wait. */
  readonly slabs: SlabPool;
  /** As in answerLimits, which says how long when this does not. */
  readonly answerIdleMs?: number;
  /** As in limits.ts, and so is how often they are looked at. */
  readonly bodyTimers?: BodyTimers;
  readonly sweepMs?: number;
}

/** The exchanges of one listener that are not over yet, and what happens to all of them alike. */
export class LiveExchanges {
  /** True while the listener stops: answers then close their connections. */
  stopping = false;
  readonly answerIdleMs: number;
  readonly bodyTimers: BodyTimers;
  readonly #handler: Handler;
  readonly #log: Log;
  readonly #live = new Set<LiveExchange>();
  readonly #handlers = new Set<Promise<void>>();
  readonly #sweep: NodeJS.Timeout;
  #empty: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#handler = options.handler;
    this.#log = options.log;
    this.answerIdleMs = options.answerIdleMs ?? answerLimits.idleMs;
    this.bodyTimers = options.bodyTimers ?? bodyTimers;
    // Behind a turn's reads: when this process was held up, peers are judged by what they sent meanwhile.
    const sweep = () => void setImmediate(() => this.#look());
    this.#sweep = setInterval(sweep, options.sweepMs ?? listenerLimits.sweepMs).unref();
  }

  /** Runs the handler, or refuses. */
  begin(exchange: LiveExchange): void {
    httpCounts.requests += 1;
    httpCounts.live += 1;
    this.#live.add(exchange);
    if (exchange.refusal) {
      httpCounts.headsRefused += 1;
      exchange.answer(problem(exchange.refusal));
      return;
    }
    const served = serve(this.#handler, exchange, this.#log).then(() => {
      this.#handlers.delete(served);
      exchange.handlerEnded();
    });
    this.#handlers.add(served);
  }

  /** The exchange's answer is out, or its peer is gone. */
  over(exchange: LiveExchange): void {
    if (!this.#live.delete(exchange)) return;
    httpCounts.live -= 1;
    if (this.#live.size === 0) this.#empty?.();
  }

  #look(): void {
    const now = performance.now();
    for (const exchange of this.#live) exchange.sweep(now);
  }

  /** Resolves when no exchange is left or `deadline` aborts. */
  drained(deadline: AbortSignal): Promise<void> {
    this.stopping = true;
    if (this.#live.size === 0 || deadline.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#empty = resolve;
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** After all connections were cut: their handlers may still be writing what had arrived. */
  async handlersEnded(): Promise<void> {
    clearInterval(this.#sweep);
    const late = sleep(listenerLimits.handlersEndMs, undefined, { ref: false });
    await Promise.race([Promise.all(this.#handlers), late]);
  }
}
