import { Piscina } from 'piscina';
import { asError } from '../ops/error.ts';
import { diskFull, StorageDamaged } from '../storage/errors.ts';
import { WorkerLost, WorkFailed } from './errors.ts';
import type { Failure, Outcome, Result, Task } from './jobs.ts';

/**
 * One worker thread: a Piscina of one, because a hash's state cannot leave its thread and a larger
 * pool does not say which thread takes a task. One task at a time; a thread that died is replaced
 * when the next task comes, so a thread that cannot live costs one error a task and never a storm.
 */
export class Lane {
  readonly #entry: string;
  #thread: Piscina<Task, Outcome> | undefined;
  #fail: ((cause: Error) => void) | undefined;
  /** Chains pinned to this worker; counted by the pool. */
  chains = 0;

  constructor(entry: string) {
    this.#entry = entry;
  }

  get busy(): boolean {
    return this.#fail !== undefined;
  }

  /**
   * Does a task. A thread that has not answered after `silenceMs` is taken for stuck and ended.
   *
   * Rejects WorkerLost, StorageDamaged, StorageFull or WorkFailed, and nothing else.
   */
  async run(task: Task, silenceMs: number): Promise<readonly Result[]> {
    const outcome = await this.#post(task, silenceMs);
    if (!outcome.ok) throw errorOf(outcome.failure);
    return outcome.results;
  }

  /** Ends the thread, whatever it does; a running task rejects WorkerLost. */
  async stop(): Promise<void> {
    this.#fail?.(new Error('the pool was stopped'));
    await this.#dismiss();
  }

  async #post(task: Task, silenceMs: number): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        this.#fail = reject;
        timer = setTimeout(() => reject(new Error(`no answer for ${silenceMs.toString()} ms`)), silenceMs);
        this.#hired().run(task).then(resolve, reject);
      });
    } catch (cause) {
      // The worker answers failures of its own; what rejects here is the loss of the thread.
      void this.#dismiss();
      throw new WorkerLost(asError(cause));
    } finally {
      clearTimeout(timer);
      this.#fail = undefined;
    }
  }

  #hired(): Piscina<Task, Outcome> {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Piscina<Task, Outcome>({
      filename: this.#entry,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      recordTiming: false,
      execArgv: [],
    });
    // A thread that fails while it begins says so here and leaves the task waiting for ever.
    thread.on('error', (cause) => {
      if (this.#thread !== thread) return;
      this.#fail?.(asError(cause));
      void this.#dismiss();
    });
    this.#thread = thread;
    return thread;
  }

  async #dismiss(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.destroy();
  }
}

function errorOf(failure: Failure): Error {
  switch (failure.of) {
    case 'chain':
      return new WorkerLost();
    case 'storage': {
      const { path, asked } = failure;
      return new StorageDamaged('an object is not there, or shorter than was recorded', { path, asked });
    }
    case 'disk-full':
      return diskFull(new WorkFailed(failure.cause));
    case 'job':
      return new WorkFailed(failure.cause);
  }
}
