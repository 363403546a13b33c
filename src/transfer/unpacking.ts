import type { Inflated, UploadRecord } from '../state/records.ts';
import type { Extent, ObjectId, Storage } from '../storage/storage.ts';
import type { ZipEntry } from '../study/package.ts';
import type { InflateJob, InflateResult, Inspection } from '../work/jobs.ts';
import type { WorkPool } from '../work/pool.ts';
import type { DerivedObjects } from './derived-objects.ts';
import { inflatedRatioExpected, ratioMax } from './limits.ts';

/** One look at some parts: whose they are, when to stop, and what was made on the way. */
export interface Look {
  readonly upload: UploadRecord;
  readonly transfer: string;
  readonly signal: AbortSignal;
  /** Derived objects; those that no finding refers to in the end are dropped. */
  readonly made: Set<ObjectId>;
}

/** Where something lies, and how much it is. */
export interface Packed {
  readonly extents: readonly Extent[];
  readonly bytes: number;
}

/** Where the content of a part lies, and what is known of it. */
export interface Content extends Packed {
  readonly inspection: Inspection;
}

interface UnpackingParts {
  readonly storage: Storage;
  readonly pool: Pick<WorkPool, 'inflate'>;
  readonly derivedObjects: Pick<DerivedObjects, 'make'>;
  readonly limits: { readonly instanceBytesMax: number };
}

/** Unpacks what is no byte range of an upload, a deflated entry or a deflated dataset, once, into a derived object. */
export class Unpacking {
  readonly #parts: UnpackingParts;

  constructor(parts: UnpackingParts) {
    this.#parts = parts;
  }

  /** An entry that is deflated becomes an object of its own: then it is bytes like any other. */
  async entry(look: Look, packed: Packed, { bytes: unpacked, crc32 }: ZipEntry): Promise<Content> {
    const { instanceBytesMax } = this.#parts.limits;
    const room = Math.min(unpacked, instanceBytesMax);
    const { object, result } = await this.#make(look, room, packed, {
      of: 'entry',
      crc32,
      bytes: unpacked,
    });
    const { bytes, inspection } = result;
    // What cannot be unpacked is shown as it was sent.
    return bytes === 0 && inspection.error !== undefined
      ? { ...packed, inspection }
      : { extents: [{ object, start: 0, bytes }], bytes, inspection };
  }

  /**
   * So that its head can be read and patched; null when it cannot. What a receiver gets without a patch is
   * still the original.
   */
  async dataset(
    look: Look,
    packed: Packed,
  ): Promise<{ readonly inspection: Inspection; readonly inflated: Inflated | null }> {
    const room = Math.min(this.#parts.limits.instanceBytesMax, packed.bytes * inflatedRatioExpected);
    const { object, result } = await this.#make(look, room, packed, { of: 'dataset' });
    const { inspection, inflated } = result;
    if (inflated === undefined) {
      return { inspection, inflated: null };
    }
    const { headBytes, tailBytes, bytes } = inflated;
    const head = { object, start: 0, bytes: headBytes };
    return { inspection, inflated: { head, tail: { object, start: headBytes, bytes: tailBytes }, bytes } };
  }

  async #make(
    { transfer, signal, made }: Look,
    room: number,
    { extents, bytes }: Packed,
    what: Pick<InflateJob, 'of' | 'crc32' | 'bytes'>,
  ): Promise<{ readonly object: ObjectId; readonly result: InflateResult }> {
    const { storage, pool, derivedObjects, limits } = this.#parts;
    const { instanceBytesMax: bytesMax } = limits;
    const making = await storage.lend(extents, 0, bytes, (ranges) =>
      derivedObjects.make(transfer, room, ({ path }) =>
        pool.inflate({ ...what, ranges, into: path, bytesMax, ratioMax }, signal),
      ),
    );
    made.add(making.object);
    return making;
  }
}
