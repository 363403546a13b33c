import { setImmediate as nextTurn } from 'node:timers/promises';
import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { endBy, type Part } from '../ops/part.ts';
import { keys } from '../state/keys.ts';
import type { FollowRecord, TransferRecord, UploadRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { Storage } from '../storage/storage.ts';
import {
  ArchiveListings,
  beginWalk,
  isPackageWalk,
  nextParts,
  type Part as PackagePart,
} from '../study/package.ts';
import { extentsOf } from '../upload/extents.ts';
import type { WorkPool } from '../work/pool.ts';
import { ReadAhead } from './ahead.ts';
import type { Checking } from './checking.ts';
import type { Examined, Examiner } from './examiner.ts';
import { followRetryMs, followRetryMsMax, inspectSinglyAfter } from './limits.ts';
import { inspectedBytes, instancesInspected, transfersSettled } from './metrics.ts';
import { type Note, Outbox } from './outbox.ts';
import type { Recording } from './recording.ts';

/**
 * Follows each upload behind its published offset: finds its parts, has them inspected and hashed in
 * workers, and records them. When the last byte of a package is in, almost nothing is left to do.
 *
 * One loop per upload; it goes on from its record after a restart.
 */
export class Follower implements Part {
  readonly #parts: FollowerParts;
  readonly #ahead: ReadAhead;
  readonly #archives: ArchiveListings;
  readonly #outbox: Outbox;
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  /** Uploads that failed and wait for their next try. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Failures of an upload since it last went well. */
  readonly #failures = new Map<string, number>();
  readonly #cut = new AbortController();
  #stopped = false;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#ahead = new ReadAhead(parts.pool, parts.storage);
    this.#archives = new ArchiveListings(parts.archiveBytesMax);
    this.#outbox = new Outbox(parts.state);
  }

  /** Takes up every upload of a transfer that is not decided: a kill may have come just before that. */
  async start(): Promise<void> {
    for (const page of this.#outbox.pages()) {
      for (const note of page) {
        const fate = this.#fateOf(note.upload);
        if (fate === 'receiving') {
          this.follow(note.upload);
        } else if (fate === 'over') {
          this.#settleNote(note);
        }
      }
      await nextTurn();
    }
  }

  /** Lets the tasks under way end until `deadline`; what is cut is done again at the next start. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    await endBy(deadline, this.#cut, this.#running.values());
    for (const timer of this.#timers.values()) {
      clearTimeout(timer);
    }
    await this.#outbox.idle();
  }

  /** Says that more of an upload is there (or that a transfer has been sealed). Never waits. */
  follow(upload: string): void {
    // What failed is not tried again before its time, however often more of it is published.
    if (this.#stopped || this.#timers.has(upload)) {
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
      const noted = this.#outbox.at(id);
      const transfer = await this.#catchUp(id);
      if (transfer !== undefined) {
        const settled = await this.#parts.checking.settle(transfer, this.#cut.signal);
        if (settled?.state === 'ready' || settled?.state === 'held' || settled?.state === 'rejected') {
          transfersSettled.add(1, { state: settled.state });
          this.#parts.onSettled(settled);
          // Nothing is read ahead any more for a transfer that is decided; each upload's own loop lets go.
          for (const upload of settled.uploads.filter((one) => this.#ahead.has(one))) {
            this.follow(upload);
          }
        }
      }
      this.#failures.delete(id);
      if (noted !== undefined && this.#fateOf(id) === 'over') {
        this.#settleNote({ upload: id, at: noted });
      }
    } catch (thrown) {
      if (this.#cut.signal.aborted) {
        return;
      }
      if (this.#parts.state.get(keys.uploads, id) === undefined) {
        // It went meanwhile, and its bytes with it.
        this.#failures.delete(id);
        this.#letGo(id);
        return;
      }
      this.#retry(id, asError(thrown));
    }
  }

  #retry(id: string, error: Error): void {
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const { retryMs = followRetryMs } = this.#parts;
    const ms = Math.min(followRetryMsMax, retryMs * 2 ** Math.min(failures - 1, 10));
    this.#parts.log.error('follower.failed', { upload: id, count: failures, ms, error });
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.follow(id);
    }, ms);
    this.#timers.set(id, timer);
  }

  /** Inspects all that is published; returns the transfer of the upload, which may be decided now. */
  async #catchUp(id: string): Promise<string | undefined> {
    const { state, recording, storage } = this.#parts;
    while (!this.#stopped) {
      const upload = state.get(keys.uploads, id);
      if (upload === undefined || upload.transfer === null || isUnverified(upload)) {
        this.#letGo(id);
        return undefined;
      }
      const follow = this.#follow(id);
      if (follow.state !== 'following') {
        this.#letGo(id);
        return upload.transfer;
      }
      if (state.get(keys.transfers, upload.transfer)?.state !== 'receiving') {
        // Decided without this upload: recording closes it, since nothing of it counts any more.
        this.#letGo(id);
        await recording.found(upload.transfer, id, [], follow);
        return undefined;
      }
      const walk = isPackageWalk(follow.walk) ? follow.walk : beginWalk(upload.filetype);
      const extents = extentsOf(upload);
      const read = async (start: number, end: number): Promise<Uint8Array> => {
        const chunks: Buffer[] = [];
        for await (const chunk of storage.read(extents, start, end)) {
          chunks.push(Buffer.from(chunk));
        }
        return Buffer.concat(chunks);
      };
      const found = await nextParts(walk, read, upload.offset, lengthOf(upload), this.#archives.of(id));
      if (found.parts.length === 0 && found.state === 'more' && found.walk.at === walk.at) {
        // Only now, when no part waits to be taken: the open one takes the place of the one before it.
        await this.#ahead.feed(upload, found.walk.open);
        return upload.transfer;
      }
      const { findings, setAside } = await this.#examine(upload, found.parts);
      for (const { instance } of findings) {
        instancesInspected.add(1, { verdict: instance.verdict });
        inspectedBytes.add(instance.bytes);
      }
      const next: FollowRecord = {
        walk: found.walk,
        instances: follow.instances + findings.length,
        state: found.state === 'more' ? 'following' : found.state,
      };
      await recording.found(upload.transfer, id, findings, next, setAside);
      if (found.state === 'broken') {
        const reason = found.fault?.reason ?? 'unknown';
        this.#parts.log.warn('follower.package-broken', { upload: id, transfer: upload.transfer, reason });
      }
    }
    return undefined;
  }

  async #examine(upload: UploadRecord, parts: readonly PackagePart[]): Promise<Examined> {
    const { examiner } = this.#parts;
    const failures = this.#failures.get(upload.id) ?? 0;
    if (failures >= inspectSinglyAfter) {
      this.#ahead.drop(upload.id);
      return examiner.singly(upload, parts, this.#cut.signal);
    }
    const ahead = await Promise.all(parts.map((part) => this.#ahead.take(upload, part)));
    return examiner.together(upload, parts, ahead, this.#cut.signal);
  }

  /** Whether the outbox has to hold it: until its transfer is decided, or, when that expired, until it is gone. */
  #fateOf(id: string): 'receiving' | 'expired' | 'over' {
    const { state } = this.#parts;
    const transfer = state.get(keys.uploads, id)?.transfer ?? null;
    const now = transfer === null ? undefined : state.get(keys.transfers, transfer)?.state;
    return now === 'receiving' || now === 'expired' ? now : 'over';
  }

  /** What cannot be noted now is noted at the next start. */
  #settleNote(note: Note): void {
    this.#outbox.done(note).catch((thrown: unknown) => {
      this.#parts.log.warn('follower.outbox-left', { upload: note.upload, error: asError(thrown) });
    });
  }

  /** Nothing of this upload is read ahead or listed any more. */
  #letGo(id: string): void {
    this.#ahead.drop(id);
    this.#archives.drop(id);
  }

  #follow(id: string): FollowRecord {
    return this.#parts.state.get(keys.follows, id) ?? { walk: null, instances: 0, state: 'following' };
  }
}

/** Null while more may come: one that ends when it is told to is not over with its last byte. */
function lengthOf({ length, ends, state }: UploadRecord): number | null {
  return ends === 'when-told' && state !== 'received' ? null : length;
}

/** What its sender says of the whole has not been held against it yet: nothing of it may count. */
function isUnverified({ digest, state }: UploadRecord): boolean {
  return digest !== null && state !== 'received';
}

export interface FollowerParts {
  readonly state: State;
  readonly storage: Storage;
  readonly pool: WorkPool;
  readonly examiner: Examiner;
  /** What an archive may unpack to: what a transfer may have. */
  readonly archiveBytesMax: number;
  readonly recording: Pick<Recording, 'found'>;
  readonly checking: Pick<Checking, 'settle'>;
  readonly log: Log;
  /** The pause after a first failure; it doubles. */
  readonly retryMs?: number;
  /** After a transfer became ready, held or rejected. */
  onSettled(transfer: TransferRecord): void;
}
