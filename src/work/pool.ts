import { setMaxListeners } from 'node:events';
import { asError } from '../ops/error.ts';
import type { Part } from '../ops/part.ts';
import { type Batch, batches } from './batches.ts';
import { Chain, type InspectChain } from './chain.ts';
import { workerEntry } from './entry.ts';
import { WorkQueueFull, WorkStopped } from './errors.ts';
import type {
  Digest,
  DigestJob,
  Inspection,
  InspectJob,
  Kind,
  Result,
  ResultOf,
  Task,
  Work,
} from './jobs.ts';
import { Lane } from './lane.ts';
import { chainsMax, queuedBytesMax, queuedTasksMax, workersDefault } from './limits.ts';
import { patched, stored } from './pieces.ts';
import { type Waiting, WaitingQueue } from './queue.ts';

/** Plain numbers, read at any time. `done` and `failed` only grow; they count tasks. */
export interface WorkMetrics {
  readonly queued: number;
  readonly queuedBytes: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly chains: number;
}

export interface WorkPoolOptions {
  readonly workers?: number;
  /** The file that the threads load. */
  readonly entry?: string;
}

/**
 * The threads that hash and inspect. Jobs name files and ranges; no pixel data crosses a thread.
 *
 * Every method rejects WorkQueueFull, WorkStopped, WorkerLost, StorageDamaged, WorkFailed, or the
 * reason of its signal. Aborting takes what waits out of the queue; a task that runs (about 20 ms)
 * runs out, and nobody hears of it.
 */
export class WorkPool implements Part {
  readonly #lanes: readonly Lane[];
  readonly #queue = new WaitingQueue();
  #state: 'stopped' | 'started' | 'stopping' = 'stopped';
  #chains = 0;
  #chainId = 0;
  #done = 0;
  #failed = 0;
  #idle: (() => void) | undefined;

  constructor({ workers = workersDefault, entry = workerEntry() }: WorkPoolOptions = {}) {
    this.#lanes = Array.from({ length: workers }, () => new Lane(entry));
  }

  get metrics(): WorkMetrics {
    return {
      queued: this.#queue.length,
      queuedBytes: this.#queue.bytes,
      running: this.#running,
      done: this.#done,
      failed: this.#failed,
      chains: this.#chains,
    };
  }

  /** Starts and warms the threads: a first task is slow. Rejects WorkerLost when they cannot live. */
  async start(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.run({ do: 'warm' })));
    this.#state = 'started';
  }

  /** Refuses new tasks, lets the ones it has finish until the deadline, then ends the threads. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#state = 'stopping';
    if (this.#running + this.#queue.length > 0 && !deadline.aborted) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    this.#state = 'stopped';
    for (const { reject } of this.#queue.clear()) reject(new WorkStopped());
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }

  /** Inspects instances whose bytes are all there; the answers are in the order of the jobs. */
  inspect(jobs: readonly InspectJob[], signal?: AbortSignal): Promise<Inspection[]> {
    return this.#all(
      'inspect',
      jobs.map(({ ranges }) => stored(ranges)),
      signal,
    );
  }

  /** Digests of what receivers get. Rejects RangeError for edits that are no patch. */
  async digest(jobs: readonly DigestJob[], signal?: AbortSignal): Promise<Digest[]> {
    return this.#all(
      'digest',
      jobs.map(({ ranges, edits }) => patched(ranges, edits)),
      signal,
    );
  }

  /**
   * Begins with a large instance of which all bytes are not there yet: feed it with ranges as they are
   * published, then finish it. A dead worker rejects WorkerLost; then begin again.
   *
   * @throws WorkQueueFull when too many chains are open
   */
  inspectChain(instanceBytes: number, signal?: AbortSignal): InspectChain {
    return this.#chain('inspect', instanceBytes, signal);
  }

  get #running(): number {
    return this.#lanes.reduce((sum, { busy }) => sum + (busy ? 1 : 0), 0);
  }

  /** Keeps a few batches of one caller in the queue, so that a long list does not bar the way to others. */
  async #all<K extends Kind>(kind: K, works: readonly Work[], signal?: AbortSignal): Promise<ResultOf<K>[]> {
    const results: (readonly ResultOf<K>[])[] = [];
    const list = batches(works);
    let next = 0;
    const runner = async (): Promise<void> => {
      for (const batch of list) {
        const index = next++;
        results[index] = await this.#batch(kind, batch, signal);
      }
    };
    await Promise.all(Array.from({ length: this.#lanes.length * 2 }, runner));
    return results.flat();
  }

  async #batch<K extends Kind>(kind: K, batch: Batch, signal?: AbortSignal): Promise<readonly ResultOf<K>[]> {
    if (!batch.chained) {
      if (this.#queue.length >= queuedTasksMax) throw new WorkQueueFull('tasks', queuedTasksMax);
      if (this.#queue.bytes + batch.bytes > queuedBytesMax) throw new WorkQueueFull('bytes', queuedBytesMax);
      return this.#give<K>({ do: 'batch', kind, batch: batch.works }, batch.bytes, undefined, signal);
    }
    const chain = this.#chain(kind, batch.bytes, signal);
    await chain.feed(batch.works.flatMap(({ pieces }) => pieces));
    return [await chain.finish()];
  }

  #chain<K extends Kind>(kind: K, bytes: number, signal?: AbortSignal): Chain<K> {
    if (this.#chains >= chainsMax) throw new WorkQueueFull('chains', chainsMax);
    const [first, ...others] = this.#lanes;
    if (first === undefined) throw new WorkStopped();
    const lane = others.reduce((least, other) => (other.chains < least.chains ? other : least), first);
    this.#chains += 1;
    lane.chains += 1;
    const id = ++this.#chainId;
    // A chain's own steps are always let in: there is one at a time of each, and chains are counted.
    return new Chain(
      id,
      kind,
      bytes,
      (task, reads) => this.#give<K>(task, reads, lane, task.do === 'drop' ? undefined : signal),
      () => {
        this.#chains -= 1;
        lane.chains -= 1;
      },
    );
  }

  #give<K extends Kind>(
    task: Task,
    bytes: number,
    lane: Lane | undefined,
    signal?: AbortSignal,
  ): Promise<readonly ResultOf<K>[]> {
    return new Promise((resolve, reject) => {
      if (this.#state !== 'started') return reject(new WorkStopped());
      if (signal?.aborted === true) return reject(asError(signal.reason));
      // What a worker answers is of the kind that the task named; the thread's border knows no types.
      const take = (results: readonly Result[]): void => resolve(results as readonly ResultOf<K>[]);
      const onAbort = (): void => {
        this.#queue.remove(waiting);
        waiting.reject(asError(signal?.reason));
      };
      const waiting: Waiting = {
        task,
        bytes,
        lane,
        resolve: (results) => {
          signal?.removeEventListener('abort', onAbort);
          take(results);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      if (signal !== undefined) {
        // One signal may stop many callers; what listens to it is bounded by the queue, so Node need not warn.
        setMaxListeners(queuedTasksMax + chainsMax, signal);
        signal.addEventListener('abort', onAbort, { once: true });
      }
      this.#queue.push(waiting);
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (const lane of this.#lanes) {
      const waiting = lane.busy ? undefined : this.#queue.take(lane);
      if (waiting !== undefined) void this.#run(lane, waiting);
    }
    if (this.#running + this.#queue.length === 0) this.#idle?.();
  }

  async #run(lane: Lane, { task, resolve, reject }: Waiting): Promise<void> {
    try {
      const results = await lane.run(task);
      this.#done += 1;
      resolve(results);
    } catch (thrown) {
      this.#failed += 1;
      reject(asError(thrown));
    }
    this.#dispatch();
  }
}
