import type { KeyRing } from '../access/key-ring.ts';
import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import type { Part } from '../ops/part.ts';
import { keys } from '../state/keys.ts';
import type { FollowRecord, TransferRecord, UploadRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { Extent, Storage } from '../storage/storage.ts';
import { beginWalk, isPackageWalk, nextParts, type Part as PackagePart } from '../study/package.ts';
import type { WorkPool } from '../work/pool.ts';
import { ReadAhead } from './ahead.ts';
import type { Checking } from './checking.ts';
import { type Finding, findingOf } from './finding.ts';
import { followRetryMs, followRetryMsMax } from './limits.ts';
import { inspectedBytes, instancesInspected, transfersSettled } from './metrics.ts';

/**
 * Follows each upload behind its published offset: finds its parts, has them inspected and hashed in
 * workers, and records them. When the last byte of a package is in, almost nothing is left to do.
 *
 * One loop per upload; it goes on from its record after a restart.
 */
export class Follower implements Part {
  readonly #parts: FollowerParts;
  readonly #ahead: ReadAhead;
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Failures of an upload since it last went well. */
  readonly #failures = new Map<string, number>();
  #stopped = false;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#ahead = new ReadAhead(parts.pool, parts.storage);
  }

  /** Takes up every upload of a transfer that is not decided: a kill may have come just before that. */
  async start(): Promise<void> {
    const { state } = this.#parts;
    for (const { key, value } of state.list(keys.uploads)) {
      if (value.transfer !== null && state.get(keys.transfers, value.transfer)?.state === 'receiving') {
        this.follow(key);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#running.values());
    for (const timer of this.#timers) {
      clearTimeout(timer);
    }
  }

  /** Says that more of an upload is there (or that a transfer has been sealed). Never waits. */
  follow(upload: string): void {
    if (this.#stopped) {
      return;
    }
    if (this.#running.has(upload)) {
      this.#again.add(upload);
      return;
    }
    const run = this.#run(upload).finally(() => {
      this.#running.delete(upload);
      if (this.#again.delete(upload)) {
        this.follow(upload);
      }
    });
    this.#running.set(upload, run);
  }

  async #run(id: string): Promise<void> {
    try {
      const transfer = await this.#catchUp(id);
      if (transfer !== undefined) {
        const settled = await this.#parts.checking.settle(transfer);
        if (settled?.state === 'ready' || settled?.state === 'held' || settled?.state === 'rejected') {
          transfersSettled.add(1, { state: settled.state });
          this.#parts.onSettled(settled);
        }
      }
      this.#failures.delete(id);
    } catch (thrown) {
      this.#retry(id, asError(thrown));
    }
  }

  #retry(id: string, error: Error): void {
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const ms = Math.min(followRetryMsMax, followRetryMs * 2 ** Math.min(failures - 1, 10));
    this.#parts.log.error('follower.failed', { upload: id, count: failures, ms, error });
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.follow(id);
    }, ms);
    this.#timers.add(timer);
  }

  /** Inspects all that is published; returns the transfer of the upload, which may be decided now. */
  async #catchUp(id: string): Promise<string | undefined> {
    const { state, checking, storage } = this.#parts;
    while (!this.#stopped) {
      const upload = state.get(keys.uploads, id);
      if (upload === undefined || upload.transfer === null) {
        return undefined;
      }
      const follow = this.#follow(id);
      if (follow.state !== 'following') {
        this.#ahead.drop(id);
        return upload.transfer;
      }
      const walk = isPackageWalk(follow.walk) ? follow.walk : beginWalk(upload.filetype);
      const extents = [extentOf(upload, 0, upload.offset)];
      const read = async (start: number, end: number): Promise<Uint8Array> => {
        const chunks: Buffer[] = [];
        for await (const chunk of storage.read(extents, start, end)) {
          chunks.push(Buffer.from(chunk));
        }
        return Buffer.concat(chunks);
      };
      const found = await nextParts(walk, read, upload.offset, upload.length);
      await this.#ahead.feed(upload, found.walk.open);
      if (found.parts.length === 0 && found.state === 'more' && found.walk.at === walk.at) {
        return upload.transfer;
      }
      const findings = await this.#inspect(upload, found.parts);
      for (const { instance } of findings) {
        instancesInspected.add(1, { verdict: instance.verdict });
        inspectedBytes.add(instance.bytes);
      }
      await checking.record(upload.transfer, id, findings, {
        walk: found.walk,
        instances: follow.instances + findings.length,
        state: found.state === 'more' ? 'following' : found.state,
      });
      if (found.state === 'broken') {
        const reason = found.fault?.reason ?? 'unknown';
        this.#parts.log.warn('follower.package-broken', { upload: id, transfer: upload.transfer, reason });
      }
    }
    return undefined;
  }

  /** The findings stay in the order of the parts. */
  async #inspect(upload: UploadRecord, parts: readonly PackagePart[]): Promise<Finding[]> {
    const { keyRing, pool, storage } = this.#parts;
    const whole = await Promise.all(parts.map((part) => this.#ahead.take(upload, part)));
    const extents = parts.map(({ start, bytes }) => extentOf(upload, start, bytes));
    const jobs = extents
      .filter((_, at) => whole[at] === undefined)
      .map((extent) => ({ ranges: storage.locate([extent], 0, extent.bytes) }));
    const inspected = (await pool.inspect(jobs)).values();
    return extents.map((extent, at) => {
      const inspection = whole[at] ?? inspected.next().value;
      if (inspection === undefined) {
        throw new Error('the workers answered fewer instances than they were asked for');
      }
      return findingOf(keyRing, upload.id, extent, inspection);
    });
  }

  #follow(id: string): FollowRecord {
    return this.#parts.state.get(keys.follows, id) ?? { walk: null, instances: 0, state: 'following' };
  }
}

export interface FollowerParts {
  readonly state: State;
  readonly storage: Storage;
  readonly keyRing: KeyRing;
  readonly pool: WorkPool;
  readonly checking: Checking;
  readonly log: Log;
  /** After a transfer became ready, held or rejected. */
  onSettled(transfer: TransferRecord): void;
}

function extentOf({ object }: UploadRecord, start: number, bytes: number): Extent {
  return { object, start, bytes };
}
