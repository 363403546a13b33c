import type { FileHandle } from 'node:fs/promises';

/** What is written to; whoever wants to know only what comes of it gives one that keeps nothing. */
export type Output = Pick<OutputFile, 'bytes' | 'write'>;

/** A file that is written from its first byte on. */
export class OutputFile {
  readonly #file: FileHandle;
  #bytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends all of `chunk`: a nearly full disk takes a part of a write, and says so only to the next. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.byteLength; ) {
      const left = chunk.byteLength - done;
      const { bytesWritten } = await this.#file.write(chunk, done, left, this.#bytes);
      done += bytesWritten;
      this.#bytes += bytesWritten;
    }
  }

  /** Begins anew, whatever the file holds. */
  async empty(): Promise<void> {
    this.#bytes = 0;
    if ((await this.#file.stat()).size > 0) await this.#file.truncate(0);
  }

  /** Resolves when what was written survives a power cut. */
  async sync(): Promise<void> {
    await this.#file.datasync();
  }
}
