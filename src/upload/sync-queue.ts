import { checkpointMsMax, checkpointStretch, periodicSyncEvery, syncsMax } from './limits.ts';

/** One sync's place in the queue. */
export interface SyncTurn {
  /** Somebody waits for an answer. */
  isAwaited: boolean;
}

/**
 * Takes turns at making uploads durable: a disk that is asked for a thousand fdatasyncs at once answers none
 * of them soon. What somebody waits for goes before what only runs along, but for every fourth: a large upload
 * may not go on when its checkpoint does not come, however many small ones end meanwhile.
 */
export class SyncQueue {
  readonly #awaited = new Map<SyncTurn, () => void>();
  readonly #periodic = new Map<SyncTurn, () => void>();
  #running = 0;
  /** Awaited ones that went before a periodic one since the last periodic one. */
  #preferred = 0;
  /** How long one took lately, with its waiting: a moving average. */
  #latencyMs = 0;

  /** The gauge of this queue. */
  get waiting(): number {
    return this.#awaited.size + this.#periodic.size;
  }

  /** Time between the checkpoints of one upload, of which `least` is asked for: more while the disk is behind. */
  intervalMs(least: number): number {
    return Math.max(least, Math.min(checkpointMsMax, checkpointStretch * this.#latencyMs));
  }

  /** Runs `sync` when it is its turn. */
  async run<R>(turn: SyncTurn, sync: () => Promise<R>): Promise<R> {
    const begun = performance.now();
    if (this.#running >= syncsMax) {
      await new Promise<void>((resolve) => {
        (turn.isAwaited ? this.#awaited : this.#periodic).set(turn, resolve);
      });
    } else {
      this.#running += 1;
    }
    try {
      return await sync();
    } finally {
      this.#latencyMs += (performance.now() - begun - this.#latencyMs) / 8;
      const next = this.#next();
      if (next === undefined) {
        this.#running -= 1;
      } else {
        next();
      }
    }
  }

  /** Somebody waits for it now. */
  hurry(turn: SyncTurn): void {
    const go = this.#periodic.get(turn);
    turn.isAwaited = true;
    if (go !== undefined) {
      this.#periodic.delete(turn);
      this.#awaited.set(turn, go);
    }
  }

  #next(): (() => void) | undefined {
    const isPeriodic = this.#periodic.size > 0 && this.#preferred >= periodicSyncEvery - 1;
    if (isPeriodic || this.#awaited.size === 0) {
      this.#preferred = 0;
      return takeFirst(this.#periodic);
    }
    this.#preferred += this.#periodic.size > 0 ? 1 : 0;
    return takeFirst(this.#awaited);
  }
}

/** A map keeps the order in which its entries came. */
function takeFirst<K, V>(queue: Map<K, V>): V | undefined {
  for (const [key, value] of queue) {
    queue.delete(key);
    return value;
  }
  return undefined;
}
