/** Lets long-polls wait for something to come into a mailbox. */
export class Bell {
  readonly #waiting = new Map<string, Set<() => void>>();
  #stopped = false;

  ring(mailbox: string): void {
    for (const wake of [...(this.#waiting.get(mailbox) ?? [])]) {
      wake();
    }
  }

  /** Wakes everybody; nobody waits any more. */
  stop(): void {
    this.#stopped = true;
    for (const mailbox of [...this.#waiting.keys()]) {
      this.ring(mailbox);
    }
  }

  /** Resolves at the next ring, after `ms`, or when `signal` aborts; whichever comes first. */
  async wait(mailbox: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#stopped) {
      return;
    }
    const waiting = this.#waiting.get(mailbox) ?? new Set();
    this.#waiting.set(mailbox, waiting);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(mailbox) === waiting) {
          this.#waiting.delete(mailbox);
        }
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      waiting.add(done);
    });
  }
}
