import { createHash } from 'node:crypto';
import { DatasetWalk } from '../dicom/completeness.ts';
import { DicomError } from '../dicom/error.ts';
import { type Identity, identify } from '../dicom/identity.ts';
import { type Scan, scan } from '../dicom/scan.ts';
import type { Inspection, InspectionFault } from './jobs.ts';

/**
 * Looks at one instance in one pass over its bytes: SHA-256 of all of them, the scan of its head, and
 * the walk that tells whether the rest is whole. Keeps bytes only until the head is read.
 */
export class Inspector {
  readonly #bytes: number;
  readonly #hash = createHash('sha256');
  readonly #head = new Head();
  #fed = 0;
  #scan: Scan | undefined;
  #identity: Identity | undefined;
  #walk: DatasetWalk | undefined;
  #fault: InspectionFault | undefined;

  /** @param bytes of the whole instance */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** The next bytes; they are copied if they are needed longer. */
  feed(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#fed += chunk.byteLength;
    this.#guarded(() => {
      if (this.#walk !== undefined) this.#walk.feed(chunk);
      else this.#look(this.#head.add(chunk));
    });
  }

  /** The result. Throws RangeError when other than the announced number of bytes were fed. */
  finish(): Inspection {
    if (this.#fed !== this.#bytes) {
      throw new RangeError(`${this.#fed.toString()} of ${this.#bytes.toString()} bytes were fed`);
    }
    this.#guarded(() => {
      // Only an instance without any bytes was never looked at.
      if (this.#walk === undefined) this.#look(new Uint8Array(0));
      const end = this.#walk?.end();
      if (end !== undefined && !end.complete) {
        this.#fault = { code: end.code, tag: end.tag, offset: end.offset, reason: end.reason };
      }
    });
    const found = { scan: this.#scan, identity: this.#identity, sha256: this.#hash.digest() };
    return this.#fault === undefined ? found : { ...found, error: this.#fault };
  }

  #look(window: Uint8Array | undefined): void {
    if (window === undefined) return;
    const found = scan(window, this.#bytes);
    if ('need' in found) {
      this.#head.keep(window, found.need);
      return;
    }
    this.#scan = found;
    this.#identity = identify(window, found);
    this.#walk = new DatasetWalk(found, this.#bytes);
    this.#walk.feed(window);
    this.#head.drop();
  }

  /** After a fault only the hash goes on. */
  #guarded(step: () => void): void {
    if (this.#fault !== undefined) return;
    try {
      step();
    } catch (thrown) {
      this.#fault = faultOf(thrown, this.#fed);
      this.#head.drop();
    }
  }
}

/** The first bytes of an instance, kept until there are as many as the scan asks for. */
class Head {
  #kept: Buffer[] = [];
  #bytes = 0;
  #need = 0;

  /** All bytes so far when they are enough; else undefined. The first chunk is not copied. */
  add(chunk: Uint8Array): Uint8Array | undefined {
    if (this.#bytes === 0) return chunk;
    this.#kept.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    return this.#bytes < this.#need ? undefined : Buffer.concat(this.#kept, this.#bytes);
  }

  keep(window: Uint8Array, need: number): void {
    this.#kept = [Buffer.from(window)];
    this.#bytes = window.byteLength;
    this.#need = need;
  }

  drop(): void {
    this.#kept = [];
    this.#bytes = 0;
  }
}

function faultOf(thrown: unknown, offset: number): InspectionFault {
  if (thrown instanceof DicomError) {
    return { code: thrown.code, tag: thrown.tag, offset: thrown.offset, reason: thrown.reason };
  }
  // A fault of ours must not take the other instances of a batch with it, nor be tried for ever. The
  // message of an unknown error could hold a value, its name cannot.
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return { code: 'INSPECTION_FAILED', tag: '', offset, reason: `the inspection failed (${name})` };
}
