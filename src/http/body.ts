import assert from 'node:assert';
import { BodyStopped, BodyTooLarge, PeerGone } from './errors.ts';
import type { BodySink, RequestBody } from './exchange.ts';
import { type BodyTimers, bodyLimits, bodyTimers } from './limits.ts';
import { httpCounts } from './metrics.ts';
import { type FilledSlab, SlabQueue } from './slab-queue.ts';
import type { SlabPool } from './slabs.ts';
import type { Passer } from './turnstile.ts';

/** The socket end of a body, as a listener gives it. They do nothing once the connection is gone. */
export interface Tap {
  /** Stops reading. No hard stop: uWS still delivers what it has read, up to many mebibytes. */
  pause(): void;
  resume(): void;
  /** Has a reset noticed while paused, and says true; false where only reading comes to it. */
  look(): boolean;
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
 * the soft limit the peer is resumed. While its sink is quick a fast body waits nowhere (SinkPace). Fast bodies
 * are read in turns, so that their bursts do not follow each other (Turnstile).
 */
export class IncomingBody implements RequestBody, Passer {
  // Set once at start.
  readonly length: number | undefined;
  readonly #tap: Tap;
  readonly #queue: SlabQueue;
  readonly #pool: SlabPool;
  readonly #timers: BodyTimers;
  readonly #startedAt = performance.now();
  // Moved by the socket.
  #whole: boolean;
  #arrived = 0;
  #lastByteAt = this.#startedAt;
  #windowAt = this.#startedAt;
  #windowBytes = 0;
  #fast = false;
  #pausedAt: number | undefined;
  /** Paused, but read on to find out whether the peer has ended. */
  #looking = false;
  /** Paused by the turnstile, whatever the queue says. */
  #heldBack = false;
  /** The turn of the loop in which a burst had filled the queue. */
  #burstTurn: number | undefined;
  // Moved by the sweep: how long the peer could send, and what it did.
  #sweptAt = this.#startedAt;
  #flowedMs = 0;
  #flowedBytes = 0;
  // Moved by whoever reads.
  #taken = false;
  #sink: BodySink | undefined;
  #settle: (() => void) | undefined;
  #ending: Ending | undefined;
  #writes = 0;
  #writeBytes = 0;

  /** `length` as in RequestBody; 0 is a request without a body. */
  constructor(length: number | undefined, tap: Tap, pool: SlabPool, timers: BodyTimers = bodyTimers) {
    this.length = length;
    this.#timers = timers;
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

  /** True for a fast body that had to be read in turns with others. */
  get crowded(): boolean {
    return this.#fast && this.#pool.turnstile.crowded;
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
    this.#flowedBytes += chunk.length;
    httpCounts.bodyBytes += chunk.length;
    this.#pool.turnstile.count(chunk.length, this);
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
    this.#leaveTurnstile();
  }

  /** Called about twice a second: has a reset noticed while paused, and cuts a peer that is idle or trickles. */
  sweep(now: number): void {
    if (this.#whole) return;
    const { idleMs, pauseMs } = this.#timers;
    // Once the exchange is answered nobody waits for its body; the answer has an idle limit of its own.
    const awaited = this.#ending?.kind !== 'gone';
    const unread = !this.#taken && now - this.#startedAt > idleMs;
    const silent = this.#pausedAt === undefined && now - this.#lastByteAt > idleMs;
    const trickles = this.#trickles(now);
    if (awaited && (unread || silent || trickles)) {
      if (unread || silent) httpCounts.idleCuts += 1;
      else httpCounts.rateCuts += 1;
      this.#tap.cut();
    } else if (this.#pausedAt !== undefined && now - this.#pausedAt >= pauseMs) {
      const seen = this.#tap.look();
      // Its turn comes, and with it what there is to see.
      if (this.#heldBack || !this.#roomToLook(seen)) return;
      this.#looking = seen;
      this.#pausedAt = now;
      this.#tap.resume();
    }
  }

  // ── for the turnstile ──

  holdBack(): boolean {
    if (this.#ending || this.#pausedAt !== undefined) return false;
    this.#heldBack = true;
    this.#pause();
    return true;
  }

  letGo(): void {
    this.#heldBack = false;
    if (this.#mayFlow()) this.#resume();
  }

  // ── inside ──

  /** True when the time in which the peer could send has come to `rateMs`, and what it sent to too little. */
  #trickles(now: number): boolean {
    const { rateMs, rateBytes } = this.#timers;
    if (this.#pausedAt === undefined) this.#flowedMs += now - this.#sweptAt;
    this.#sweptAt = now;
    if (this.#flowedMs < rateMs) return false;
    const slow = this.#flowedBytes < rateBytes;
    this.#flowedMs = 0;
    this.#flowedBytes = 0;
    return slow;
  }

  /** Whether a paused peer may be read, to notice its end. `seen`: a reset is noticed without. */
  #roomToLook(seen: boolean): boolean {
    // A body held for a slow handler has nowhere to be written to: only one that brings little is read further.
    if (!this.#taken) return !this.#pool.crowded && this.#queue.bytes < bodyLimits.heldLookBytes;
    return !seen || this.queuedBytes < this.#lookBytes();
  }

  /** How full the queue may get by looking: not so full that a sink which hangs is written to synchronously. */
  #lookBytes(): number {
    return this.#pool.crowded
      ? bodyLimits.queueBytesCrowded
      : bodyLimits.queueBytesHard - bodyLimits.slabBytesMax;
  }

  /** Bytes that come before the handler has asked for them. */
  #hold(chunk: Uint8Array): void {
    const fits = this.#queue.bytes + chunk.length <= bodyLimits.queueBytesHard;
    const kept = fits ? this.#queue.append(chunk, this.#arrived, 'held') : 0;
    this.#arrived += kept;
    this.#notePeak();
    if (kept === chunk.length) {
      this.#pause();
      return;
    }
    // At once, not when the cut is reported: node still delivers what it has read, and a smaller chunk
    // would find room behind the gap.
    httpCounts.heldCuts += 1;
    this.#end({ kind: 'gone' });
    this.#tap.cut();
  }

  /** Bytes for a reader that is there. */
  #take(chunk: Uint8Array): void {
    if (this.#writesDirectly(chunk.length)) {
      const position = this.#arrived;
      this.#arrived += chunk.length;
      httpCounts.directBytes += chunk.length;
      this.#writeNow(chunk, position);
      this.#pauseOrRelax(false);
      return;
    }
    const { turn } = this.#pool.turnstile;
    if (this.queuedBytes + chunk.length > bodyLimits.queueBytesHard) this.#burstTurn = turn;
    if (this.#burstTurn === turn) {
      this.#takeOfBurst(chunk);
      return;
    }
    const kept = this.#queue.append(chunk, this.#arrived, this.#slabBytes());
    const rest = { bytes: chunk.subarray(kept), position: this.#arrived + kept };
    this.#arrived += chunk.length;
    this.#notePeak();
    if (rest.bytes.length > 0) {
      // The slabs before it first: a sink is given its bytes in their order.
      while (this.#overrun());
      if (!this.#ending) {
        httpCounts.overrunBytes += rest.bytes.length;
        this.#writeNow(rest.bytes, rest.position);
      }
    }
    this.#pump();
    this.#pauseOrRelax(this.queuedBytes >= this.#fullBytes());
  }

  /**
   * The rest of a burst, which has filled the queue: what comes in this turn of the loop is not copied any more.
   * Where writes are under way they say when to read on, so that a slow sink still slows its peer.
   */
  #takeOfBurst(chunk: Uint8Array): void {
    while (this.#overrun());
    if (this.#ending) return;
    const position = this.#arrived;
    this.#arrived += chunk.length;
    httpCounts.overrunBytes += chunk.length;
    this.#writeNow(chunk, position);
    this.#pauseOrRelax(this.#writes > 0);
  }

  /** A chunk that came although we had paused is paused again: that also stops uWS's 10 s timer. */
  #pauseOrRelax(full: boolean): void {
    if (full || this.#heldBack) this.#pause();
    else this.#relax();
  }

  #notePeak(): void {
    if (this.queuedBytes > httpCounts.bodyQueueBytesPeak) httpCounts.bodyQueueBytesPeak = this.queuedBytes;
  }

  #writesDirectly(bytes: number): boolean {
    // A chunk as large as a slab is worth a call of its own, whatever came before.
    if ((!this.#fast && bytes < bodyLimits.slabBytesMin) || this.queuedBytes > 0) return false;
    if (!this.#pool.pace.quick(performance.now())) return false;
    return this.#sink?.writesAtOnce?.(bytes, this.#arrived) ?? false;
  }

  #measure(bytes: number, now: number): void {
    if (now - this.#windowAt > bodyLimits.fastMs) {
      this.#fast = this.#windowBytes >= bodyLimits.fastBytes;
      this.#windowAt = now;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    if (this.#windowBytes >= bodyLimits.fastBytes) this.#fast = true;
    if (bytes >= bodyLimits.turnChunkBytes) this.#pool.turnstile.join(this);
  }

  #slabBytes() {
    return this.#fast ? bodyLimits.slabBytesMax : bodyLimits.slabBytesMin;
  }

  #softBytes(): number {
    return this.#pool.crowded ? bodyLimits.queueBytesCrowded : bodyLimits.queueBytesSoft;
  }

  #fullBytes(): number {
    if (this.#looking) return this.#lookBytes();
    return this.#pausedAt === undefined ? this.#softBytes() : this.#softBytes() / 2;
  }

  #pause(): void {
    if (this.#whole) return;
    this.#looking = false;
    if (this.#pausedAt === undefined) httpCounts.pauses += 1;
    this.#pausedAt = performance.now();
    this.#tap.pause();
  }

  #resume(): void {
    if (this.#pausedAt === undefined) return;
    this.#pausedAt = undefined;
    this.#looking = false;
    this.#lastByteAt = performance.now();
    this.#tap.resume();
  }

  #relax(): void {
    if (this.#pausedAt === undefined || this.#heldBack || !this.#mayFlow()) return;
    if (this.#pool.turnstile.admits(this)) this.#resume();
    else this.#heldBack = true;
  }

  #leaveTurnstile(): void {
    this.#heldBack = false;
    this.#pool.turnstile.leave(this);
  }

  #mayFlow(): boolean {
    return !this.#ending && this.queuedBytes <= this.#softBytes() / 2;
  }

  #end(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    this.#leaveTurnstile();
    if (ending.kind === 'stopped') this.#pause();
    this.#pump();
  }

  #fail(error: unknown): void {
    this.#ending = { kind: 'failed', error };
    this.#leaveTurnstile();
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

  /** Writes the oldest slab at once; false when there is none. */
  #overrun(): boolean {
    const oldest = this.#queue.shift(true);
    if (!oldest) return false;
    httpCounts.overrunBytes += oldest.bytes;
    this.#writeNow(oldest.slab.subarray(0, oldest.bytes), oldest.position);
    this.#pool.give(oldest.slab);
    return true;
  }

  #writeNow(bytes: Uint8Array, position: number): void {
    const beganAt = performance.now();
    try {
      this.#sink?.writeSync(bytes, position);
    } catch (error) {
      this.#fail(error);
    }
    const now = performance.now();
    this.#pool.pace.note(bytes.length, now - beganAt, now);
  }
}
