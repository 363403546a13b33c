import type { Principal } from '../access/principal.ts';
import type { RequestBody } from '../http/exchange.ts';
import { Fatal } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import type { Instant, UploadContent, UploadRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { StorageUnreachable, storageError } from '../storage/errors.ts';
import type { ObjectId, ObjectWriter, Storage } from '../storage/storage.ts';
import { Append, type Checkpoint } from './append.ts';
import { verifyChecksum } from './checksum.ts';
import { Creation } from './creation.ts';
import { type DigestOf, digestOf } from './digest.ts';
import { ChecksumMismatch, LengthInconsistent, TooManyWriters, UploadNotFound } from './errors.ts';
import { extentsOf } from './extents.ts';
import type { UploadHooks } from './hooks.ts';
import { Journal } from './journal.ts';
import { type Lease, Leases } from './leases.ts';
import { Ledger, putBlocks } from './ledger.ts';
import { takeoverGraceMs, type UploadSettings } from './limits.ts';
import { type Appending, advance, startAppend } from './machine.ts';
import { checksumMismatches, uploadedBytes, uploadTakeovers } from './metrics.ts';
import { isUploadObject } from './object.ts';
import { OpenUploads } from './open-uploads.ts';
import { Readers } from './readers.ts';
import { Removal } from './removal.ts';
import type { AppendRequest, CreateRequest } from './requests.ts';
import { SyncQueue } from './sync-queue.ts';
import { Verification } from './verification.ts';

export interface UploadsOptions {
  readonly state: State;
  readonly storage: Storage;
  readonly log: Log;
  readonly settings: UploadSettings;
  readonly hooks: UploadHooks;
  readonly now?: () => Instant;
  /** How long a writer that is replaced may flush what it has received. */
  readonly graceMs?: number;
  /** Computes the digest of a whole upload; by default here, by reading it. */
  readonly digest?: DigestOf;
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
  readonly #hooks: Pick<UploadHooks, 'terminable'>;
  readonly #now: () => Instant;
  readonly #leases: Leases;
  readonly #open: OpenUploads;
  readonly #journal: Journal;
  readonly #removal: Removal;
  readonly #syncs = new SyncQueue();
  readonly #readers = new Readers();
  readonly #creation: Creation;
  readonly #verification: Verification;

  constructor(options: UploadsOptions) {
    const { state, storage, log, settings, hooks, now = Date.now, graceMs = takeoverGraceMs } = options;
    this.#state = state;
    this.#storage = storage;
    this.#log = log;
    this.#settings = settings;
    this.#hooks = hooks;
    this.#now = now;
    const leases = new Leases(graceMs);
    const open = new OpenUploads(storage, settings);
    const journal = new Journal({ state, storage, log, settings, hooks, open, now });
    this.#leases = leases;
    this.#open = open;
    this.#journal = journal;
    this.#removal = new Removal({
      state,
      storage,
      log,
      hooks,
      open,
      leases,
      readers: this.#readers,
      journal,
    });
    this.#creation = new Creation({ state, storage, log, settings, hooks, open, journal, now });
    const digest = options.digest ?? digestOf(storage);
    this.#verification = new Verification({ digest, log, journal, removal: this.#removal });
  }

  get settings(): UploadSettings {
    return this.#settings;
  }

  /** Gauges: requests that write or wait to, uploads not received, what they have still to send, syncs that wait. */
  get load(): {
    readonly writers: number;
    readonly open: number;
    readonly comingBytes: number;
    readonly syncsWaiting: number;
  } {
    const { receiving: open, comingBytes } = this.#open;
    return { writers: this.#leases.size, open, comingBytes, syncsWaiting: this.#syncs.waiting };
  }

  /**
   * Before the first request: counts what open uploads have still to send, verifies what was being verified
   * and removes the bytes of uploads whose record is gone (a crash between the two). Bytes beyond a recorded
   * offset are cut off when the upload is next opened.
   *
   * Throws Fatal, and removes nothing, when these records never saw the storage though there are bytes in
   * it: then it is the records that are missing, and the bytes may be all that is left.
   */
  async resumeAfterStart(): Promise<{ open: number; removed: number }> {
    const objects = new Set<string>();
    const verifying: UploadRecord[] = [];
    for (const { value } of this.#state.list(keys.uploads)) {
      for (const object of objectsOf(value.content)) {
        objects.add(object);
      }
      this.#journal.track(value);
      if (value.state === 'verifying') {
        verifying.push(value);
      }
    }
    const removed = await this.#removeOrphans(objects);
    const open = this.#open.receiving;
    this.#log.info('uploads.resumed', { count: open });
    if (removed > 0) {
      this.#log.warn('uploads.orphans-removed', { count: removed });
    }
    // In the background: it can take minutes, and its outcome is in the log.
    void this.#verification.verifyAll(verifying);
    return { open, removed };
  }

  /** Removes uploads' objects that no record refers to; how many. What can't be reached is left for the next start. */
  async #removeOrphans(known: ReadonlySet<string>): Promise<number> {
    const isKnownStorage = this.#state.get(keys.meta, 'storage-known') !== undefined;
    let removed = 0;
    // The storage could not be listed before, and some records are there: no more is done than is sure.
    let left = 0;
    try {
      for await (const object of this.#storage.list()) {
        if (isUploadObject(object) && !known.has(object)) {
          if (!isKnownStorage && known.size === 0) {
            throw new Fatal('the storage holds uploads, but their records are missing: put state/ back', 7);
          }
          if (isKnownStorage) {
            await this.#storage.remove(object);
            removed++;
          } else {
            left++;
          }
        }
      }
    } catch (error) {
      if (!(error instanceof StorageUnreachable)) {
        throw error;
      }
      this.#log.warn('uploads.orphans-not-looked-for', { error });
      return removed;
    }
    if (left > 0) {
      this.#log.warn('uploads.orphans-left', { count: left });
    }
    if (!isKnownStorage) {
      await this.#state.commit((tx) => tx.put(keys.meta, 'storage-known', 1));
    }
    return removed;
  }

  /**
   * Rejects UploadTooLarge, QuotaExceeded, PriorityRefused, StorageFull, ConcatenationInvalid, and what the
   * `claims` hook throws.
   */
  create(principal: Principal, request: CreateRequest): Promise<UploadRecord> {
    return this.#creation.create(principal, request);
  }

  /** Never waits. Throws UploadNotFound, also for another organization's. */
  head(id: string, principal: Principal): UploadRecord {
    const upload = this.#journal.get(id);
    if (upload === undefined || upload.organization !== principal.organization) {
      throw new UploadNotFound();
    }
    return upload;
  }

  /** When it expires by itself; null when it does not. */
  expiresAt(upload: UploadRecord): Instant | null {
    return this.#journal.expiresAt(upload);
  }

  /**
   * Appends a body, taking the upload over from whoever writes it. Resolves with the upload when every byte
   * of the body is durable and, at the end of one with a digest, verified.
   *
   * However it rejects, what arrived before is kept (of a body with a checksum: nothing): what startAppend
   * throws, ChecksumMismatch, UploadTakenOver, UploadsStopping, TooManyWriters, StorageFull, StorageBehind,
   * DigestMismatch, UploadNotFound, and the body's PeerGone. `head` tells the offset.
   */
  async append(
    id: string,
    principal: Principal,
    request: AppendRequest,
    body: RequestBody,
  ): Promise<UploadRecord> {
    const { bytesMax, writersMax } = this.#settings;
    // A request that cannot be right must not disturb who is writing: offsets never go back.
    const before = this.head(id, principal);
    startAppend(before, request, body.length, bytesMax);
    const looking = this.#open.check();
    if (looking !== undefined) {
      await looking;
    }
    // Behind the last wait before the lease: those who come at once are counted too.
    if (this.#leases.size >= writersMax) {
      throw new TooManyWriters(writersMax);
    }
    if (this.#leases.isHeld(id)) {
      uploadTakeovers.add(1);
    }
    const lease = await this.#leases.take(id, before.epoch);
    try {
      const upload = this.head(id, principal);
      const appending = startAppend(upload, request, body.length, bytesMax);
      if (upload.state === 'receiving') {
        await this.#write(upload, request, appending, lease, body);
      } else {
        verifyChecksum(request.checksum, await body.bytes(0));
      }
    } catch (error) {
      if (error instanceof ChecksumMismatch) {
        checksumMismatches.add(1);
        this.#log.warn('upload.checksum-mismatch', { upload: id });
      }
      throw storageError(error);
    } finally {
      await lease.end();
    }
    const after = this.head(id, principal);
    if (after.state === 'verifying') {
      await this.#verification.verify(after);
      return this.head(id, principal);
    }
    return after;
  }

  /** Declares the length of an upload that was created without. The same once more is no error. */
  async declareLength(id: string, principal: Principal, length: number): Promise<UploadRecord> {
    const { offset } = this.head(id, principal);
    return this.append(id, principal, { offset, length }, noBody);
  }

  /**
   * Removes an upload; who writes or reads it is stopped at once. Throws UploadClaimed (the `terminable`
   * hook) and UploadNotFound.
   */
  async terminate(id: string, principal: Principal): Promise<void> {
    const removed = await this.#removal.terminate(this.head(id, principal));
    if (removed === undefined) {
      throw new UploadNotFound();
    }
    this.#log.info('upload.terminated', { upload: id, bytes: removed.offset });
  }

  /**
   * Removes an upload that its own creation did not bring, and nobody was told of; the transfer that it has
   * opened is over with it. Not for one that was sent to a transfer: that may know a part of it by now.
   */
  async abandon(id: string, principal: Principal): Promise<void> {
    await this.#removal.reject(this.head(id, principal));
  }

  /** What is published so far, for its own organization. Throws UploadClaimed and UploadNotFound. */
  read(id: string, principal: Principal): { upload: UploadRecord; bytes: AsyncIterable<Uint8Array> } {
    const upload = this.head(id, principal);
    this.#hooks.terminable(upload);
    const bytes = this.#storage.read(extentsOf(upload), 0, upload.offset);
    return { upload, bytes: this.#readers.follow(id, bytes) };
  }

  /**
   * Removes the uploads whose time is over, but none that is being written and none that its transfer needs.
   * Resolves with their number.
   */
  expire(now: Instant = this.#now()): Promise<number> {
    return this.#removal.expire(now);
  }

  /** Refuses new writers, lets running ones record what arrived, and resolves when none is left. */
  async stop(): Promise<void> {
    this.#verification.stop();
    await this.#leases.stop();
  }

  async #write(
    upload: UploadRecord,
    request: AppendRequest,
    appending: Appending,
    lease: Lease,
    body: RequestBody,
  ): Promise<void> {
    const [object] = objectsOf(upload.content);
    if (object === undefined) {
      throw new RangeError(`upload ${upload.id} has no object of its own`);
    }
    const { id } = upload;
    this.#journal.hold(upload);
    try {
      await this.#open.extend(id, appending.length ?? appending.from + (body.length ?? 0));
      // Under the lease: what is opened is cut back first, and that must not reach what a newer holder has written.
      const writer = await lease.run(() => this.#storage.open(object, appending.from));
      try {
        await this.#appendWith(upload, request, appending, lease, writer).take(body);
      } finally {
        await writer.close();
      }
    } finally {
      // What a newer holder has set aside is its own.
      if (!lease.isFenced) {
        this.#open.endBody(id, this.#journal.get(id)?.length ?? null);
      }
      this.#journal.free(id);
    }
  }

  #appendWith(
    upload: UploadRecord,
    request: AppendRequest,
    appending: Appending,
    lease: Lease,
    writer: ObjectWriter,
  ): Append {
    const { id, blockCrc, offset } = upload;
    const { length, end } = appending;
    const isLast = request.isLast ?? false;
    return new Append({
      ...appending,
      lease,
      writer,
      room: (reaches, stop) => {
        // A chunked body of an upload without a length: what it takes is set aside as it comes.
        if (this.#open.isSetAside(id, reaches)) {
          return this.#storage.room(stop);
        }
        const ahead = Math.min(end, reaches + this.#settings.checkpointBytes);
        return this.#open
          .extend(id, ahead)
          .catch(() => this.#open.extend(id, reaches))
          .then(() => this.#storage.room(stop));
      },
      settings: this.#settings,
      syncs: this.#syncs,
      ledger: blockCrc === null ? undefined : new Ledger(offset, blockCrc),
      checksum: request.checksum,
      isTelling: isLast || length !== upload.length,
      record: (checkpoint) => this.#record(id, lease, checkpoint, length, isLast),
    });
  }

  async #record(
    id: string,
    lease: Lease,
    { offset, ledger, isEnd }: Checkpoint,
    length: number | null,
    isLast: boolean,
  ): Promise<void> {
    const { before, after } = await this.#journal.commit(id, (tx, upload) => {
      lease.check();
      const next = advance(upload, { epoch: lease.epoch, offset, length, isLast: isLast && isEnd });
      if (ledger !== undefined) {
        putBlocks(tx, id, ledger);
      }
      return { ...next, blockCrc: ledger?.blockCrc ?? next.blockCrc, lastByteAt: this.#now() };
    });
    uploadedBytes.add(after.offset - before.offset);
    if (isLast && isEnd && length !== null && offset !== length) {
      throw new LengthInconsistent(length, offset);
    }
  }
}

const noBody: RequestBody = {
  length: 0,
  drainTo: () => Promise.resolve(0),
  bytes: () => Promise.resolve(new Uint8Array()),
};

function objectsOf(content: UploadContent): ObjectId[] {
  return content.of === 'object' ? [content.object] : content.parts.map(({ object }) => object);
}
