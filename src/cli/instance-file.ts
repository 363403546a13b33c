import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { NamedItem } from './answers.ts';
import { pieces } from './file-bytes.ts';
import { READ_BYTES } from './limits.ts';

/**
 * One instance on its way to disk: `path`.part until its last byte is there, its SHA-256 is the one
 * that was announced and all of it survives a power cut; only then is it called `path`.
 */
export class InstanceFile {
  readonly item: NamedItem;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash;
  /** Received and hashed, not yet written: many small pieces of the line make one write. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #received: number;

  private constructor(path: string, item: NamedItem, file: FileHandle, hash: Hash, received: number) {
    this.#path = path;
    this.item = item;
    this.#file = file;
    this.#hash = hash;
    this.#received = received;
  }

  /** Opens it where an earlier run stopped; what is there is hashed again, since nobody vouches for it. */
  static async open(path: string, item: NamedItem): Promise<InstanceFile> {
    const file = await open(partOf(path), 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const hash = createHash('sha256');
      if (size > item.bytes) await file.truncate(0);
      const there = size > item.bytes ? 0 : size;
      for await (const piece of pieces(file, 0, there)) hash.update(piece);
      return new InstanceFile(path, item, file, hash, there);
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  /** Bytes it has. */
  get received(): number {
    return this.#received;
  }

  get isWhole(): boolean {
    return this.#received === this.item.bytes;
  }

  /** Takes the next bytes; `bytes` is the file's own from here on. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#received += bytes.length;
    if (this.#waitingBytes >= READ_BYTES) await this.#flush();
  }

  /**
   * Ends a whole instance. False when it is not what was announced: then nothing of it is left, and it
   * has to be fetched from its first byte.
   */
  async finish(): Promise<boolean> {
    try {
      await this.#flush();
      await this.#file.sync();
      const { size } = await this.#file.stat();
      // Another size than was counted: somebody else writes here too.
      if (this.#hash.digest('hex') !== this.item.sha256 || size !== this.item.bytes) {
        await rm(partOf(this.#path), { force: true });
        return false;
      }
    } finally {
      await this.#file.close();
    }
    await rename(partOf(this.#path), this.#path);
    return true;
  }

  /** Leaves a .part that the next try goes on with. */
  async close(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      await this.#file.close();
    }
  }

  async #flush(): Promise<void> {
    const pending = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    let [first, ...rest] = pending;
    while (first !== undefined) {
      const { bytesWritten } = await this.#file.writev([first, ...rest]);
      // A write may be short, on a full disk most of all: what is left goes into the next one.
      let over = bytesWritten;
      while (first !== undefined && over >= first.length) {
        over -= first.length;
        [first, ...rest] = rest;
      }
      first = first?.subarray(over);
    }
  }
}

/** The name of what is not whole yet. */
export function partOf(path: string): string {
  return `${path}.part`;
}
