/**
 * How far the bytes of one body are written without a gap, while writes settle in any order.
 *
 * Writes begin in order; one that fails stays in flight for ever, so the mark never passes it.
 */
export class Watermark {
  readonly #inFlight = new Set<number>();
  #end: number;

  constructor(from: number) {
    this.#end = from;
  }

  /** Everything before it is written. */
  get value(): number {
    // A set keeps the order of insertion, and writes begin in order: the first is the lowest.
    const [lowest] = this.#inFlight;
    return lowest ?? this.#end;
  }

  /** A write of `bytes` at `start` begins. RangeError when it leaves a gap or comes twice: a listener's fault. */
  begin(start: number, bytes: number): void {
    if (start !== this.#end) {
      throw new RangeError(`a body's bytes came at ${start}, ${this.#end} was next`);
    }
    this.#inFlight.add(start);
    this.#end = start + bytes;
  }

  /** The write that began at `start` is done. */
  settle(start: number): void {
    this.#inFlight.delete(start);
  }
}
