import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../ops/log.ts';
import type { Part } from '../ops/part.ts';
import { StorageDamaged, storageError } from './errors.ts';
import { Fetching } from './fetching.ts';
import { expectBucket, expectKind } from './kind.ts';
import {
  footprintSegments,
  offloadRetryMs,
  partBytes as partBytesDefault,
  segmentBytes as segmentBytesDefault,
} from './limits.ts';
import { type Offload, Offloading } from './offloading.ts';
import { type NamedRun, type Readable, readExtents, slice } from './reader.ts';
import { RemoteSegment } from './remote-segment.ts';
import { Removing } from './removing.ts';
import { credentialsOf, type S3Options } from './s3-options.ts';
import { SegmentStore } from './segment-store.ts';
import { type SegmentName, segmentName, segmentPlace, segmentRuns } from './segments.ts';
import { Spool, type SpoolFile, type SpoolObject } from './spool.ts';
import { openSpoolWriter } from './spool-writer.ts';
import type {
  Borrower,
  Extent,
  ObjectId,
  ObjectWriter,
  Storage,
  StorageLoad,
  StorageSpace,
} from './storage.ts';

export type { S3Options } from './s3-options.ts';

/**
 * Objects in a bucket of S3, behind a spool on the disk here: what is synced is durable because this disk is, and
 * goes to S3 in segments as soon as it is settled. `start` begins with that; before, and while S3 is down, the
 * spool takes everything.
 */
export async function openS3Storage(options: S3Options): Promise<S3Storage> {
  const { folder, segmentBytes = segmentBytesDefault, partBytes = partBytesDefault } = options;
  const credentials = await credentialsOf(options.credentialsFile);
  await expectKind(folder, 's3');
  await expectBucket(folder, options);
  const spool = await Spool.open(join(folder, 'spool'), segmentBytes, options.spoolBytesMax);
  return new S3Storage(spool, new SegmentStore({ ...options, credentials, partBytes }), options);
}

export class S3Storage implements Storage, Part {
  readonly #spool: Spool;
  readonly #store: SegmentStore;
  readonly #log: Log;
  readonly #offloading: Offloading;
  readonly #fetching: Fetching;
  readonly #removing: Removing;
  #greeting: Promise<void> | undefined;
  #isStopped = false;

  constructor(
    spool: Spool,
    store: SegmentStore,
    options: Pick<S3Options, 'log' | 'offloadRetryMs' | 'removeRetryMs'>,
  ) {
    const { log, offloadRetryMs: retryMs = offloadRetryMs } = options;
    this.#spool = spool;
    this.#store = store;
    this.#log = log;
    this.#offloading = new Offloading({ store, spool, log, retryMs });
    this.#fetching = new Fetching(spool, store);
    this.#removing = new Removing({
      log,
      ...(options.removeRetryMs === undefined ? {} : { retryMs: options.removeRetryMs }),
      remove: (object) => this.#remove(object),
    });
  }

  /** How much waits: gauges. */
  get load(): StorageLoad {
    const { waiting, underWay } = this.#offloading;
    return { spoolBytes: this.#spool.bytes, waiting, underWay, leftovers: this.#removing.left };
  }

  /** Does not wait for S3, which may be down now: it is said, and uploads are taken all the same. */
  start(): Promise<void> {
    this.#greeting = this.#greet();
    return Promise.resolve();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#isStopped = true;
    this.#removing.stop();
    await this.#offloading.stop(deadline);
    this.#store.end();
    await this.#greeting;
  }

  /** Whoever waits for S3 is told that it cannot be reached: the program must end now. */
  cut(): void {
    this.#isStopped = true;
    this.#removing.stop();
    this.#store.end();
  }

  async create(object: ObjectId): Promise<void> {
    try {
      await this.#spool.create(object);
    } catch (error) {
      throw storageError(error);
    }
  }

  open(object: ObjectId, bytes: number): Promise<ObjectWriter> {
    return openSpoolWriter(this.#spool, object, bytes);
  }

  /** When it rejects, S3 may still have something of it, and that is tried again. */
  async remove(object: ObjectId): Promise<void> {
    // Refuses what is no name, before anything is done.
    this.#spool.path({ object, number: 0 });
    await this.#removing.remove(object);
  }

  async #remove(object: ObjectId): Promise<void> {
    await this.#offloading.cancel(object);
    const here = this.#spool.get(object);
    const isOnlyHere = here !== undefined && !here.isOffloaded;
    await this.#drop(object);
    if (!isOnlyHere) {
      await this.#store.removeAll(object);
      // What was just being fetched for a worker.
      await this.#fetching.idle(object);
      await this.#drop(object);
    }
  }

  async #drop(object: ObjectId): Promise<void> {
    for (const file of [...(this.#spool.get(object)?.files.values() ?? [])]) {
      await this.#spool.drop(file);
    }
  }

  /** Those in the spool first. */
  async *list(): AsyncGenerator<ObjectId> {
    const here = new Set([...this.#spool.objects()].map(({ object }) => object));
    yield* here;
    for await (const object of this.#store.objects()) {
      if (!here.has(object)) {
        yield object;
      }
    }
  }

  settle(object: ObjectId, bytes: number, whole: boolean): void {
    const here = this.#spool.get(object);
    if (here === undefined) {
      return;
    }
    const settled = here.isOneFile
      ? this.#settleOneFile(here, whole)
      : this.#settleSegments(here, bytes, whole);
    settled.catch((error: unknown) => {
      this.#log.error('storage.settle-failed', { path: object, error });
    });
  }

  room(stop: AbortSignal): Promise<void> | undefined {
    return this.#spool.room(stop);
  }

  /** All of the object goes into the file of its first segment, however long it becomes. */
  pathOf(object: ObjectId): string {
    const here = this.#spool.get(object);
    if (here?.files.size === 1 && here.files.get(0)?.bytes === 0) {
      here.isOneFile = true;
    }
    return this.#spool.path({ object, number: 0 });
  }

  read(extents: readonly Extent[], start: number, end: number): AsyncIterable<Uint8Array> {
    const stretches = segmentRuns(slice(extents, start, end), this.#spool.segmentBytes);
    const runs = stretches.map(({ place, start, bytes }) => ({ object: segmentName(place), start, bytes }));
    return readExtents((name) => this.#openSegment(name, runs), runs);
  }

  async lend<R>(extents: readonly Extent[], start: number, end: number, use: Borrower<R>): Promise<R> {
    return this.#fetching.lend(segmentRuns(slice(extents, start, end), this.#spool.segmentBytes), use);
  }

  space(): Promise<StorageSpace> {
    return this.#spool.space();
  }

  footprint(bytes: number): number {
    return Math.min(bytes, footprintSegments * this.#spool.segmentBytes);
  }

  /** What a kill left half-sent of segments that are still here is sent anew. */
  async #greet(): Promise<void> {
    try {
      await this.#store.look();
      const here = new Set(
        [...this.#spool.objects()].filter(({ isInherited }) => isInherited).map(({ object }) => object),
      );
      const count = await this.#store.sweep(({ object }) => here.has(object));
      this.#log.info('storage.s3-ready', { count, bytes: this.#spool.bytes });
    } catch (error) {
      if (!this.#isStopped) {
        this.#log.error('storage.s3-unreachable', { error });
      }
    }
    // Not before: what is under way by then is no leftover.
    if (!this.#isStopped) {
      await this.#offloading.start();
    }
  }

  #settleSegments(here: SpoolObject, bytes: number, whole: boolean): Promise<void> {
    const { segmentBytes } = this.#spool;
    const offloads: Offload[] = [];
    for (const file of here.files.values()) {
      const there = Math.min(segmentBytes, file.bytes, bytes - file.number * segmentBytes);
      if (!file.isStored && (whole ? there > 0 : there === segmentBytes)) {
        offloads.push(this.#offloadOf(here, file, file.number, 0, there));
      }
    }
    this.#add(here, offloads);
    return Promise.resolve();
  }

  async #settleOneFile(here: SpoolObject, whole: boolean): Promise<void> {
    const file = here.files.get(0);
    if (file === undefined || file.isStored || !whole) {
      return;
    }
    const { segmentBytes } = this.#spool;
    const { size } = await stat(file.path);
    this.#spool.grown(file, size);
    const offloads: Offload[] = [];
    for (let at = 0; at < size; at += segmentBytes) {
      offloads.push(this.#offloadOf(here, file, at / segmentBytes, at, Math.min(segmentBytes, size - at)));
    }
    this.#add(here, offloads);
  }

  #offloadOf(here: SpoolObject, file: SpoolFile, number: number, start: number, bytes: number): Offload {
    return { object: here.object, number, file, start, bytes, isNew: !here.isInherited };
  }

  #add(here: SpoolObject, offloads: readonly Offload[]): void {
    // It may have been removed while its file was looked at.
    if (offloads.length > 0 && this.#spool.get(here.object) === here) {
      here.isOffloaded = true;
      this.#offloading.add(offloads);
    }
  }

  async #openSegment(name: SegmentName, runs: readonly NamedRun<SegmentName>[]): Promise<Readable> {
    const place = segmentPlace(name);
    const found = place === undefined ? undefined : this.#spool.find(place);
    if (found !== undefined) {
      try {
        const file = await open(found.file.path, 'r');
        const { at } = found;
        return at === 0
          ? file
          : {
              read: (buffer, offset, length, position) => file.read(buffer, offset, length, at + position),
              close: () => file.close(),
            };
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
          throw error;
        }
        // Taken away between the two: S3 has it.
      }
    }
    return new RemoteSegment(this.#store, name, (position) => endOf(name, runs, position));
  }
}

/** Where the run of a segment ends that a position lies in. */
function endOf(name: SegmentName, runs: readonly NamedRun<SegmentName>[], position: number): number {
  const run = runs.find(
    ({ object, start, bytes }) => object === name && start <= position && position < start + bytes,
  );
  if (run === undefined) {
    throw new StorageDamaged('a read left its extents', { object: name });
  }
  return run.start + run.bytes;
}
