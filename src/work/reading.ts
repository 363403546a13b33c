import { DatasetWalk } from '../dicom/completeness.ts';
import { deflatedAt } from '../dicom/deflated.ts';
import { DicomError } from '../dicom/error.ts';
import { type Identity, identify } from '../dicom/identity.ts';
import { IDENTITY_BYTES } from '../dicom/limits.ts';
import { patchReach } from '../dicom/patch.ts';
import { type Form, type Scan, scan } from '../dicom/scan.ts';
import type { Inspection, InspectionFault } from './jobs.ts';

/** What reading an instance finds: all of an inspection but the digests. */
export type Found = Omit<Inspection, 'sha256' | 'crc32'>;

/**
 * Reads one instance in one pass over its bytes: the scan of its head, who it is about, and the walk that
 * tells whether the rest is whole. Keeps bytes only until the head is read.
 */
export class Reading {
  readonly #bytes: number;
  readonly #form: Form;
  readonly #head = new Head();
  #fed = 0;
  /** The next look at the head is at so many bytes, neither more nor fewer, however they come. */
  #need: number;
  #scan: Scan | undefined;
  #identity: Identity | undefined;
  #walk: DatasetWalk | undefined;
  #fault: InspectionFault | undefined;
  #deflated = false;

  /** @param bytes of the whole instance, in the form it is fed in */
  constructor(bytes: number, form: Form = 'stored') {
    this.#bytes = bytes;
    this.#form = form;
    this.#need = Math.min(bytes, IDENTITY_BYTES);
  }

  /** Bytes that are kept until the head can be read. */
  get headBytes(): number {
    return this.#head.bytes;
  }

  /** What is wrong so far. */
  get fault(): InspectionFault | undefined {
    return this.#fault;
  }

  /** The head cannot be read; nothing that is fed now changes that. */
  get isUnreadable(): boolean {
    return this.#fault !== undefined && this.#scan === undefined;
  }

  /** The first bytes of the instance, in which every edit of a patch lies; undefined until they are known. */
  get patchedBytes(): number | undefined {
    if (this.#scan === undefined || this.#identity === undefined) return undefined;
    const ends = this.#identity.foreign.map(({ at, bytes }) => at + bytes);
    return Math.min(this.#bytes, Math.max(this.#need, patchReach(this.#scan), ...ends));
  }

  /** The next bytes; they are copied if they are needed longer. */
  feed(chunk: Uint8Array): void {
    this.#fed += chunk.byteLength;
    this.#guarded(() => {
      if (this.#walk !== undefined) this.#walk.feed(chunk);
      else this.#look(chunk);
    });
  }

  /** The result. Throws RangeError when other than the announced number of bytes were fed. */
  finish(): Found {
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
    return {
      scan: this.#scan,
      identity: this.#identity,
      ...(this.#fault !== undefined && { error: this.#fault }),
      ...(this.#deflated && { deflated: true }),
    };
  }

  /** Reads the head once its bytes are here; what of the chunk lies behind it is the walk's. */
  #look(chunk: Uint8Array): void {
    const at = this.#fed - chunk.byteLength;
    while (this.#fed >= this.#need) {
      const window = this.#head.upTo(this.#need, chunk, at);
      const found = this.#scanned(window);
      if (!('need' in found)) {
        this.#scan = found;
        this.#identity = identify(window, found);
        this.#walk = new DatasetWalk(found, this.#bytes);
        if (at === 0) {
          this.#walk.feed(chunk);
        } else {
          this.#walk.feed(window);
          this.#walk.feed(chunk.subarray(this.#need - at));
        }
        this.#head.drop();
        return;
      }
      this.#need = found.need;
    }
    this.#head.keep(chunk, at, this.#need);
  }

  #scanned(window: Uint8Array): Scan | { need: number } {
    try {
      return scan(window, this.#bytes, this.#form);
    } catch (thrown) {
      const unsupported = thrown instanceof DicomError && thrown.code === 'SYNTAX_UNSUPPORTED';
      this.#deflated = unsupported && typeof deflatedAt(window, this.#bytes) === 'number';
      throw thrown;
    }
  }

  /** After a fault nothing is read any more. */
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
  #kept = NOTHING;

  get bytes(): number {
    return this.#kept.byteLength;
  }

  /** The bytes [0, need), of which the chunk has those from `at` on. Not copied when it has all of them. */
  upTo(need: number, chunk: Uint8Array, at: number): Uint8Array {
    if (at === 0) return chunk.subarray(0, need);
    this.keep(chunk.subarray(0, need - at), at, need);
    return this.#kept.subarray(0, need);
  }

  /** Copies the chunk to `at`. The room grows with what came, since `need` is only a file's word. */
  keep(chunk: Uint8Array, at: number, need: number): void {
    const end = at + chunk.byteLength;
    if (end > this.bytes) {
      const grown = Buffer.allocUnsafeSlow(Math.min(need, Math.max(end, 2 * this.bytes)));
      this.#kept.copy(grown, 0, 0, at);
      this.#kept = grown;
    }
    this.#kept.set(chunk, at);
  }

  drop(): void {
    this.#kept = NOTHING;
  }
}

/** One for all: most instances keep nothing, their head lies in the first chunk. */
const NOTHING = Buffer.alloc(0);

/** What is wrong with an instance, without the error's stack. */
export function dicomFault({ code, tag, offset, reason }: DicomError): InspectionFault {
  return { code, tag, offset, reason };
}

/** What a thrown thing says against an instance. */
function faultOf(thrown: unknown, offset: number): InspectionFault {
  if (thrown instanceof DicomError) {
    return dicomFault(thrown);
  }
  // A fault of ours must not take the other instances of a batch with it, nor be tried for ever. The
  // message of an unknown error could hold a value, its name cannot.
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return { code: 'INSPECTION_FAILED', tag: '', offset, reason: `the inspection failed (${name})` };
}
