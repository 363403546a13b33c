import { UploadNotFound } from './errors.ts';

/** Who reads an upload now, so that its removal ends that at once. */
export class Readers {
  readonly #reading = new Map<string, Set<{ ended: boolean }>>();

  /** The chunks, until the upload is removed: then throws UploadNotFound, and the answer is cut. */
  async *follow(upload: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reading = { ended: false };
    const all = this.#reading.get(upload) ?? new Set();
    this.#reading.set(upload, all.add(reading));
    try {
      for await (const chunk of chunks) {
        if (reading.ended) {
          throw new UploadNotFound();
        }
        yield chunk;
      }
    } finally {
      all.delete(reading);
      if (all.size === 0 && this.#reading.get(upload) === all) {
        this.#reading.delete(upload);
      }
    }
  }

  /** It is gone. */
  end(upload: string): void {
    for (const reading of this.#reading.get(upload) ?? []) {
      reading.ended = true;
    }
    this.#reading.delete(upload);
  }
}
