/** Random access to what is published of an upload: the bytes [start, end). */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** Looks ahead in an upload, and reads again only what the last read did not hold. */
export class Peek {
  readonly published: number;
  readonly #read: ReadRange;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(read: ReadRange, published: number) {
    this.#read = read;
    this.published = published;
  }

  /** From `least` to `most` bytes at `at`; fewer only where the published ones end. */
  async at(at: number, least: number, most: number): Promise<Uint8Array> {
    if (at >= this.published) return new Uint8Array(0);
    const needed = Math.min(at + least, this.published);
    const wanted = Math.min(at + most, this.published);
    if (at < this.#start || needed > this.#start + this.#bytes.byteLength) {
      this.#bytes = await this.#read(at, wanted);
      this.#start = at;
    }
    return this.#bytes.subarray(at - this.#start, wanted - this.#start);
  }
}
