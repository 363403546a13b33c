const MiB = 1024 * 1024;

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
}

export const uploadDefaults: UploadSettings = {
  durability: 'durable',
  checkpointBytes: 64 * MiB,
  checkpointMs: 1000,
  bytesMax: 200 * 1024 * MiB,
  reserveBytes: 1024 * MiB,
};

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
