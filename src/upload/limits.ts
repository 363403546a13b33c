import type { Priority } from '../state/records.ts';

const MiB = 1024 * 1024;
const hour = 3_600_000;

/** How the engine is tuned; main.ts fills it from the configuration. */
export interface UploadSettings {
  /** `durable`: an acknowledged byte survives a power cut. `process`: it survives a kill -9 only. */
  readonly durability: 'durable' | 'process';
  /** A running body is checkpointed when so many bytes came since the last time … */
  readonly checkpointBytes: number;
  /** … and when the oldest byte that is not yet checkpointed is so old. */
  readonly checkpointMs: number;
  /** The largest upload. */
  readonly bytesMax: number;
  /** Bytes of the disk for LMDB, logs and derived objects: no upload is let in, and none goes on, below it. */
  readonly reserveBytes: number;
  /** Keep a CRC-32 of every block (ledger.ts), against which damage at rest is found before delivery. */
  readonly ledger: boolean;
  /** An unfinished upload lives so long after its last byte … */
  readonly expiryMs: number;
  /** … and so long after its creation at most. */
  readonly expiryMsMax: number;
  /** A received upload that belongs to no transfer lives so long after its last byte. */
  readonly unclaimedMs: number;
  /** Uploads of one organization that are not received yet … */
  readonly openMax: number;
  /** … and the part of the disk that they may take together. */
  readonly inFlightShareMax: number;
  /** How full the disk may be (0 to 1) for an upload of a priority to begin. */
  readonly watermarks: Readonly<Record<Priority, number>>;
  /** Requests that write at once, over all uploads. */
  readonly writersMax: number;
}

export const uploadDefaults: UploadSettings = {
  durability: 'durable',
  checkpointBytes: 64 * MiB,
  checkpointMs: 1000,
  bytesMax: 200 * 1024 * MiB,
  reserveBytes: 1024 * MiB,
  ledger: true,
  expiryMs: 72 * hour,
  expiryMsMax: 14 * 24 * hour,
  unclaimedMs: 14 * 24 * hour,
  openMax: 64,
  inFlightShareMax: 0.25,
  watermarks: { bulk: 0.75, routine: 0.85, urgent: 0.92, acute: 0.97 },
  writersMax: 4000,
};

/** fdatasyncs under way at once. More only make each slower. */
export const syncsMax = 8;

/** Of the syncs that wait, every so manyth is a periodic checkpoint, though others are waited for. */
export const periodicSyncEvery = 4;

/** While checkpoints queue for the disk, each upload waits so many times as long as one took until the next, */
export const checkpointStretch = 4;
/** a random part of it less, up to this one, so that they do not all come together, */
export const checkpointSpread = 0.5;
/** and at most this long. */
export const checkpointMsMax = 30_000;

/** Bytes of one block of the ledger. */
export const blockBytes = 8 * MiB;
/** Blocks in one record of it: 8 GiB of the upload. */
export const blocksPerRow = 1024;

/** How old the last look at the disk's free space may be for a body to begin. */
export const spaceMs = 250;

/** How often the janitor looks for what has expired. */
export const expirySweepMs = 60_000;

/** Partial uploads of one final; the list also has to fit into the listener's limit on all headers. */
export const concatPartsMax = 1000;
/** Final uploads that one partial may be in: each of them is a record as long as its list. */
export const finalsOfPartMax = 64;

/** How long a writer that is replaced may flush what it has received before it is fenced off. */
export const takeoverGraceMs = 50;

/** A whole Upload-Metadata header; also bounded by the listener's limit on all headers. */
export const metadataCharactersMax = 16 * 1024;

/** One value of a metadata key that we read. */
export const metadataValueCharactersMax = 1024;

/** Receiving mailboxes of one upload. */
export const receiversMax = 10;

/** Digits of a number in a header: 15 always fit a double exactly, and are a petabyte. */
export const headerDigitsMax = 15;
