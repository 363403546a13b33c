import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Principal } from '../../src/access/principal.ts';
import type { Log } from '../../src/ops/log.ts';
import type { Part } from '../../src/ops/part.ts';
import { keys } from '../../src/state/keys.ts';
import type { UploadRecord } from '../../src/state/records.ts';
import { State } from '../../src/state/state.ts';
import { openDiskStorage } from '../../src/storage/disk.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { extentsOf } from '../../src/upload/extents.ts';
import type { UploadHooks } from '../../src/upload/hooks.ts';
import { type UploadSettings, uploadDefaults } from '../../src/upload/limits.ts';
import type { CreateRequest } from '../../src/upload/requests.ts';
import { Uploads, type UploadsOptions } from '../../src/upload/uploads.ts';

export const alice: Principal = { key: 'key-a', organization: 'org-a' };
export const alicesColleague: Principal = { key: 'key-a2', organization: 'org-a' };
export const mallory: Principal = { key: 'key-m', organization: 'org-m' };

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function request(length: number | null, more: Partial<CreateRequest> = {}): CreateRequest {
  const none = { from: null, to: [], priority: null, filetype: null, transfer: null, metadata: null };
  return { ...none, ends: 'at-length', digest: null, concat: null, ...more, length };
}

export interface EngineOptions {
  readonly settings?: Partial<UploadSettings>;
  readonly hooks?: Partial<UploadHooks>;
  /** Keep data here instead of in a temp folder. */
  readonly folder?: string;
  readonly wrap?: (storage: Storage) => Storage;
  /** The byte store in a folder; on disk when left out. */
  readonly openStorage?: (folder: string) => Promise<Storage>;
  readonly log?: Log;
  /** What a replaced writer may take to flush; the program's own when left out. */
  readonly graceMs?: number;
  readonly now?: () => number;
  readonly digest?: UploadsOptions['digest'];
}

/** How full the disk of who runs the tests is does not matter. */
const anyDisk = {
  reserveBytes: 0,
  inFlightShareMax: 1,
  watermarks: { bulk: 2, routine: 2, urgent: 2, acute: 2 },
} as const;

/** The engine on real LMDB and real files, and what its hooks were told. */
export class Engine {
  readonly folder: string;
  readonly state: State;
  readonly storage: Storage;
  /** The same below what a test has wrapped it in. */
  readonly opened: Storage & Partial<Part>;
  readonly uploads: Uploads;
  /** Ids in the order that `received` was committed. */
  readonly received: string[];
  readonly published: { id: string; offset: number }[];

  private constructor(
    parts: Pick<Engine, 'folder' | 'state' | 'storage' | 'opened' | 'uploads' | 'received' | 'published'>,
  ) {
    ({
      folder: this.folder,
      state: this.state,
      storage: this.storage,
      opened: this.opened,
      uploads: this.uploads,
      received: this.received,
      published: this.published,
    } = parts);
  }

  static async open(options: EngineOptions = {}): Promise<Engine> {
    const { settings, hooks, folder, wrap, log = silent, graceMs, now, digest } = options;
    const openStorage = options.openStorage ?? openDiskStorage;
    const data = folder ?? (await mkdtemp(join(tmpdir(), 'sluis-upload-')));
    const state = await State.open(join(data, 'state'));
    const opened = await openStorage(join(data, 'storage'));
    const storage = wrap?.(opened) ?? opened;
    const received: string[] = [];
    const published: { id: string; offset: number }[] = [];
    const uploads = new Uploads({
      state,
      storage,
      log,
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(now === undefined ? {} : { now }),
      ...(digest === undefined ? {} : { digest }),
      settings: { ...uploadDefaults, ...anyDisk, ...settings },
      hooks: {
        priorityOf: ({ priority }) => priority ?? 'routine',
        expirable: () => true,
        expired: () => undefined,
        claims: () => undefined,
        terminable: () => undefined,
        ...hooks,
        received: (tx, upload) => {
          hooks?.received?.(tx, upload);
          received.push(upload.id);
        },
        published: (id, offset) => {
          published.push({ id, offset });
          hooks?.published?.(id, offset);
        },
      },
    });
    return new Engine({ folder: data, state, storage, uploads, received, published, opened });
  }

  record(id: string): UploadRecord {
    const record = this.state.get(keys.uploads, id);
    if (record === undefined) {
      throw new Error(`no record of ${id}`);
    }
    return record;
  }

  /** What the storage holds of an upload up to its recorded offset. */
  async bytes(id: string): Promise<Buffer> {
    const record = this.record(id);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.storage.read(extentsOf(record), 0, record.offset)) {
      chunks.push(Uint8Array.from(chunk));
    }
    return Buffer.concat(chunks);
  }

  /** The object's file as it is, also beyond the recorded offset. */
  async file(id: string): Promise<Buffer> {
    return readFile(this.fileOf(id));
  }

  /** Where the object of an upload lies. */
  fileOf(id: string): string {
    const { content } = this.record(id);
    if (content.of !== 'object') {
      throw new Error(`upload ${id} has no object of its own`);
    }
    return this.storage.pathOf(content.object);
  }

  async close(): Promise<void> {
    await this.uploads.stop();
    await this.opened.stop?.(AbortSignal.timeout(2_000));
    await this.state.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Bytes that differ by position and by `seed`, so that a byte in the wrong place shows. */
export function pattern(bytes: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) {
    buffer[at] = (at * 31 + (at >> 8) * 17 + seed * 101) & 0xff;
  }
  return buffer;
}

/** How long one property may run; a run that is cut short counts as passed. */
export const fuzz = {
  numRuns: 100_000,
  interruptAfterTimeLimit: Number(process.env.FUZZ_SECONDS ?? 2) * 1000,
  markInterruptAsFailure: false,
} as const;
