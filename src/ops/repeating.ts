import type { Log } from './log.ts';
import type { Part } from './part.ts';

interface RepeatingParts {
  readonly name: string;
  /** After the start; 0 when absent. */
  readonly firstMs?: number;
  readonly everyMs: number;
  readonly log: Log;
  run(): Promise<void>;
}

/** Does something again and again, each time so long after it was done. Never twice at once. */
export class Repeating implements Part {
  readonly #parts: RepeatingParts;
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: RepeatingParts) {
    this.#parts = parts;
  }

  /** Waits for nothing: what a turn does not manage is in the log. */
  async start(): Promise<void> {
    this.#turnIn(this.#parts.firstMs ?? 0);
  }

  /** Lets the turn under way end, until `deadline`. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (deadline.aborted) {
      return;
    }
    const isOver = new Promise<void>((resolve) => {
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#running, isOver]);
  }

  #turnIn(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#turn();
    }, ms);
  }

  async #turn(): Promise<void> {
    const { name, everyMs, log } = this.#parts;
    try {
      await this.#parts.run();
    } catch (error) {
      if (!this.#stopped) {
        log.error('repeating.failed', { reason: name, error });
      }
    }
    if (!this.#stopped) {
      this.#turnIn(everyMs);
    }
  }
}
