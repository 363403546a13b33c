import { type ErrorFacts, SluisError } from '../ops/error.ts';

/** The worker died under a job, or with a chain's state. Begin again at the instance's first byte. */
export class WorkerLost extends SluisError {
  override readonly name = 'WorkerLost';
  readonly code = 'SLUIS_WORK_WORKER_LOST';
  readonly remedy = 'retry';

  constructor(cause?: unknown) {
    super('the worker of this job is gone: begin again at the first byte', { cause });
  }
}

/** A job failed in its worker, which lives on: most often bytes that could not be read. */
export class WorkFailed extends SluisError {
  override readonly name = 'WorkFailed';
  readonly code = 'SLUIS_WORK_FAILED';
  readonly remedy = 'retry';
  override readonly facts: ErrorFacts;

  /** @param cause an error's name or code, never its message: that could hold what the job held */
  constructor(cause: string) {
    super(`a job failed in its worker (${cause})`);
    this.facts = { cause };
  }
}

/** Too much waits already. Come back when some of it is done. */
export class WorkQueueFull extends SluisError {
  override readonly name = 'WorkQueueFull';
  readonly code = 'SLUIS_WORK_QUEUE_FULL';
  readonly remedy = 'retry';
  override readonly facts: ErrorFacts;

  constructor(what: 'tasks' | 'bytes' | 'chains', max: number) {
    super(`the workers have too much to do: ${max.toString()} ${what} at most`);
    this.facts = { what, max };
  }
}

/** The pool is stopping or not started. After the next start the job can be given again. */
export class WorkStopped extends SluisError {
  override readonly name = 'WorkStopped';
  readonly code = 'SLUIS_WORK_STOPPED';
  readonly remedy = 'retry';

  constructor() {
    super('the workers are stopped');
  }
}
