import type { BodySink, RequestBody } from '../http/exchange.ts';
import { asError } from '../ops/error.ts';
import type { ObjectWriter } from '../storage/storage.ts';
import type { Lease } from './leases.ts';
import type { UploadSettings } from './limits.ts';
import { type Appending, checkEnd } from './machine.ts';
import { Watermark } from './watermark.ts';

export interface AppendOptions extends Appending {
  readonly lease: Lease;
  readonly writer: ObjectWriter;
  readonly settings: UploadSettings;
  /** Commits an offset that is durable in the object. Called one at a time, with rising offsets. */
  readonly record: (offset: number) => Promise<void>;
}

/**
 * One request's body on its way into an object: writes it under the lease, and checkpoints while it runs.
 *
 * A checkpoint is fdatasync, then one commit. Writing goes on meanwhile, but no further than one more
 * checkpoint's bytes: on a slow disk too, that bounds what a crash can take, but for bursts that the
 * listener has to write at once (BodySink.writeSync). There is one checkpoint at a time. The upload's last byte is recorded only when the body has ended, so that a body that goes
 * beyond the length never completes an upload.
 */
export class Append implements BodySink {
  readonly #options: AppendOptions;
  readonly #watermark: Watermark;
  #recorded: number;
  /** When the offset of the last checkpoint was read; the next one counts from there. */
  #checkpointAt = performance.now();
  #checkpoint: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** A checkpoint failed. After a failed fdatasync the kernel forgets what it lost, so none may follow. */
  #failure: Error | undefined;
  #beyond = false;

  constructor(options: AppendOptions) {
    this.#options = options;
    this.#watermark = new Watermark(options.from);
    this.#recorded = options.from;
  }

  /**
   * Takes the body to its end. However it ends, what arrived is recorded before this settles.
   *
   * Rejects what ended it: the reason of the lease's stop, StorageFull, BodyBeyondLength, PeerGone.
   */
  async take(body: RequestBody): Promise<void> {
    const { lease } = this.#options;
    let cut: Error | undefined;
    try {
      await body.drainTo(this, lease.stop);
    } catch (error) {
      cut = asError(error);
    }
    await this.#finish();
    if (cut !== undefined) {
      throw lease.stopReason ?? cut;
    }
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    const { lease, writer, settings } = this.#options;
    return lease.run(async () => {
      const start = this.#begin(bytes, position);
      while (this.#checkpoint !== undefined && this.#unrecorded >= settings.checkpointBytes) {
        await this.#checkpoint;
      }
      await writer.write(bytes, start);
      this.#settle(start);
    });
  }

  writeSync(bytes: Uint8Array, position: number): void {
    const { lease, writer } = this.#options;
    lease.check();
    const start = this.#begin(bytes, position);
    writer.writeSync(bytes, start);
    this.#settle(start);
  }

  #begin(bytes: Uint8Array, position: number): number {
    const { from, end } = this.#options;
    const start = from + position;
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    this.#beyond ||= start + bytes.byteLength > end;
    checkEnd(start + bytes.byteLength, end);
    this.#watermark.begin(start, bytes.byteLength);
    return start;
  }

  #settle(start: number): void {
    this.#watermark.settle(start);
    if (this.#unrecorded >= this.#options.settings.checkpointBytes) {
      this.#checkpointMeanwhile();
    } else if (this.#checkpoint === undefined) {
      this.#checkpointSoon();
    }
  }

  get #unrecorded(): number {
    return this.#watermark.value - this.#recorded;
  }

  #checkpointSoon(): void {
    if (this.#unrecorded > 0 && this.#timer === undefined) {
      const ms = this.#options.settings.checkpointMs - (performance.now() - this.#checkpointAt);
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
    this.#checkpoint = this.#checkpointNow()
      .catch((error: unknown) => {
        this.#failure ??= asError(error);
        // The peer may be silent for long: it must learn now that its bytes are not kept.
        this.#options.lease.askToStop(this.#failure);
      })
      .finally(() => {
        this.#checkpoint = undefined;
        if (this.#failure === undefined) {
          this.#checkpointSoon();
        }
      });
  }

  async #checkpointNow(): Promise<void> {
    const { lease, writer, settings, record } = this.#options;
    const offset = this.#watermark.value;
    this.#checkpointAt = performance.now();
    if (settings.durability === 'durable') {
      await writer.sync();
    }
    await lease.run(() => record(offset));
    this.#recorded = offset;
  }

  async #finish(): Promise<void> {
    await this.#options.lease.settled();
    while (this.#checkpoint !== undefined) {
      await this.#checkpoint;
    }
    clearTimeout(this.#timer);
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    const offset = this.#watermark.value;
    if (offset > this.#recorded && !(this.#beyond && offset === this.#options.end)) {
      await this.#checkpointNow();
    }
  }
}
