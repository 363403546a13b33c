import type { Principal } from '../access/principal.ts';
import type { RequestBody } from '../http/exchange.ts';
import { asError, Fatal } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { newId } from '../state/ids.ts';
import { keys } from '../state/keys.ts';
import type { Instant, UploadRecord } from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import { storageError } from '../storage/errors.ts';
import type { Extent, Storage } from '../storage/storage.ts';
import { Append } from './append.ts';
import { UploadNotFound } from './errors.ts';
import { type Lease, Leases } from './leases.ts';
import { takeoverGraceMs, type UploadSettings } from './limits.ts';
import { advance, checkEpoch, createProgress, isLastStep, startAppend } from './machine.ts';
import { uploadedBytes, uploadsCreated, uploadsReceived } from './metrics.ts';
import { isUploadObject, newUploadObject } from './object.ts';
import { SpaceBudget } from './space.ts';

/** What a client says of a new upload; `metadata` is sealed by who asks. */
export type CreateRequest = Pick<
  UploadRecord,
  'length' | 'from' | 'to' | 'priority' | 'filetype' | 'transfer' | 'metadata'
>;

/** Where the rest of the program takes part in an upload. All are synchronous; `tx` is the upload's own commit. */
export interface UploadHooks {
  /** Inside the commit that creates an upload; what it throws refuses the creation and leaves nothing. */
  claims(tx: Transaction, upload: UploadRecord): void;
  /** Inside the commit that records the last byte: exactly once for each upload. Must not throw. */
  received(tx: Transaction, upload: UploadRecord): void;
  /** Bytes before `offset` are durable and may be read. Offsets rise; a last one may be told after a restart only by HEAD. */
  published(uploadId: string, offset: number): void;
  /** Throws UploadClaimed when a transfer holds the upload. */
  terminable(upload: UploadRecord): void;
}

export interface UploadsOptions {
  readonly state: State;
  readonly storage: Storage;
  readonly log: Log;
  readonly settings: UploadSettings;
  readonly hooks: UploadHooks;
  readonly now?: () => Instant;
  /** How long a writer that is replaced may flush what it has received. */
  readonly graceMs?: number;
}

/** The bytes of an upload so far published, as extents. */
export function extentsOf({ object, offset }: Pick<UploadRecord, 'object' | 'offset'>): Extent[] {
  return offset === 0 ? [] : [{ object, start: 0, bytes: offset }];
}

/**
 * The engine of resumable uploads: carries out what machine.ts allows, on LMDB and a byte store.
 *
 * A record that is read here shows only what a commit's promise has confirmed: an offset that was
 * told survives a kill -9 and, in durable mode, a power cut.
 */
export class Uploads {
  readonly #state: State;
  readonly #storage: Storage;
  readonly #log: Log;
  readonly #settings: UploadSettings;
  readonly #hooks: UploadHooks;
  readonly #now: () => Instant;
  readonly #leases: Leases;
  readonly #space: SpaceBudget;
  /** Confirmed offsets of uploads being written: LMDB shows a commit a moment before it is synced. */
  readonly #confirmed = new Map<string, number>();

  constructor(options: UploadsOptions) {
    const { state, storage, log, settings, hooks, now = Date.now, graceMs = takeoverGraceMs } = options;
    this.#state = state;
    this.#storage = storage;
    this.#log = log;
    this.#settings = settings;
    this.#hooks = hooks;
    this.#now = now;
    this.#leases = new Leases(graceMs);
    this.#space = new SpaceBudget(storage, settings.reserveBytes);
  }

  get settings(): UploadSettings {
    return this.#settings;
  }

  /** Gauges: requests that write or wait to, and what open uploads have still to send. */
  get load(): { readonly writers: number; readonly comingBytes: number } {
    return { writers: this.#leases.size, comingBytes: this.#space.comingBytes };
  }

  /**
   * Before the first request: counts what open uploads have still to send and removes the bytes of
   * uploads whose record is gone (a crash between the two). Bytes beyond a recorded offset are cut
   * off when the upload is next opened.
   *
   * Throws Fatal, and removes nothing, when these records never saw the storage though there are bytes in
   * it: then it is the records that are missing, and the bytes may be all that is left.
   */
  async resumeAfterStart(): Promise<{ open: number; removed: number }> {
    const objects = new Set<string>();
    let open = 0;
    for (const { value } of this.#state.list(keys.uploads)) {
      objects.add(value.object);
      if (value.state === 'receiving') {
        open++;
        this.#space.add(stillComing(value));
      }
    }
    const known = this.#state.get(keys.meta, 'storage-known') !== undefined;
    let removed = 0;
    for await (const object of this.#storage.list()) {
      if (isUploadObject(object) && !objects.has(object)) {
        if (!known) {
          throw new Fatal('the storage holds uploads, but their records are missing: put state/ back', 7);
        }
        await this.#storage.remove(object);
        removed++;
      }
    }
    if (!known) {
      await this.#state.commit((tx) => tx.put(keys.meta, 'storage-known', 1));
    }
    this.#log.info('uploads.resumed', { count: open });
    if (removed > 0) {
      this.#log.warn('uploads.orphans-removed', { count: removed });
    }
    return { open, removed };
  }

  /** Rejects UploadTooLarge, StorageFull, and what the `claims` hook throws. */
  async create(principal: Principal, request: CreateRequest): Promise<UploadRecord> {
    const progress = createProgress(request.length, this.#settings.bytesMax);
    const coming = request.length ?? 0;
    await this.#space.reserve(coming);
    const object = newUploadObject();
    try {
      await this.#storage.create(object);
      const at = this.#now();
      const upload: UploadRecord = {
        ...request,
        ...progress,
        id: newId(),
        object,
        organization: principal.organization,
        creator: principal.key,
        createdAt: at,
        lastByteAt: at,
      };
      await this.#state.commit((tx) => {
        tx.put(keys.uploads, upload.id, upload);
        this.#hooks.claims(tx, upload);
        if (upload.state === 'received') {
          this.#hooks.received(tx, upload);
        }
      });
      uploadsCreated.add(1);
      if (upload.state === 'received') {
        uploadsReceived.add(1);
        this.#tellPublished(upload);
      }
      return upload;
    } catch (error) {
      this.#space.release(coming);
      await this.#storage.remove(object).catch((failure: unknown) => {
        this.#log.warn('upload.object-left', { error: failure });
      });
      throw storageError(error);
    }
  }

  /** Never waits. Throws UploadNotFound, also for another organization's. */
  head(id: string, principal: Principal): UploadRecord {
    const upload = this.#state.get(keys.uploads, id);
    if (upload === undefined || upload.organization !== principal.organization) {
      throw new UploadNotFound();
    }
    const offset = this.#confirmed.get(id) ?? upload.offset;
    return offset === upload.offset ? upload : { ...upload, offset, state: 'receiving' };
  }

  /**
   * Appends a body at `claimed`, taking the upload over from whoever writes it. Resolves with the
   * upload when every byte of the body is durable.
   *
   * However it rejects, what arrived before is kept: OffsetConflict, BodyBeyondLength, UploadTakenOver,
   * UploadsStopping, StorageFull, UploadNotFound, and the body's PeerGone. `head` tells the offset.
   */
  async append(id: string, principal: Principal, claimed: number, body: RequestBody): Promise<UploadRecord> {
    const { bytesMax } = this.#settings;
    // A request that cannot be right must not disturb who is writing: offsets never go back.
    const before = this.head(id, principal);
    startAppend(before, claimed, body.length, bytesMax);
    await this.#space.check();
    const lease = await this.#leases.take(id, before.epoch);
    try {
      const upload = this.head(id, principal);
      const appending = startAppend(upload, claimed, body.length, bytesMax);
      if (upload.state === 'received') {
        await body.bytes(0);
        return upload;
      }
      this.#confirmed.set(id, upload.offset);
      const writer = await this.#storage.open(upload.object, appending.from);
      try {
        const record = (offset: number): Promise<void> => this.#record(id, lease, offset);
        await new Append({ ...appending, lease, writer, settings: this.#settings, record }).take(body);
      } finally {
        await writer.close();
      }
    } catch (error) {
      throw storageError(error);
    } finally {
      await lease.end();
      this.#forget(id);
    }
    return this.head(id, principal);
  }

  /** Removes an upload and its bytes. Throws UploadClaimed (the `terminable` hook) and UploadNotFound. */
  async terminate(id: string, principal: Principal): Promise<void> {
    const before = this.head(id, principal);
    this.#hooks.terminable(before);
    const lease = await this.#leases.take(id, before.epoch);
    try {
      const removed = await lease.run(() =>
        this.#state.commit((tx) => {
          const upload = tx.get(keys.uploads, id);
          if (upload === undefined) {
            throw new UploadNotFound();
          }
          checkEpoch(upload, lease.epoch);
          this.#hooks.terminable(upload);
          tx.remove(keys.uploads, id);
          return upload;
        }),
      );
      this.#space.release(stillComing(removed));
      await this.#storage.remove(removed.object);
      this.#log.info('upload.terminated', { upload: id, bytes: removed.offset });
    } finally {
      await lease.end();
      this.#forget(id);
    }
  }

  /** What is published so far, for its own organization. Throws UploadClaimed and UploadNotFound. */
  read(id: string, principal: Principal): { upload: UploadRecord; bytes: AsyncIterable<Uint8Array> } {
    const upload = this.head(id, principal);
    this.#hooks.terminable(upload);
    return { upload, bytes: this.#storage.read(extentsOf(upload), 0, upload.offset) };
  }

  /** Refuses new writers, lets running ones record what arrived, and resolves when none is left. */
  async stop(): Promise<void> {
    await this.#leases.stop();
  }

  async #record(id: string, lease: Lease, offset: number): Promise<void> {
    const { before, after } = await this.#state.commit((tx) => {
      lease.check();
      const upload = tx.get(keys.uploads, id);
      if (upload === undefined) {
        throw new UploadNotFound();
      }
      const next = { ...advance(upload, lease.epoch, offset), lastByteAt: this.#now() };
      tx.put(keys.uploads, id, next);
      if (isLastStep(upload, next)) {
        this.#hooks.received(tx, next);
      }
      return { before: upload, after: next };
    });
    this.#space.release(stillComing(before) - stillComing(after));
    this.#confirmed.set(id, after.offset);
    uploadedBytes.add(after.offset - before.offset);
    if (isLastStep(before, after)) {
      uploadsReceived.add(1);
    }
    this.#tellPublished(after);
  }

  /** The bytes are committed by now: a follower that fails must not fail the upload. */
  #tellPublished({ id, offset, state }: UploadRecord): void {
    if (state === 'received') {
      this.#log.info('upload.received', { upload: id, bytes: offset });
    }
    try {
      this.#hooks.published(id, offset);
    } catch (error) {
      this.#log.error('upload.published-hook-failed', { upload: id, error: asError(error) });
    }
  }

  #forget(id: string): void {
    if (!this.#leases.isHeld(id)) {
      this.#confirmed.delete(id);
    }
  }
}

function stillComing({ length, offset }: UploadRecord): number {
  return length === null ? 0 : length - offset;
}
