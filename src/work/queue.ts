import type { Result, Task } from './jobs.ts';
import type { Lane } from './lane.ts';

/** A task that waits for its worker. */
export interface Waiting {
  readonly task: Task;
  /** What it will read. */
  readonly bytes: number;
  /** For how long it may be silent once it is begun. */
  readonly silenceMs: number;
  /** The workers that may do it. */
  readonly lanes: readonly Lane[];
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (error: Error) => void;
}

/** Tasks in the order they came. A pinned one waits for its own worker, and lets others pass. */
export class WaitingQueue {
  #waiting: Waiting[] = [];
  #bytes = 0;

  get length(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
  }

  /** The oldest task that this worker may do. */
  take(lane: Lane): Waiting | undefined {
    return this.#removeAt(this.#waiting.findIndex(({ lanes }) => lanes.includes(lane)));
  }

  /** False when it does not wait any more. */
  remove(waiting: Waiting): boolean {
    return this.#removeAt(this.#waiting.indexOf(waiting)) !== undefined;
  }

  /** Everything that waits; then nothing does. */
  clear(): Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return waiting;
  }

  #removeAt(index: number): Waiting | undefined {
    const [removed] = index < 0 ? [] : this.#waiting.splice(index, 1);
    this.#bytes -= removed?.bytes ?? 0;
    return removed;
  }
}
