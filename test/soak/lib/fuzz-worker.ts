import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Mutants } from './mutants.ts';
import { Random } from './random.ts';
import { tryInstance } from './trial.ts';

/** What a worker is told: which mutants, and where to say which one is at work. */
export interface WorkerTask {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Goes on with every so many'th, so that several share the numbers. */
  readonly step: number;
  /** Seconds after which it ends by itself; 0 is never. */
  readonly seconds: number;
  /** Its number at work, then how many it has done: read by the main thread, also while this one hangs. */
  readonly progress: Int32Array<SharedArrayBuffer>;
}

export interface Failure {
  readonly seed: number;
  readonly mutant: number;
  readonly kind: 'crash' | 'breach' | 'hang';
  /** Which file, what was done to it, what went wrong. Samples and invented patients only: nothing to hide. */
  readonly what: string;
}

export interface WorkerReport {
  readonly mutants: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly slowest: number;
}

/** Failures that are told one by one; of a broken reader there would be a million. */
const FAILURES_MAX = 50;

/** More than this is a hang, if it is so each time: a busy machine is slow once. */
const MUTANT_MS_MAX = 1000;
const TRIES = 3;
const TURN_MUTANTS = 100;

if (parentPort !== null) {
  const report = await work(workerData as WorkerTask, (failure) => parentPort?.postMessage({ failure }));
  parentPort.postMessage({ report });
}

async function work(task: WorkerTask, tell: (failure: Failure) => void): Promise<WorkerReport> {
  const { seed, progress } = task;
  const mutants = new Mutants(seed);
  const outcomes: Record<string, number> = {};
  const begun = performance.now();
  let done = 0;
  let told = 0;
  let slowestMs = 0;
  let slowest = task.from;
  const fail = (mutant: number, kind: Failure['kind'], what: string): void => {
    told += 1;
    if (told <= FAILURES_MAX) tell({ seed, mutant, kind, what });
  };
  for (let number = task.from; number < task.to; number += task.step) {
    if (task.seconds > 0 && performance.now() - begun > task.seconds * 1000) break;
    const { what, bytes } = mutants.mutant(number);
    Atomics.store(progress, 0, number);
    const begunAt = performance.now();
    try {
      const { outcome, faults } = tryInstance(bytes, new Random(number));
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      for (const fault of faults) fail(number, 'breach', `${what}: ${fault}`);
    } catch (thrown) {
      fail(number, 'crash', `${what}: ${asText(thrown)}`);
    }
    let ms = performance.now() - begunAt;
    for (let tries = 1; ms > MUTANT_MS_MAX && tries < TRIES; tries += 1)
      ms = Math.min(ms, timeOf(bytes, number));
    if (ms > MUTANT_MS_MAX) fail(number, 'hang', `${what}: takes ${Math.round(ms).toString()} ms`);
    if (ms > slowestMs) [slowestMs, slowest] = [ms, number];
    done += 1;
    Atomics.store(progress, 1, done);
    // What a failed inflate holds is let go of between turns of the event loop.
    if (done % TURN_MUTANTS === 0) await setImmediate();
  }
  return { mutants: done, outcomes, slowestMs, slowest };
}

function timeOf(bytes: Buffer, number: number): number {
  const begun = performance.now();
  try {
    tryInstance(bytes, new Random(number));
  } catch {
    // Told already.
  }
  return performance.now() - begun;
}

const asText = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
