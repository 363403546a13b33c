import assert from 'node:assert';
import { BodyStopped, BodyTooLarge, PeerGone } from './errors.ts';
import type { BodySink, RequestBody } from './exchange.ts';
import { bodyLimits } from './limits.ts';
import { httpCounts } from './metrics.ts';
import { type FilledSlab, SlabQueue } from './slab-queue.ts';
import type { SlabPool } from './slabs.ts';

/** The socket end of a body, as a listener gives it. All three do nothing once the connection is gone. */
export interface Tap {
  /** Stops reading. No hard stop: uWS still delivers what it has read, up to many mebibytes. */
  pause(): void;
  resume(): void;
  /** Closes the connection at once; the listener then calls `vanish`. */
  cut(): void;
}

/** How reading came to its end; undefined while more bytes are wanted. */
type Ending =
  | { readonly kind: 'whole' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'stopped'; readonly reason: unknown }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * One request's body between its socket and its sink; the same for both listeners.
 *
 * Backpressure is a ladder. At the soft limit the peer is paused, and again on every chunk that still
 * comes: uSockets re-reads in a loop without looking at the pause, bursts of 60 MiB were seen. At the
 * hard limit the oldest slab is written synchronously, the only thing that bounds such a burst. At half
 * the soft limit the peer is resumed.
 */
export class IncomingBody implements RequestBody {
  // Set once at start.
  readonly length: number | undefined;
  readonly #tap: Tap;
  readonly #queue: SlabQueue;
  readonly #pool: SlabPool;
  readonly #startedAt = performance.now();
  // Moved by the socket.
  #whole: boolean;
  #arrived = 0;
  #lastByteAt = this.#startedAt;
  #windowAt = this.#startedAt;
  #windowBytes = 0;
  #fast = false;
  #pausedAt: number | undefined;
  // Moved by whoever reads.
  #taken = false;
  #sink: BodySink | undefined;
  #settle: (() => void) | undefined;
  #ending: Ending | undefined;
  #writes = 0;
  #writeBytes = 0;

  /** `length` as in RequestBody; 0 is a request without a body. */
  constructor(length: number | undefined, tap: Tap, pool: SlabPool) {
    this.length = length;
    this.#tap = tap;
    this.#pool = pool;
    this.#queue = new SlabQueue(pool);
    this.#whole = length === 0;
    if (this.#whole) this.#ending = { kind: 'whole' };
  }

  /** True once the last byte has arrived, read or not: then the connection can take a next request. */
  get whole(): boolean {
    return this.#whole;
  }

  get paused(): boolean {
    return this.#pausedAt !== undefined;
  }

  /** Bytes that have arrived and are not written yet. */
  get queuedBytes(): number {
    return this.#queue.bytes + this.#writeBytes;
  }

  drainTo(sink: BodySink, stop?: AbortSignal): Promise<number> {
    assert(!this.#taken, 'a body can be read once');
    this.#taken = true;
    this.#sink = sink;
    this.#lastByteAt = performance.now();
    return new Promise((resolve, reject) => {
      const stopped = () => this.#end({ kind: 'stopped', reason: stop?.reason });
      this.#settle = () => {
        stop?.removeEventListener('abort', stopped);
        const ending = this.#ending;
        if (ending?.kind === 'gone') reject(new PeerGone(this.#arrived));
        else if (ending?.kind === 'stopped') reject(new BodyStopped(this.#arrived, ending.reason));
        else if (ending?.kind === 'failed') reject(ending.error);
        else resolve(this.#arrived);
      };
      if (stop?.aborted) stopped();
      else stop?.addEventListener('abort', stopped, { once: true });
      this.#pump();
      this.#relax();
    });
  }

  async bytes(max: number): Promise<Uint8Array> {
    if (this.length !== undefined && this.length > max) throw new BodyTooLarge(max);
    const parts: Buffer[] = [];
    let total = 0;
    const writeSync = (bytes: Uint8Array) => {
      total += bytes.length;
      if (total > max) throw new BodyTooLarge(max);
      // A copy: the slab goes back to the pool.
      parts.push(Buffer.from(bytes));
    };
    await this.drainTo({
      writeSync,
      write: async (bytes) => writeSync(bytes),
    });
    return Buffer.concat(parts, total);
  }

  // ── for the listener ──

  /** A chunk has arrived. It is copied; the caller may reuse it on return. Never throws. */
  push(chunk: Uint8Array): void {
    const now = performance.now();
    this.#lastByteAt = now;
    httpCounts.bodyBytes += chunk.length;
    if (this.#ending) {
      this.#pause();
      return;
    }
    this.#measure(chunk.length, now);
    if (this.#sink) this.#take(chunk);
    else this.#hold(chunk);
  }

  /** The last byte has arrived. */
  finish(): void {
    this.#whole = true;
    this.#resume();
    this.#end({ kind: 'whole' });
  }

  /** No more bytes will come. What has arrived is still written. */
  vanish(): void {
    this.#end({ kind: 'gone' });
  }

  /** Nobody will ask for this body any more: what is held for a reader goes back to the pool. */
  drop(): void {
    if (this.#taken) return;
    this.#queue.clear();
    this.#arrived = 0;
    this.#ending = { kind: 'gone' };
  }

  /** Called about twice a second: lets a paused socket notice a reset, and cuts an idle peer. */
  sweep(now: number): void {
    if (this.#whole) return;
    // Once the exchange is answered nobody waits for its body; the answer has an idle limit of its own.
    const awaited = this.#ending?.kind !== 'gone';
    const unread = !this.#taken && now - this.#startedAt > bodyLimits.idleMs;
    const silent = this.#pausedAt === undefined && now - this.#lastByteAt > bodyLimits.idleMs;
    if (awaited && (unread || silent)) {
      httpCounts.idleCuts += 1;
      this.#tap.cut();
    } else if (this.#pausedAt !== undefined && now - this.#pausedAt >= bodyLimits.pauseMs) {
      // A body held for a slow handler has no hard limit to fall back on, so it is not read any fuller.
      if (!this.#taken && this.#queue.bytes >= bodyLimits.heldBytes / 2) return;
      this.#pausedAt = now;
      this.#tap.resume();
    }
  }

  // ── inside ──

  /** Bytes that come before the handler has asked for them. */
  #hold(chunk: Uint8Array): void {
    const fits = this.#queue.bytes + chunk.length <= bodyLimits.heldBytes;
    const kept = fits ? this.#queue.append(chunk, this.#arrived, bodyLimits.slabBytesMin) : 0;
    this.#arrived += kept;
    if (kept === chunk.length) {
      this.#pause();
      return;
    }
    // At once, not when the cut is reported: node still delivers what it has read, and a smaller chunk
    // would find room behind the gap.
    this.#end({ kind: 'gone' });
    this.#tap.cut();
  }

  /** Bytes for a reader that is there. */
  #take(chunk: Uint8Array): void {
    while (this.queuedBytes + chunk.length > bodyLimits.queueBytesHard && this.#writeOldestNow());
    if (this.#ending) return;
    const kept = this.#queue.append(chunk, this.#arrived, this.#slabBytes());
    const rest = { bytes: chunk.subarray(kept), position: this.#arrived + kept };
    this.#arrived += chunk.length;
    if (rest.bytes.length > 0) {
      // The slabs before it first: a sink is given its bytes in their order.
      while (this.#writeOldestNow());
      if (!this.#ending) this.#writeNow(rest.bytes, rest.position);
    }
    this.#pump();
    // A chunk that came although we had paused is paused again: that also stops uWS's 10 s timer.
    const full = this.#pausedAt === undefined ? this.#softBytes() : this.#softBytes() / 2;
    if (this.queuedBytes >= full) this.#pause();
    else this.#relax();
  }

  #measure(bytes: number, now: number): void {
    if (now - this.#windowAt > bodyLimits.fastMs) {
      this.#fast = this.#windowBytes >= bodyLimits.fastBytes;
      this.#windowAt = now;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    if (this.#windowBytes >= bodyLimits.fastBytes) this.#fast = true;
  }

  #slabBytes() {
    return this.#fast ? bodyLimits.slabBytesMax : bodyLimits.slabBytesMin;
  }

  #softBytes(): number {
    return this.#pool.crowded ? bodyLimits.queueBytesCrowded : bodyLimits.queueBytesSoft;
  }

  #pause(): void {
    if (this.#whole) return;
    if (this.#pausedAt === undefined) httpCounts.pauses += 1;
    this.#pausedAt = performance.now();
    this.#tap.pause();
  }

  #resume(): void {
    if (this.#pausedAt === undefined) return;
    this.#pausedAt = undefined;
    this.#lastByteAt = performance.now();
    this.#tap.resume();
  }

  #relax(): void {
    if (!this.#ending && this.queuedBytes <= this.#softBytes() / 2) this.#resume();
  }

  #end(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    if (ending.kind === 'stopped') this.#pause();
    this.#pump();
  }

  #fail(error: unknown): void {
    this.#ending = { kind: 'failed', error };
    this.#queue.clear();
    this.#pause();
    this.#pump();
  }

  /** Starts writes while there is something to write and room for it, and settles at the end. */
  #pump(): void {
    if (!this.#sink) return;
    while (this.#writes < bodyLimits.writesInFlight) {
      // A slab that still fills waits, unless the sink has nothing to do: then even a byte goes at once,
      // and while it is written the next ones gather.
      const next = this.#queue.shift(this.#writes === 0 || this.#ending !== undefined);
      if (!next) break;
      void this.#write(this.#sink, next);
    }
    if (this.#ending && this.#writes === 0 && this.#queue.bytes === 0) {
      this.#settle?.();
      this.#settle = undefined;
    }
  }

  async #write(sink: BodySink, { slab, bytes, position }: FilledSlab): Promise<void> {
    this.#writes += 1;
    this.#writeBytes += bytes;
    try {
      await sink.write(slab.subarray(0, bytes), position);
    } catch (error) {
      this.#fail(error);
    }
    this.#pool.give(slab);
    this.#writes -= 1;
    this.#writeBytes -= bytes;
    this.#relax();
    this.#pump();
  }

  #writeOldestNow(): boolean {
    const oldest = this.#queue.shift(true);
    if (!oldest) return false;
    this.#writeNow(oldest.slab.subarray(0, oldest.bytes), oldest.position);
    this.#pool.give(oldest.slab);
    return true;
  }

  #writeNow(bytes: Uint8Array, position: number): void {
    httpCounts.overrunBytes += bytes.length;
    try {
      this.#sink?.writeSync(bytes, position);
    } catch (error) {
      this.#fail(error);
    }
  }
}
