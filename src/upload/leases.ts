import { UploadsStopping, UploadTakenOver } from './errors.ts';

/**
 * Who may write an upload: one holder, fenced by an epoch.
 *
 * The newest asker wins. The holder is asked to stop and gets a moment to flush what it has received;
 * then it is fenced off whether it is done or not. A half-open connection therefore never locks its
 * own client out, and nobody who only reads ever waits.
 */
export class Leases {
  readonly #graceMs: number;
  readonly #slots = new Map<string, Slot>();
  /** Over all slots: every request asks for the sum. */
  #waiting = 0;
  #stopping = false;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** Writers that hold or wait for a lease: the gauge of this queue. */
  get size(): number {
    return this.#slots.size + this.#waiting;
  }

  /**
   * Takes the lease of an upload over from whoever has it. Resolves when no write of an earlier holder
   * is in flight and none can begin, after at most the grace time and the writes then in flight.
   *
   * `epochBefore` is the recorded epoch; the lease's is higher. Rejects UploadTakenOver when a newer
   * asker came meanwhile, UploadsStopping after stop().
   */
  async take(upload: string, epochBefore: number): Promise<Lease> {
    if (this.#stopping) {
      throw new UploadsStopping();
    }
    const slot = this.#slots.get(upload) ?? { asked: 0, waiting: 0, epoch: epochBefore, holder: undefined };
    this.#slots.set(upload, slot);
    const ticket = ++slot.asked;
    slot.waiting++;
    this.#waiting++;
    try {
      while (slot.holder !== undefined) {
        await this.#endHolder(slot.holder);
        if (ticket !== slot.asked) {
          throw new UploadTakenOver();
        }
      }
      if (this.#stopping) {
        throw new UploadsStopping();
      }
      slot.epoch = Math.max(slot.epoch, epochBefore) + 1;
      const holder = new Lease(slot.epoch, () => this.#free(upload, slot, holder));
      slot.holder = holder;
      return holder;
    } finally {
      slot.waiting--;
      this.#waiting--;
      this.#forget(upload, slot);
    }
  }

  /** True while somebody writes the upload. */
  isHeld(upload: string): boolean {
    return this.#slots.get(upload)?.holder !== undefined;
  }

  /** Refuses new writers, asks all holders to stop and resolves when they have flushed and gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const holders = [...this.#slots.values()].flatMap(({ holder }) => holder ?? []);
    for (const holder of holders) {
      holder.askToStop(new UploadsStopping());
    }
    await Promise.all(holders.map(({ given }) => given));
  }

  async #endHolder(holder: Lease): Promise<void> {
    holder.askToStop(new UploadTakenOver());
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#graceMs);
    });
    await Promise.race([holder.given, grace]);
    clearTimeout(timer);
    await holder.end();
  }

  #free(upload: string, slot: Slot, holder: Lease): void {
    if (slot.holder === holder) {
      slot.holder = undefined;
    }
    this.#forget(upload, slot);
  }

  #forget(upload: string, slot: Slot): void {
    if (slot.holder === undefined && slot.waiting === 0 && this.#slots.get(upload) === slot) {
      this.#slots.delete(upload);
    }
  }
}

interface Slot {
  /** Counts askers; the last one wins. */
  asked: number;
  waiting: number;
  epoch: number;
  holder: Lease | undefined;
}

/** The right to write one upload. Every change goes through `run`, which a fenced lease refuses. */
export class Lease {
  readonly epoch: number;
  /** Resolves when the holder has given the lease back. */
  readonly given: Promise<void>;
  readonly #onGiven: () => void;
  readonly #stop = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();
  #resolveGiven: () => void = () => undefined;
  #stopReason: Error | undefined;
  #fenced = false;

  constructor(epoch: number, onGiven: () => void) {
    this.epoch = epoch;
    this.#onGiven = onGiven;
    this.given = new Promise((resolve) => {
      this.#resolveGiven = resolve;
    });
  }

  /** Aborts when the holder should stop reading its peer, flush and give the lease back. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Why the holder was asked to stop; undefined while it was not. */
  get stopReason(): Error | undefined {
    return this.#stopReason;
  }

  /** Only the first reason counts. */
  askToStop(reason: Error): void {
    this.#stopReason ??= reason;
    this.#stop.abort(reason);
  }

  /** It is over: nothing new may begin. */
  get isFenced(): boolean {
    return this.#fenced;
  }

  /** Throws UploadTakenOver once the lease is fenced off. */
  check(): void {
    if (this.#fenced) {
      throw new UploadTakenOver();
    }
  }

  /** Runs a change that a newer holder must wait for. Rejects UploadTakenOver once fenced off. */
  async run<R>(change: () => Promise<R>): Promise<R> {
    this.check();
    const running = change();
    this.#inFlight.add(running);
    try {
      return await running;
    } finally {
      this.#inFlight.delete(running);
    }
  }

  /** Resolves when nothing that was begun is in flight. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#inFlight);
  }

  /**
   * Ends the lease: nothing new may begin, and when what is in flight has settled it is free. The
   * holder calls it when done; a newer asker when the holder's grace is over.
   */
  async end(): Promise<void> {
    this.#fenced = true;
    await this.settled();
    this.#onGiven();
    this.#resolveGiven();
  }
}
