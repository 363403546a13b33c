import { setMaxListeners } from 'node:events';
import { asError } from '../ops/error.ts';
import type { Part } from '../ops/part.ts';
import { type Batch, batches } from './batches.ts';
import { Chain, type InspectChain } from './chain.ts';
import { workerEntry } from './entry.ts';
import { WorkQueueFull, WorkStopped } from './errors.ts';
import type {
  Checksum,
  ChecksumJob,
  Digest,
  DigestJob,
  InflateJob,
  InflateResult,
  Inspection,
  InspectJob,
  Kind,
  PassKind,
  Result,
  ResultOf,
  Task,
  Work,
} from './jobs.ts';
import { Lane } from './lane.ts';
import {
  chainsMax,
  queuedBytesMax,
  queuedTasksMax,
  ratioFreeBytes,
  silenceMsMax,
  silenceMsPerMiB,
  workersDefault,
} from './limits.ts';
import { ownWorkOf, workOf } from './pieces.ts';
import { type Waiting, WaitingQueue } from './queue.ts';
import type { RenderJob, RenderResult } from './render-job.ts';

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
  /** After how long a small task that does not answer counts as stuck. */
  readonly silenceMs?: number;
}

/** A task and what is known of it. */
interface Order {
  readonly task: Task;
  /** What it reads. */
  readonly bytes: number;
  /** What it may write. */
  readonly writes?: number;
  readonly lanes: readonly Lane[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * The threads that hash, inspect and make derived objects. Jobs name files and ranges; no pixel data crosses a thread.
 *
 * Every method rejects WorkQueueFull, WorkStopped, WorkerLost, StorageDamaged, WorkFailed, or the
 * reason of its signal. Aborting takes what waits out of the queue; a task that runs (about 20 ms,
 * making an object longer) runs out, and nobody hears of it.
 */
export class WorkPool implements Part {
  readonly #lanes: readonly Lane[];
  /** Making derived objects takes as long as it takes: it has threads of its own, which begin with the first. */
  readonly #makers: readonly Lane[];
  readonly #threads: readonly Lane[];
  readonly #silenceMs: number;
  readonly #queue = new WaitingQueue();
  #state: 'stopped' | 'started' | 'stopping' = 'stopped';
  #chains = 0;
  #chainId = 0;
  #done = 0;
  #failed = 0;
  #idle: (() => void) | undefined;

  constructor(options: WorkPoolOptions = {}) {
    const { workers = workersDefault, entry = workerEntry(), silenceMs = silenceMsMax } = options;
    this.#lanes = Array.from({ length: workers }, () => new Lane(entry));
    this.#makers = Array.from({ length: workers }, () => new Lane(entry));
    this.#threads = [...this.#lanes, ...this.#makers];
    this.#silenceMs = silenceMs;
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
    await Promise.all(this.#lanes.map((lane) => lane.run({ do: 'warm' }, this.#silenceMs)));
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
    await Promise.all(this.#threads.map((lane) => lane.stop()));
  }

  /** Inspects instances whose bytes are all there; the answers are in the order of the jobs. */
  inspect(jobs: readonly InspectJob[], signal?: AbortSignal): Promise<Inspection[]> {
    return this.#all(
      'inspect',
      jobs.map(({ ranges }) => workOf(ranges)),
      signal,
    );
  }

  /** Digests of what receivers get, in the order of the jobs. */
  digest(jobs: readonly DigestJob[], signal?: AbortSignal): Promise<Digest[]> {
    return this.#all(
      'digest',
      jobs.map(({ pieces }) => ownWorkOf(pieces)),
      signal,
    );
  }

  /** CRC-32s of what is stored, in the order of the jobs. */
  checksum(jobs: readonly ChecksumJob[], signal?: AbortSignal): Promise<Checksum[]> {
    return this.#all(
      'checksum',
      jobs.map(({ ranges }) => workOf(ranges)),
      signal,
    );
  }

  /**
   * Writes deflated bytes out inflated, once. Bytes that are broken, or a bomb, are an answer. Rejects
   * StorageFull too; whenever it rejects, the file is not to be used. After an abort or a lost worker a
   * thread may still write into it: remove it, and try again with another.
   */
  async inflate(job: InflateJob, signal?: AbortSignal): Promise<InflateResult> {
    const { bytes } = workOf(job.ranges);
    this.#expectRoom(bytes);
    const writes = Math.min(job.bytesMax, Math.max(ratioFreeBytes, bytes * job.ratioMax));
    const task = { do: 'inflate', job } as const;
    const [result] = await this.#give<'inflate'>({ task, bytes, writes, lanes: this.#makers, signal });
    if (result === undefined) throw new RangeError('a job ended without a result');
    return result;
  }

  /**
   * Makes an instance of a report. A report that cannot be read is an answer. Rejects as `inflate` does, and
   * the same holds for its file.
   */
  async render(job: RenderJob, signal?: AbortSignal): Promise<RenderResult> {
    const { bytes } = ownWorkOf([...job.source, ...job.deflatedRest]);
    this.#expectRoom(bytes);
    const task = { do: 'render', job } as const;
    const [result] = await this.#give<'render'>({ task, bytes, lanes: this.#makers, signal });
    if (result === undefined) throw new RangeError('a job ended without a result');
    return result;
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
    return this.#threads.reduce((sum, { busy }) => sum + (busy ? 1 : 0), 0);
  }

  /** Keeps a few batches of one caller in the queue, so that a long list does not bar the way to others. */
  async #all<K extends PassKind>(
    kind: K,
    works: readonly Work[],
    signal?: AbortSignal,
  ): Promise<ResultOf<K>[]> {
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

  async #batch<K extends PassKind>(
    kind: K,
    { chained, bytes, works }: Batch,
    signal?: AbortSignal,
  ): Promise<readonly ResultOf<K>[]> {
    if (!chained) {
      this.#expectRoom(bytes);
      return this.#give<K>({ task: { do: 'batch', kind, batch: works }, bytes, lanes: this.#lanes, signal });
    }
    const chain = this.#chain(kind, bytes, signal);
    await chain.feed(works.flatMap(({ pieces }) => pieces));
    return [await chain.finish()];
  }

  #expectRoom(bytes: number): void {
    if (this.#queue.length >= queuedTasksMax) throw new WorkQueueFull('tasks', queuedTasksMax);
    if (this.#queue.bytes + bytes > queuedBytesMax) throw new WorkQueueFull('bytes', queuedBytesMax);
  }

  #chain<K extends PassKind>(kind: K, bytes: number, signal?: AbortSignal): Chain<K> {
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
      (task, reads) =>
        this.#give<K>({
          task,
          bytes: reads,
          lanes: [lane],
          signal: task.do === 'drop' ? undefined : signal,
        }),
      () => {
        this.#chains -= 1;
        lane.chains -= 1;
      },
    );
  }

  #give<K extends Kind>({ task, bytes, writes = 0, lanes, signal }: Order): Promise<readonly ResultOf<K>[]> {
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
        lanes,
        silenceMs: this.#silenceMs + Math.ceil((bytes + writes) / 1024 ** 2) * silenceMsPerMiB,
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
    for (const lane of this.#threads) {
      const waiting = lane.busy ? undefined : this.#queue.take(lane);
      if (waiting !== undefined) void this.#run(lane, waiting);
    }
    if (this.#running + this.#queue.length === 0) this.#idle?.();
  }

  async #run(lane: Lane, { task, silenceMs, resolve, reject }: Waiting): Promise<void> {
    try {
      const results = await lane.run(task, silenceMs);
      this.#done += 1;
      resolve(results);
    } catch (thrown) {
      this.#failed += 1;
      reject(asError(thrown));
    }
    this.#dispatch();
  }
}
