import { asError } from '../ops/error.ts';
import type { NamedItem } from './answers.ts';
import type { InstanceFile } from './instance-file.ts';
import { SYNCS_MAX } from './limits.ts';
import type { StudyFolder } from './study-folder.ts';

/** An instance of which bytes are missing, from byte `have` of it on. */
export interface Missing {
  readonly item: NamedItem;
  readonly have: number;
}

/**
 * Cuts the stream of a delivery's content into the instances that are missing, and passes over all
 * else: the lines between parts, what is here already. The fsync of an instance runs while the next
 * ones stream.
 */
export class ContentWriter {
  readonly #folder: StudyFolder;
  readonly #missing: readonly Missing[];
  readonly #onBytes: (bytes: number) => void;
  readonly #finishing = new Set<Promise<void>>();
  /** Whole, verified and under their own names. */
  readonly finished: NamedItem[] = [];
  /** Whole, and not with the SHA-256 that was announced. */
  readonly different: NamedItem[] = [];
  #failure: Error | undefined;
  /** Index into #missing of what is written now or next. */
  #next = 0;
  #file: InstanceFile | undefined;
  #position = 0;

  /** @param missing in the order of the content */
  constructor(folder: StudyFolder, missing: readonly Missing[], onBytes: (bytes: number) => void) {
    this.#folder = folder;
    this.#missing = missing;
    this.#onBytes = onBytes;
  }

  /** Says where in the content the first byte lies that will be written. */
  begin(position: number): void {
    this.#position = position;
  }

  /** Takes the next bytes of the content. Rejects with what the disk says. */
  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const next = this.#missing[this.#next];
      const from =
        next === undefined
          ? Number.POSITIVE_INFINITY
          : next.item.offset + (this.#file?.received ?? next.have);
      const skip = Math.min(Math.max(from - this.#position, 0), rest.length);
      this.#position += skip;
      rest = rest.subarray(skip);
      if (next === undefined || rest.length === 0) continue;
      this.#file ??= await this.#folder.openFile(next.item);
      const piece = rest.subarray(0, next.item.bytes - this.#file.received);
      await this.#file.write(piece);
      this.#position += piece.length;
      rest = rest.subarray(piece.length);
      this.#onBytes(piece.length);
      if (this.#file.isWhole) await this.#finish(this.#file);
    }
  }

  /** Ends, after the last byte or a cut: what is not whole stays as a .part. Rejects with what the disk said. */
  async end(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } finally {
      await Promise.all(this.#finishing);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #finish(file: InstanceFile): Promise<void> {
    this.#file = undefined;
    this.#next += 1;
    const finishing = file
      .finish()
      .then(
        (same) => {
          (same ? this.finished : this.different).push(file.item);
        },
        (thrown: unknown) => {
          this.#failure ??= asError(thrown);
        },
      )
      .finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
    if (this.#finishing.size >= SYNCS_MAX) await Promise.race(this.#finishing);
    if (this.#failure !== undefined) throw this.#failure;
  }
}
