import { durationText, sizeText } from './amount.ts';
import { PROGRESS_AFTER_MS, PROGRESS_DRAW_MS, PROGRESS_LINE_MS, PROGRESS_RATE_MS } from './limits.ts';
import type { Terminal } from './terminal.ts';

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** What is counted. */
export interface Unit {
  readonly of: (done: number, total: number) => string;
  readonly perSecond: (rate: number) => string;
}

const BYTES: Unit = {
  of: (done, total) => `${sizeText(done)} of ${sizeText(total)}`,
  perSecond: (rate) => `${(rate / 1e6).toFixed(1)} MB/s`,
};

export const FILES: Unit = {
  of: (done, total) => `${done.toString()} of ${total.toString()} files`,
  perSecond: (rate) => `${Math.round(rate).toString()} files/s`,
};

/**
 * Shows how far something is that takes longer than two seconds: one line that is rewritten on a
 * terminal, a line each ten seconds elsewhere. Bytes may jump ahead (a resumed upload) and fall back
 * (a cut line); the rate counts only what was moved.
 */
export class Progress {
  readonly #terminal: Terminal;
  readonly #label: string;
  /** undefined when nobody knows: then the time that went by is shown. */
  #total: number | undefined;
  readonly #unit: Unit;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt: number;
  #saidAt: number;
  #bytes = 0;
  #moved = 0;
  #samples: Sample[] = [];

  constructor(
    terminal: Terminal,
    label: string,
    total?: number,
    now: () => number = () => performance.now(),
    unit: Unit = BYTES,
  ) {
    this.#terminal = terminal;
    this.#label = label;
    this.#total = total;
    this.#now = now;
    this.#unit = unit;
    this.#startedAt = now();
    this.#saidAt = this.#startedAt;
    this.#samples.push({ at: this.#startedAt, bytes: 0 });
    this.#timer = setInterval(() => this.tick(), PROGRESS_DRAW_MS);
    this.#timer.unref();
  }

  /** `bytes` more were moved. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#moved += bytes;
  }

  /** There turns out to be so much more of it. */
  grow(bytes: number): void {
    if (this.#total !== undefined) this.#total += bytes;
  }

  /** Corrects the position without counting it as moved: found there already, or lost with the line. */
  jump(bytes: number): void {
    this.#bytes = bytes;
  }

  /** Draws if it is time to; called by the timer. */
  tick(): void {
    const now = this.#now();
    if (now - this.#startedAt < PROGRESS_AFTER_MS) return;
    this.#samples.push({ at: now, bytes: this.#moved });
    this.#samples = this.#samples.filter((_, index, all) => {
      const next = all[index + 1];
      return next === undefined || now - next.at < PROGRESS_RATE_MS;
    });
    if (this.#terminal.interactive) {
      this.#terminal.status(this.#text(now));
    } else if (now - this.#saidAt >= PROGRESS_LINE_MS) {
      this.#saidAt = now;
      this.#terminal.note(this.#text(now));
    }
  }

  /** Takes the line away. Safe to call twice. */
  end(): void {
    clearInterval(this.#timer);
    this.#terminal.status('');
  }

  #text(now: number): string {
    if (this.#total === undefined) return `${this.#label}: ${durationText(now - this.#startedAt)}`;
    const done = Math.min(this.#bytes, this.#total);
    const percent = this.#total === 0 ? 100 : Math.floor((100 * done) / this.#total);
    const oldest = this.#samples[0];
    const seconds = oldest === undefined ? 0 : (now - oldest.at) / 1000;
    const rate = oldest === undefined || seconds <= 0 ? 0 : (this.#moved - oldest.bytes) / seconds;
    const left = rate > 0 ? `${durationText(((this.#total - done) / rate) * 1000)} left` : 'waiting';
    return (
      `${this.#label}: ${percent.toString()}%, ${this.#unit.of(done, this.#total)}, ` +
      `${this.#unit.perSecond(rate)}, ${left}`
    );
  }
}
