import { Worker } from 'node:worker_threads';
import type { Failure, WorkerReport, WorkerTask } from './fuzz-worker.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** The first mutant, and how many. */
  readonly from: number;
  readonly mutants: number;
  /** Ends earlier when they are over; 0 is never. */
  readonly seconds: number;
  readonly workers: number;
  readonly onProgress: (done: number, failures: number) => void;
}

export interface FuzzReport {
  readonly seconds: number;
  readonly mutants: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly crashes: number;
  readonly slowestMs: number;
  readonly slowest: number;
  /** MiB of the whole process, all workers in it. */
  readonly rssMax: number;
  readonly failures: readonly Failure[];
}

const POLL_MS = 250;
/** A worker that is at one mutant for so long does not come back by itself. */
const STUCK_MS = 15_000;
/** A worker that needs more than this for its sources and one mutant at a time leaks, and dies. */
const HEAP_MB_MAX = 128;
const FAILURES_MAX = 200;

/** Runs the mutants on worker threads; one that hangs or dies is named, and the next one goes on behind it. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const begun = performance.now();
  const run = new Run(options);
  await Promise.all(Array.from({ length: options.workers }, (_, index) => run.lane(options.from + index)));
  run.end();
  return { ...run.report, seconds: Math.round((performance.now() - begun) / 1000) };
}

class Run {
  readonly #options: FuzzOptions;
  readonly #failures: Failure[] = [];
  readonly #outcomes: Record<string, number> = {};
  readonly #deadline: number;
  readonly #timer: NodeJS.Timeout;
  readonly #doing = new Set<Int32Array<SharedArrayBuffer>>();
  #done = 0;
  #crashes = 0;
  #slowest: Pick<WorkerReport, 'slowestMs' | 'slowest'> = { slowestMs: 0, slowest: 0 };
  #rssMax = 0;
  #ticks = 0;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#deadline =
      options.seconds === 0 ? Number.POSITIVE_INFINITY : performance.now() + options.seconds * 1000;
    this.#timer = setInterval(() => this.#tick(), POLL_MS);
  }

  get report(): Omit<FuzzReport, 'seconds'> {
    return {
      mutants: this.#done,
      outcomes: this.#outcomes,
      crashes: this.#crashes,
      slowestMs: Math.round(this.#slowest.slowestMs),
      slowest: this.#slowest.slowest,
      rssMax: Math.round(this.#rssMax / 1024 / 1024),
      failures: this.#failures,
    };
  }

  end(): void {
    clearInterval(this.#timer);
    this.#tick();
  }

  /** Every so many'th mutant from `from` on, by one worker after another if they die. */
  async lane(from: number): Promise<void> {
    const { seed, mutants, workers } = this.#options;
    const to = this.#options.from + mutants;
    for (let next = from; next < to; ) {
      const seconds = Math.max(0, (this.#deadline - performance.now()) / 1000);
      if (seconds === 0) return;
      const progress = new Int32Array(new SharedArrayBuffer(8));
      Atomics.store(progress, 0, -1);
      const finite = Number.isFinite(seconds) ? seconds : 0;
      const ended = await this.#work({ seed, from: next, to, step: workers, seconds: finite, progress });
      this.#done += Atomics.load(progress, 1);
      if (ended === 'done') return;
      const at = Atomics.load(progress, 0);
      if (at < 0) throw new Error(`a worker does not begin: ${ended}`);
      this.#fail({ seed, mutant: at, kind: ended === 'stuck' ? 'hang' : 'crash', what: ended });
      next = at + workers;
    }
  }

  async #work(task: WorkerTask): Promise<string> {
    const worker = new Worker(new URL('./fuzz-worker.js', import.meta.url), {
      workerData: task,
      // Else garbage waits as long as the machine has memory, and the process' size says nothing.
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    });
    this.#doing.add(task.progress);
    let ended = 'ended without a report';
    worker.on('message', (message: { failure?: Failure; report?: WorkerReport }) => {
      if (message.failure !== undefined) this.#fail(message.failure);
      if (message.report === undefined) return;
      ended = 'done';
      this.#add(message.report);
    });
    worker.on('error', (error) => {
      ended = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    let at = -1;
    let since = performance.now();
    const watch = setInterval(() => {
      const now = Atomics.load(task.progress, 0);
      if (now !== at) [at, since] = [now, performance.now()];
      if (at < 0 || performance.now() - since < STUCK_MS) return;
      ended = 'stuck';
      void worker.terminate();
    }, POLL_MS);
    await new Promise((resolve) => worker.once('exit', resolve));
    clearInterval(watch);
    this.#doing.delete(task.progress);
    return ended;
  }

  #add({ outcomes, slowestMs, slowest }: WorkerReport): void {
    for (const [outcome, count] of Object.entries(outcomes)) {
      this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + count;
    }
    if (slowestMs > this.#slowest.slowestMs) this.#slowest = { slowestMs, slowest };
  }

  #fail(failure: Failure): void {
    if (failure.kind !== 'breach') this.#crashes += 1;
    if (this.#failures.length < FAILURES_MAX) this.#failures.push(failure);
  }

  #tick(): void {
    this.#rssMax = Math.max(this.#rssMax, process.memoryUsage.rss());
    this.#ticks += 1;
    if (this.#ticks % 40 !== 0) return;
    const doing = [...this.#doing].reduce((sum, progress) => sum + Atomics.load(progress, 1), 0);
    this.#options.onProgress(this.#done + doing, this.#failures.length);
  }
}
