import type { Instant, Priority, UploadRecord } from '../state/records.ts';
import { StorageFull } from '../storage/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { PriorityRefused, QuotaExceeded } from './errors.ts';
import { spaceMs, type UploadSettings } from './limits.ts';

interface Open {
  readonly organization: string;
  /** Null: it does not expire by itself. */
  readonly expiresAt: Instant | null;
  readonly isReceiving: boolean;
  readonly offset: number;
  /** Where it is known to end; of a deferred one, where the body ends that is being written. */
  readonly end: number;
}

interface Usage {
  uploads: number;
  bytes: number;
}

/**
 * The uploads that are not over: what they have still to send, whose they are, and when they expire. It is
 * the promise that an upload which was let in also fits: the rest of each is set aside on the disk.
 *
 * In memory, and made again from the records at start: every request asks it, and none may wait for a scan.
 */
export class OpenUploads {
  readonly #storage: Pick<Storage, 'space' | 'footprint'>;
  readonly #settings: UploadSettings;
  readonly #open = new Map<string, Open>();
  readonly #usage = new Map<string, Usage>();
  #comingBytes = 0;
  /** Of the disk, when it was last looked at. */
  #freeBytes = 0;
  #seenAt = Number.NEGATIVE_INFINITY;
  #receiving = 0;

  constructor(storage: Pick<Storage, 'space' | 'footprint'>, settings: UploadSettings) {
    this.#storage = storage;
    this.#settings = settings;
  }

  /** Gauge: bytes that are set aside for what has still to come. */
  get comingBytes(): number {
    return this.#comingBytes;
  }

  /** Gauge: uploads that are not received yet. */
  get receiving(): number {
    return this.#receiving;
  }

  /**
   * Lets a new upload in: sets its bytes aside under `id` until `set` or `remove`.
   *
   * Rejects QuotaExceeded, PriorityRefused and StorageFull. Uploads that were let in before go on.
   */
  async admit(id: string, organization: string, priority: Priority, bytes: number): Promise<void> {
    const { freeBytes, totalBytes } = await this.#storage.space();
    const footprint = this.#storage.footprint(bytes);
    this.#checkCount(organization);
    if ((this.#usage.get(organization)?.bytes ?? 0) > 0) {
      // One that is alone may be larger: nothing could be finished first that would let it in.
      this.#checkShare(organization, footprint, totalBytes);
    }
    this.#checkWatermark(priority, freeBytes, totalBytes);
    this.#checkRoom(footprint, freeBytes);
    this.#put(id, { organization, expiresAt: null, isReceiving: true, offset: 0, end: bytes });
  }

  /** Lets a final upload in whose parts are not whole yet: it brings no bytes. Throws QuotaExceeded. */
  admitFinal(id: string, organization: string): void {
    this.#checkCount(organization);
    this.#put(id, { organization, expiresAt: null, isReceiving: true, offset: 0, end: 0 });
  }

  /** Whether what is before `end` is set aside, or need not be: the upload is gone. */
  isSetAside(id: string, end: number): boolean {
    const open = this.#open.get(id);
    return open === undefined || end <= Math.max(open.end, open.offset);
  }

  /**
   * Sets aside what a body brings to an upload whose length was not known. Rejects QuotaExceeded and
   * StorageFull.
   */
  async extend(id: string, end: number): Promise<void> {
    if (this.isSetAside(id, end)) {
      return;
    }
    const { freeBytes, totalBytes } = await this.#storage.space();
    // It may have gone meanwhile, or others may have come.
    const open = this.#open.get(id);
    if (open === undefined || this.isSetAside(id, end)) {
      return;
    }
    const known = Math.max(open.end, open.offset);
    const footprint = (bytes: number): number => this.#storage.footprint(bytes);
    this.#checkShare(open.organization, footprint(end) - footprint(known), totalBytes);
    this.#checkRoom(footprint(end - open.offset) - footprint(known - open.offset), freeBytes);
    this.#put(id, { ...open, end });
  }

  /**
   * Rejects StorageFull when something else has filled the disk into the reserve. Undefined, as a rule: the
   * room that was there a moment ago will do, since under uWS a body's first bytes come in the same turn as its head.
   */
  check(): Promise<void> | undefined {
    const isRecent = performance.now() - this.#seenAt <= spaceMs;
    return isRecent && this.#freeBytes >= this.#settings.reserveBytes ? undefined : this.#look();
  }

  async #look(): Promise<void> {
    const { freeBytes } = await this.#storage.space();
    const { reserveBytes } = this.#settings;
    this.#freeBytes = freeBytes;
    this.#seenAt = performance.now();
    if (freeBytes < reserveBytes) {
      throw new StorageFull('the disk is full: free space, then resume', {
        free: freeBytes,
        reserve: reserveBytes,
      });
    }
  }

  /** What is known of it now; an upload that neither is open nor expires is forgotten. */
  set(upload: UploadRecord, expiresAt: Instant | null): void {
    const isReceiving = upload.state !== 'received';
    if (!isReceiving && expiresAt === null) {
      this.remove(upload.id);
      return;
    }
    const { organization, offset, length, content } = upload;
    // A final upload brings no bytes of its own.
    const end =
      !isReceiving || content.of === 'parts' ? offset : (length ?? this.#open.get(upload.id)?.end ?? offset);
    this.#put(upload.id, { organization, expiresAt, isReceiving, offset, end });
  }

  /** The body is over: what a deferred upload did not bring is not waited for. */
  endBody(id: string, length: number | null): void {
    const open = this.#open.get(id);
    if (open !== undefined && length === null) {
      this.#put(id, { ...open, end: open.offset });
    }
  }

  remove(id: string): void {
    const open = this.#open.get(id);
    if (open !== undefined) {
      this.#count(open, -1);
      this.#open.delete(id);
    }
  }

  /** Those whose time is over at `now`. */
  *expired(now: Instant): Generator<string> {
    for (const [id, { expiresAt }] of this.#open) {
      if (expiresAt !== null && expiresAt <= now) {
        yield id;
      }
    }
  }

  #checkCount(organization: string): void {
    const { openMax } = this.#settings;
    const { uploads } = this.#usage.get(organization) ?? { uploads: 0 };
    if (uploads >= openMax) {
      throw new QuotaExceeded(
        `this organization has ${uploads} unfinished uploads, ${openMax} are allowed: finish or remove some`,
        { uploads, openMax },
      );
    }
  }

  #checkShare(organization: string, footprint: number, totalBytes: number): void {
    const { inFlightShareMax } = this.#settings;
    const { bytes } = this.#usage.get(organization) ?? { bytes: 0 };
    const bytesMax = Math.floor(totalBytes * inFlightShareMax);
    if (bytes + footprint > bytesMax) {
      throw new QuotaExceeded(
        `this organization has ${bytes} bytes under way, with ${footprint} more it would have above ${bytesMax}: finish some first`,
        { bytes, more: footprint, bytesMax },
      );
    }
  }

  #checkWatermark(priority: Priority, freeBytes: number, totalBytes: number): void {
    const used = totalBytes === 0 ? 0 : 1 - freeBytes / totalBytes;
    const watermark = this.#settings.watermarks[priority];
    if (used >= watermark) {
      throw new PriorityRefused(priority, Math.round(used * 100), Math.round(watermark * 100));
    }
  }

  #checkRoom(bytes: number, freeBytes: number): void {
    const room = Math.max(0, freeBytes - this.#settings.reserveBytes - this.#comingBytes);
    if (bytes > room) {
      throw new StorageFull(`the upload needs ${bytes} bytes, there is room for ${room}: try again later`, {
        bytes,
        room,
      });
    }
  }

  #put(id: string, open: Open): void {
    this.remove(id);
    this.#open.set(id, open);
    this.#count(open, 1);
  }

  #count({ organization, isReceiving, offset, end }: Open, sign: 1 | -1): void {
    if (!isReceiving) {
      return;
    }
    const usage = this.#usage.get(organization) ?? { uploads: 0, bytes: 0 };
    usage.uploads += sign;
    usage.bytes += sign * this.#storage.footprint(Math.max(offset, end));
    this.#comingBytes += sign * this.#storage.footprint(Math.max(0, end - offset));
    this.#receiving += sign;
    if (usage.uploads === 0) {
      this.#usage.delete(organization);
    } else {
      this.#usage.set(organization, usage);
    }
  }
}
