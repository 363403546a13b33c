import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../ops/log.ts';
import { endBy, type Part } from '../ops/part.ts';
import { offloadRetryMsMax, offloadsAtOnce } from './limits.ts';
import { offloadedBytes, offloadFailures, segmentsOffloaded } from './metrics.ts';
import type { SegmentStore } from './segment-store.ts';
import { type SegmentPlace, segmentName } from './segments.ts';
import type { Spool, SpoolFile } from './spool.ts';
import type { ObjectId } from './storage.ts';

/** A segment that may go to S3. */
export interface Offload extends SegmentPlace {
  readonly file: SpoolFile;
  /** Where in the file it begins. */
  readonly start: number;
  readonly bytes: number;
  /** S3 may have it already. */
  readonly isNew: boolean;
}

interface Job extends Offload {
  failures: number;
  timer: NodeJS.Timeout | undefined;
  readonly cut: AbortController;
  running: Promise<void> | undefined;
}

interface OffloadingParts {
  readonly store: SegmentStore;
  readonly spool: Spool;
  readonly log: Log;
  readonly retryMs: number;
}

/**
 * Moves segments to S3, in the order they came, some at once. What fails is tried again for as long as it takes:
 * the spool keeps it. A segment counts as moved when S3 was asked for it and had it.
 */
export class Offloading implements Part {
  readonly #parts: OffloadingParts;
  readonly #jobs = new Map<string, Job>();
  readonly #queue: Job[] = [];
  /** Segments of a file that S3 does not have yet. */
  readonly #left = new Map<SpoolFile, number>();
  #underWay = 0;
  #isStarted = false;
  readonly #cut = new AbortController();

  constructor(parts: OffloadingParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#jobs.size - this.#underWay;
  }

  get underWay(): number {
    return this.#underWay;
  }

  start(): Promise<void> {
    this.#isStarted = true;
    this.#next();
    return Promise.resolve();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#isStarted = false;
    const onCut = (): void => {
      for (const { cut } of this.#jobs.values()) cut.abort();
      this.#parts.store.end();
    };
    this.#cut.signal.addEventListener('abort', onCut);
    const running = [...this.#jobs.values()].flatMap((job) => job.running ?? []);
    await endBy(deadline, this.#cut, running);
    for (const { timer } of this.#jobs.values()) {
      clearTimeout(timer);
    }
  }

  /** All segments of one file that may go. Those that wait already are left where they are. */
  add(offloads: readonly Offload[]): void {
    for (const offload of offloads) {
      const name = segmentName(offload);
      if (this.#jobs.has(name)) continue;
      const job = {
        ...offload,
        failures: 0,
        timer: undefined,
        cut: new AbortController(),
        running: undefined,
      };
      this.#jobs.set(name, job);
      this.#parts.spool.moving(1);
      this.#left.set(offload.file, (this.#left.get(offload.file) ?? 0) + 1);
      this.#queue.push(job);
    }
    this.#next();
  }

  /** Nothing of an object is sent any more when it resolves. */
  async cancel(object: ObjectId): Promise<void> {
    for (const job of [...this.#jobs.values()]) {
      if (job.object !== object) continue;
      clearTimeout(job.timer);
      job.cut.abort();
      await job.running;
      this.#end(job);
      this.#left.delete(job.file);
    }
  }

  #end(job: Job): void {
    if (this.#jobs.delete(segmentName(job))) {
      this.#parts.spool.moving(-1);
    }
  }

  #next(): void {
    while (this.#isStarted && this.#underWay < offloadsAtOnce) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      if (job.cut.signal.aborted) continue;
      this.#underWay++;
      job.running = this.#run(job).finally(() => {
        job.running = undefined;
        this.#underWay--;
        this.#next();
      });
    }
  }

  async #run(job: Job): Promise<void> {
    const { store, spool, log, retryMs } = this.#parts;
    const { file, start, bytes, isNew, cut } = job;
    spool.hold(file);
    try {
      await store.put(job, { path: file.path, start, bytes }, isNew && job.failures === 0, cut.signal);
      if (cut.signal.aborted) return;
      this.#end(job);
      segmentsOffloaded.add(1);
      offloadedBytes.add(bytes);
      const left = (this.#left.get(file) ?? 1) - 1;
      this.#left.set(file, left);
      if (left === 0) {
        this.#left.delete(file);
        spool.stored(file);
      }
    } catch (error) {
      if (cut.signal.aborted) return;
      job.failures++;
      offloadFailures.add(1);
      const ms = Math.min(offloadRetryMsMax, retryMs * 2 ** Math.min(job.failures - 1, 10));
      log.warn('storage.offload-failed', { path: segmentName(job), count: job.failures, ms, error });
      job.timer = setTimeout(() => {
        this.#queue.push(job);
        this.#next();
      }, ms);
    } finally {
      spool.release(file);
      // A thousand small ones that fail at once must not keep everybody waiting.
      await nextTurn();
    }
  }
}
