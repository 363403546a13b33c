import type { BodySink, RequestBody } from '../http/exchange.ts';
import { asError } from '../ops/error.ts';
import type { ObjectWriter } from '../storage/storage.ts';
import { type Checksum, type ChecksumStream, checksumStream, compareChecksum } from './checksum.ts';
import type { Lease } from './leases.ts';
import type { Ledger, LedgerStep } from './ledger.ts';
import { checkpointSpread, type UploadSettings } from './limits.ts';
import { type Appending, checkEnd } from './machine.ts';
import type { SyncQueue, SyncTurn } from './sync-queue.ts';
import { Watermark } from './watermark.ts';

/** What is to be committed: everything before `offset` is durable in the object. */
export interface Checkpoint {
  readonly offset: number;
  /** Undefined for an upload without a ledger. */
  readonly ledger: LedgerStep | undefined;
  /** The body has come to its own end, and this is all of it. */
  readonly isEnd: boolean;
}

export interface AppendOptions extends Appending {
  readonly lease: Lease;
  readonly writer: ObjectWriter;
  /** Undefined, as a rule: there is room for what is before `reaches`. Else as Storage.room. */
  readonly room: (reaches: number, stop: AbortSignal) => Promise<void> | undefined;
  readonly settings: UploadSettings;
  readonly syncs: SyncQueue;
  readonly ledger: Ledger | undefined;
  /** Of the whole body: no checkpoint is made before it was verified. */
  readonly checksum: Checksum | undefined;
  /** The end of the body is recorded even when it brings no byte: it says something. */
  readonly isTelling: boolean;
  /** Commits a checkpoint. Called one at a time, with rising offsets. */
  readonly record: (checkpoint: Checkpoint) => Promise<void>;
}

/**
 * One request's body on its way into an object: writes it under the lease, and checkpoints while it runs.
 *
 * A checkpoint is fdatasync, then one commit. Writing goes on meanwhile, but no further than one more
 * checkpoint's bytes: on a slow disk too, that bounds what a crash can take, but for bursts that the
 * listener has to write at once (BodySink.writeSync). There is one checkpoint at a time. The upload's last byte is recorded only when the body has ended, so that a body that goes
 * beyond the length never completes an upload. A body with a checksum counts as a whole or not at all.
 */
export class Append implements BodySink {
  readonly #options: AppendOptions;
  readonly #watermark: Watermark;
  readonly #checksum: ChecksumStream | undefined;
  #recorded: number;
  /** When the offset of the last checkpoint was read; the next one counts from there. */
  #checkpointAt = performance.now();
  #checkpoint: Promise<void> | undefined;
  #turn: SyncTurn | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** A checkpoint failed. After a failed fdatasync the kernel forgets what it lost, so none may follow. */
  #failure: Error | undefined;
  #beyond = false;
  /** `writesAtOnce` was told that there is no room yet. */
  #waitsForRoom = false;

  constructor(options: AppendOptions) {
    this.#options = options;
    this.#watermark = new Watermark(options.from);
    this.#checksum = options.checksum && checksumStream(options.checksum.algorithm);
    this.#recorded = options.from;
  }

  /**
   * Takes the body to its end. However it ends, what arrived is recorded before this settles, unless it
   * has a checksum that could not be verified.
   *
   * Rejects what ended it: the reason of the lease's stop, StorageFull, StorageBehind, BodyBeyondLength,
   * ChecksumMismatch, PeerGone.
   */
  async take(body: RequestBody): Promise<void> {
    const { lease } = this.#options;
    let cut: Error | undefined;
    try {
      await body.drainTo(this, lease.stop);
      this.#verify();
    } catch (error) {
      cut = asError(error);
    }
    await this.#finish(cut === undefined);
    if (cut !== undefined) {
      throw lease.stopReason ?? cut;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    const { lease, writer, room } = this.#options;
    lease.check();
    // First of all and at once: calls come in the order of the bytes.
    const start = this.#begin(bytes, position);
    const waiting = room(start + bytes.byteLength, lease.stop);
    if (waiting !== undefined) {
      await waiting;
    }
    // Not under the lease: a newer holder would wait for the syncs of others.
    while (this.#isBehind) {
      await this.#checkpoint;
    }
    await lease.run(() => writer.write(bytes, start));
    this.#settle(start);
  }

  writesAtOnce(bytes: number, position: number): boolean {
    const { lease, from, room } = this.#options;
    if (
      this.#isBehind ||
      this.#waitsForRoom ||
      this.#failure !== undefined ||
      lease.stopReason !== undefined
    ) {
      return false;
    }
    const waiting = room(from + position + bytes, lease.stop);
    if (waiting !== undefined) {
      // Why it failed is told to the write that comes instead.
      this.#waitsForRoom = true;
      const over = (): void => {
        this.#waitsForRoom = false;
      };
      waiting.then(over, over);
    }
    return waiting === undefined;
  }

  writeSync(bytes: Uint8Array, position: number): void {
    const { lease, writer } = this.#options;
    lease.check();
    const start = this.#begin(bytes, position);
    writer.writeSync(bytes, start);
    this.#settle(start);
  }

  #begin(bytes: Uint8Array, position: number): number {
    const { from, end, ledger } = this.#options;
    const start = from + position;
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    this.#beyond ||= start + bytes.byteLength > end;
    checkEnd(start + bytes.byteLength, end);
    this.#watermark.begin(start, bytes.byteLength);
    ledger?.take(bytes);
    this.#checksum?.update(bytes);
    return start;
  }

  #settle(start: number): void {
    this.#watermark.settle(start);
    this.#options.ledger?.forget(this.#watermark.value);
    if (this.#checksum !== undefined) {
      return;
    }
    if (this.#unrecorded >= this.#options.settings.checkpointBytes) {
      this.#checkpointMeanwhile();
    } else if (this.#checkpoint === undefined) {
      this.#checkpointSoon();
    }
  }

  /** Nothing more is written before the checkpoint that is under way. */
  get #isBehind(): boolean {
    return this.#checkpoint !== undefined && this.#unrecorded >= this.#options.settings.checkpointBytes;
  }

  get #unrecorded(): number {
    return this.#watermark.value - this.#recorded;
  }

  #checkpointSoon(): void {
    if (this.#unrecorded > 0 && this.#timer === undefined) {
      const { settings, syncs } = this.#options;
      // Uploads that began together would all be due in one moment, each second again.
      const interval = syncs.intervalMs(settings.checkpointMs) * (1 - checkpointSpread * Math.random());
      const ms = interval - (performance.now() - this.#checkpointAt);
      this.#timer = setTimeout(() => this.#checkpointMeanwhile(), Math.max(0, ms));
    }
  }

  #checkpointMeanwhile(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (
      this.#checkpoint !== undefined ||
      this.#failure !== undefined ||
      this.#watermark.value === this.#options.end
    ) {
      return;
    }
    const turn: SyncTurn = { isAwaited: false };
    this.#turn = turn;
    this.#checkpoint = this.#checkpointNow(turn)
      .catch((error: unknown) => {
        this.#failure ??= asError(error);
        // The peer may be silent for long: it must learn now that its bytes are not kept.
        this.#options.lease.askToStop(this.#failure);
      })
      .finally(() => {
        this.#checkpoint = undefined;
        this.#turn = undefined;
        if (this.#failure === undefined) {
          this.#checkpointSoon();
        }
      });
  }

  /** `isOver`: no byte comes any more. `isEnd`: the body has come to its own end. */
  async #checkpointNow(turn: SyncTurn, isOver = false, isEnd = false): Promise<void> {
    const { lease, writer, settings, syncs, end, ledger, record } = this.#options;
    const begin = (): Omit<Checkpoint, 'isEnd'> | undefined => {
      // Who was replaced while it waited takes no turn from others.
      lease.check();
      const offset = this.#watermark.value;
      this.#checkpointAt = performance.now();
      // The last byte may have come while this waited for its turn, and the body may go on beyond it.
      return !isOver && offset === end ? undefined : { offset, ledger: ledger?.step(offset) };
    };
    // When it is its turn, not before: all that has been written until then is synced with it.
    const step =
      settings.durability === 'durable'
        ? await syncs.run(turn, async () => {
            const begun = begin();
            if (begun !== undefined) {
              await writer.sync();
            }
            return begun;
          })
        : begin();
    if (step === undefined) {
      return;
    }
    // The end can't be beyond what was read before the sync: nothing comes after the body.
    await lease.run(() => record({ ...step, isEnd }));
    this.#recorded = step.offset;
  }

  #verify(): void {
    const { checksum } = this.#options;
    if (checksum !== undefined && this.#checksum !== undefined) {
      compareChecksum(checksum, this.#checksum);
    }
  }

  async #finish(isWhole: boolean): Promise<void> {
    const { lease, syncs, end, isTelling } = this.#options;
    await lease.settled();
    if (this.#turn !== undefined) {
      // The client waits for it now.
      syncs.hurry(this.#turn);
    }
    while (this.#checkpoint !== undefined) {
      await this.#checkpoint;
    }
    clearTimeout(this.#timer);
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    if (!isWhole && this.#checksum !== undefined) {
      return;
    }
    const offset = this.#watermark.value;
    const isNew = offset > this.#recorded || (isWhole && isTelling);
    if (isNew && !(this.#beyond && offset === end)) {
      await this.#checkpointNow({ isAwaited: true }, true, isWhole);
    }
  }
}
