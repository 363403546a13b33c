import { mkdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Buckets } from './buckets.ts';
import { StorageBehind } from './errors.ts';
import { folderMode, roomWaitMs, spoolCacheShare, spoolFreeShare } from './limits.ts';
import { type SegmentPlace, segmentName, segmentPlace } from './segments.ts';
import type { ObjectId, StorageSpace } from './storage.ts';

/** A file of the spool: a segment, or all of an object that a worker filled. */
export interface SpoolFile extends SegmentPlace {
  readonly path: string;
  bytes: number;
  /** S3 has it too: it may go when nobody holds it. */
  isStored: boolean;
  /** Those who need it where it is. */
  holders: number;
}

/** What of an object is here. */
export interface SpoolObject {
  readonly object: ObjectId;
  readonly files: Map<number, SpoolFile>;
  /** Its one file holds all of it, however long that is. */
  isOneFile: boolean;
  /** It was here when the program began: S3 may have something of it. */
  readonly isInherited: boolean;
  /** Something of it went to S3, or is on its way. */
  isOffloaded: boolean;
}

interface Waiting {
  readonly go: () => void;
}

/**
 * The disk in front of S3. A file below `objects` is what its segment holds, whatever S3 has; one below
 * `fetched` is a copy of what S3 has, and gone after a restart, since nobody synced it.
 */
export class Spool {
  readonly buckets: Buckets;
  readonly segmentBytes: number;
  readonly #fetched: string;
  readonly #bytesMax: number;
  readonly #objects = new Map<ObjectId, SpoolObject>();
  /** Those that S3 has too, the longest unused first. */
  readonly #stored = new Set<SpoolFile>();
  readonly #waiting = new Set<Waiting>();
  #bytes = 0;
  /** Segments that wait to be moved to S3, or are on their way. */
  #moving = 0;
  #fetches = 0;

  private constructor(buckets: Buckets, fetched: string, segmentBytes: number, bytesMax: number) {
    this.buckets = buckets;
    this.#fetched = fetched;
    this.segmentBytes = segmentBytes;
    this.#bytesMax = bytesMax;
  }

  static async open(folder: string, segmentBytes: number, bytesMax: number): Promise<Spool> {
    const fetched = join(folder, 'fetched');
    await rm(fetched, { recursive: true, force: true });
    const buckets = await Buckets.open(folder);
    await mkdir(fetched, { mode: folderMode });
    const spool = new Spool(buckets, fetched, segmentBytes, bytesMax);
    for await (const name of buckets.names()) {
      const place = segmentPlace(name);
      if (place !== undefined) {
        await spool.#inherit(place);
      }
    }
    return spool;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  objects(): IterableIterator<SpoolObject> {
    return this.#objects.values();
  }

  get(object: ObjectId): SpoolObject | undefined {
    return this.#objects.get(object);
  }

  /** Makes an empty object; resolves when its name survives a power cut. */
  async create(object: ObjectId): Promise<void> {
    await this.buckets.create(object, segmentName({ object, number: 0 }));
    this.add({ object, number: 0 });
  }

  /** Notes a file that was just made, and is still empty. */
  add(place: SegmentPlace): SpoolFile {
    const file = { ...place, path: this.path(place), bytes: 0, isStored: false, holders: 0 };
    // When nothing of the object is here, what comes before this is in S3 already.
    return this.#add(file, place.number > 0);
  }

  /** Notes what was fetched. */
  addFetched(place: SegmentPlace, path: string, bytes: number): SpoolFile {
    return this.#add({ ...place, path, bytes, isStored: true, holders: 0 }, true);
  }

  path(place: SegmentPlace): string {
    return join(this.buckets.of(place.object), segmentName(place));
  }

  /** Where a segment is fetched to: never where it was fetched to before, which may just be being taken away. */
  newFetchedPath(place: SegmentPlace): string {
    return join(this.#fetched, `${segmentName(place)}.${this.#fetches++}`);
  }

  /** The file that has a segment, and where in it that begins. */
  find({ object, number }: SegmentPlace): { readonly file: SpoolFile; readonly at: number } | undefined {
    const there = this.#objects.get(object);
    const file = there?.files.get(number);
    if (file !== undefined) {
      return { file, at: 0 };
    }
    const whole = there?.isOneFile === true ? there.files.get(0) : undefined;
    return whole === undefined ? undefined : { file: whole, at: number * this.segmentBytes };
  }

  /** It is at least so long now. */
  grown(file: SpoolFile, bytes: number): void {
    if (bytes > file.bytes) {
      this.#bytes += bytes - file.bytes;
      file.bytes = bytes;
    }
  }

  /** It was cut back to so much. */
  cut(file: SpoolFile, bytes: number): void {
    this.#shrink(file.bytes - bytes);
    file.bytes = bytes;
  }

  /** From here on S3 has it too. */
  stored(file: SpoolFile): void {
    file.isStored = true;
    this.#stored.add(file);
    this.evict();
  }

  hold(file: SpoolFile): void {
    file.holders++;
  }

  release(file: SpoolFile): void {
    file.holders--;
    if (file.isStored && this.#stored.delete(file)) {
      this.#stored.add(file);
    }
    this.evict();
  }

  /** Takes away what S3 has too, while it is more than its share. */
  evict(): void {
    for (const file of this.#stored) {
      if (this.#bytes <= this.#bytesMax * spoolCacheShare) {
        return;
      }
      if (file.holders === 0) {
        // Whoever has it open reads on; whoever comes too late asks S3.
        void this.drop(file).catch(() => undefined);
      }
    }
  }

  /** Gone when it resolves; unknown at once. */
  async drop(file: SpoolFile): Promise<void> {
    const there = this.#objects.get(file.object);
    if (there?.files.get(file.number) === file) {
      there.files.delete(file.number);
      there.isOneFile = false;
      this.#stored.delete(file);
      if (there.files.size === 0) {
        this.#objects.delete(file.object);
      }
      this.#shrink(file.bytes);
    }
    await rm(file.path, { force: true });
  }

  /** So many segments more, or less, are to be moved. */
  moving(more: 1 | -1): void {
    this.#moving += more;
    this.#wake();
  }

  /**
   * See ObjectStore.room. While nothing is to be moved nobody waits: what fills the spool then are segments that
   * only their writers can end.
   */
  room(stop: AbortSignal): Promise<void> | undefined {
    this.evict();
    if (!this.#isBehind()) {
      return undefined;
    }
    return new Promise<void>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        stop.removeEventListener('abort', stopped);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        go: () => {
          end();
          resolve();
        },
      };
      const stopped = (): void => {
        end();
        reject(stop.reason as Error);
      };
      const timer = setTimeout(() => {
        end();
        reject(new StorageBehind({ bytes: this.#bytes, bytesMax: this.#bytesMax }));
      }, roomWaitMs);
      this.#waiting.add(waiting);
      stop.addEventListener('abort', stopped);
      if (stop.aborted) {
        stopped();
      }
    });
  }

  /** Of the disk. While that is nearly full, nothing is kept of what S3 has too. */
  async space(): Promise<StorageSpace> {
    const space = await this.#diskSpace();
    const missing = space.totalBytes * spoolFreeShare - space.freeBytes;
    if (missing <= 0 || this.#stored.size === 0) {
      return space;
    }
    await this.#free(missing);
    return this.#diskSpace();
  }

  async #diskSpace(): Promise<StorageSpace> {
    const { bsize, bavail, blocks } = await statfs(this.buckets.folder);
    return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
  }

  /** Takes away so much of what S3 has too, as far as nobody holds it. */
  async #free(bytes: number): Promise<void> {
    let left = bytes;
    for (const file of this.#stored) {
      if (left <= 0) {
        return;
      }
      if (file.holders === 0) {
        left -= file.bytes;
        await this.drop(file).catch(() => undefined);
      }
    }
  }

  async #inherit(place: SegmentPlace): Promise<void> {
    const path = this.path(place);
    const { size } = await stat(path);
    const file = this.#add({ ...place, path, bytes: size, isStored: false, holders: 0 }, true);
    const there = this.#objects.get(place.object);
    if (there !== undefined && file.bytes > this.segmentBytes) {
      there.isOneFile = true;
    }
  }

  #add(file: SpoolFile, isInherited: boolean): SpoolFile {
    const { object, number } = file;
    let there = this.#objects.get(object);
    if (there === undefined) {
      there = { object, files: new Map(), isOneFile: false, isInherited, isOffloaded: isInherited };
      this.#objects.set(object, there);
    }
    there.files.set(number, file);
    this.#bytes += file.bytes;
    if (file.isStored) {
      this.#stored.add(file);
    }
    return file;
  }

  #isBehind(): boolean {
    return this.#bytes > this.#bytesMax && this.#moving > 0;
  }

  #shrink(bytes: number): void {
    this.#bytes -= bytes;
    this.#wake();
  }

  #wake(): void {
    if (!this.#isBehind()) {
      for (const { go } of this.#waiting) {
        go();
      }
    }
  }
}
