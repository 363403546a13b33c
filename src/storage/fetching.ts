import { open, rm } from 'node:fs/promises';
import { StorageDamaged, storageError } from './errors.ts';
import { fetchedBytesMax, fetchesAtOnce, objectMode, readChunkBytes } from './limits.ts';
import { fetchedBytes } from './metrics.ts';
import { RemoteSegment } from './remote-segment.ts';
import type { SegmentStore } from './segment-store.ts';
import { type SegmentName, type SegmentPlace, type Stretch, segmentName, segmentPlace } from './segments.ts';
import type { Spool, SpoolFile } from './spool.ts';
import type { Borrower, FileRange, ObjectId } from './storage.ts';

/** Lends runs of segments as ranges of files, and fetches those that are only in S3. */
export class Fetching {
  readonly #spool: Spool;
  readonly #store: SegmentStore;
  /** Segments on their way; who wants the same waits for the same. */
  readonly #coming = new Map<SegmentName, Promise<void>>();
  readonly #room = new Turns(fetchedBytesMax);
  readonly #lines = new Turns(fetchesAtOnce);

  constructor(spool: Spool, store: SegmentStore) {
    this.#spool = spool;
    this.#store = store;
  }

  async lend<R>(stretches: readonly Stretch[], use: Borrower<R>): Promise<R> {
    const held = new Map<SegmentName, Found>();
    const places = new Map(stretches.map(({ place }) => [segmentName(place), place]));
    this.#holdThose(places, held);
    const missing = places.size - held.size;
    const taken = missing === 0 ? undefined : await this.#room.take(missing * this.#spool.segmentBytes);
    try {
      while (held.size < places.size) {
        const wanted = [...places].filter(([name]) => !held.has(name)).slice(0, fetchesAtOnce);
        // As soon as one is here it is held, before others need its place.
        await settled(
          wanted.map(async ([name, place]) => {
            await this.#fetch(name, place);
            this.#holdThose(new Map([[name, place]]), held);
          }),
        );
      }
      return await use(stretches.map((stretch) => rangeOf(stretch, held)));
    } finally {
      for (const { file } of held.values()) {
        this.#spool.release(file);
      }
      taken?.();
    }
  }

  /** Resolves when nothing of an object is on its way. */
  async idle(object: ObjectId): Promise<void> {
    const coming = [...this.#coming].filter(([name]) => segmentPlace(name)?.object === object);
    await Promise.allSettled(coming.map(([, fetch]) => fetch));
  }

  #holdThose(places: ReadonlyMap<SegmentName, SegmentPlace>, held: Map<SegmentName, Found>): void {
    for (const [name, place] of places) {
      const found = this.#spool.find(place);
      if (found !== undefined && !held.has(name)) {
        this.#spool.hold(found.file);
        held.set(name, found);
      }
    }
  }

  #fetch(name: SegmentName, place: SegmentPlace): Promise<void> {
    let coming = this.#coming.get(name);
    if (coming === undefined) {
      coming = this.#get(name, place).finally(() => this.#coming.delete(name));
      this.#coming.set(name, coming);
    }
    return coming;
  }

  async #get(name: SegmentName, place: SegmentPlace): Promise<void> {
    const done = await this.#lines.take(1);
    const path = this.#spool.newFetchedPath(place);
    try {
      const bytes = await this.#store.bytesOf(name);
      const from = new RemoteSegment(this.#store, name, () => bytes);
      const to = await open(path, 'w', objectMode);
      try {
        const chunk = Buffer.allocUnsafeSlow(Math.min(bytes, readChunkBytes));
        for (let at = 0; at < bytes; ) {
          const { bytesRead } = await from.read(chunk, 0, chunk.byteLength, at);
          for (let written = 0; written < bytesRead; ) {
            written += (await to.write(chunk, written, bytesRead - written, at + written)).bytesWritten;
          }
          at += bytesRead;
        }
      } finally {
        await from.close();
        await to.close();
      }
      fetchedBytes.add(bytes);
      const file = this.#spool.addFetched(place, path, bytes);
      // Until those who wait for it hold it themselves.
      this.#spool.hold(file);
      setImmediate(() => this.#spool.release(file));
    } catch (error) {
      await rm(path, { force: true });
      throw storageError(error);
    } finally {
      done();
    }
  }
}

interface Found {
  readonly file: SpoolFile;
  readonly at: number;
}

function rangeOf({ place, start, bytes }: Stretch, held: ReadonlyMap<SegmentName, Found>): FileRange {
  const name = segmentName(place);
  const found = held.get(name);
  if (found === undefined) {
    throw new RangeError(`segment ${name} was not fetched`);
  }
  const { file, at } = found;
  if (file.isStored && at + start + bytes > file.bytes) {
    const message = `segment ${name} ends at byte ${file.bytes - at}, ${start + bytes} were recorded`;
    throw new StorageDamaged(message, { object: name, recorded: start + bytes });
  }
  return { path: file.path, start: at + start, bytes };
}

/** Waits for all of them, and rejects as the first that failed. */
async function settled(all: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(all);
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

/** So much for all at a time, in the order that they came. Who wants more than there is has it alone. */
class Turns {
  readonly #max: number;
  #taken = 0;
  readonly #waiting: { readonly amount: number; readonly go: () => void }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves with what gives it back. */
  async take(wanted: number): Promise<() => void> {
    const amount = Math.min(wanted, this.#max);
    await new Promise<void>((go) => {
      this.#waiting.push({ amount, go });
      this.#next();
    });
    return () => {
      this.#taken -= amount;
      this.#next();
    };
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#taken + first.amount > this.#max) return;
      this.#waiting.shift();
      this.#taken += first.amount;
      first.go();
    }
  }
}
