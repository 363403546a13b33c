import { type FileHandle, open } from 'node:fs/promises';
import { SourceChanged } from './errors.ts';

/** What a file was when it was planned. `mtimeMs` is null until it was seen for the first time. */
export interface SourceStamp {
  readonly path: string;
  readonly bytes: number;
  mtimeMs: number | null;
}

/** The file that is being sent: one is open at a time, held against its stamp before and after each read. */
export class SourceFile {
  #file: FileHandle | undefined;
  #stamp: SourceStamp | undefined;

  /** Fills `into` from `position` of the file that `stamps[index]` names. Rejects SourceChanged. */
  async read(
    stamps: readonly SourceStamp[],
    index: number,
    into: Uint8Array,
    position: number,
  ): Promise<void> {
    const stamp = stamps[index];
    if (stamp === undefined) throw new RangeError(`there is no file ${index.toString()}`);
    const file = await this.#opened(stamp);
    let done = 0;
    while (done < into.byteLength) {
      const { bytesRead } = await file.read(into, done, into.byteLength - done, position + done);
      if (bytesRead === 0) throw new SourceChanged(stamp.path, 'it is shorter than it was');
      done += bytesRead;
    }
  }

  /** Rejects SourceChanged when the open file is not any more what its stamp says. */
  async verify(): Promise<void> {
    const stamp = this.#stamp;
    if (this.#file === undefined || stamp === undefined) return;
    const { size, mtimeMs } = await this.#file.stat();
    stamp.mtimeMs ??= mtimeMs;
    if (size !== stamp.bytes) throw new SourceChanged(stamp.path, 'its size is another one');
    if (mtimeMs !== stamp.mtimeMs) throw new SourceChanged(stamp.path, 'it was written to');
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#stamp = undefined;
    await file?.close();
  }

  async #opened(stamp: SourceStamp): Promise<FileHandle> {
    if (this.#file !== undefined && this.#stamp === stamp) return this.#file;
    await this.verify();
    await this.close();
    this.#file = await open(stamp.path, 'r').catch((cause: unknown) => {
      throw new SourceChanged(stamp.path, 'it cannot be opened any more', cause);
    });
    this.#stamp = stamp;
    await this.verify();
    return this.#file;
  }
}
