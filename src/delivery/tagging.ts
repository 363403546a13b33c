import type { KeyRing } from '../access/key-ring.ts';
import { writesNothing } from '../dicom/dialect.ts';
import type { Edit } from '../dicom/edit.ts';
import { type Patch, type PatchRecipe, patch, patchNeeds } from '../dicom/patch.ts';
import { type Scan, scan } from '../dicom/scan.ts';
import { keys } from '../state/keys.ts';
import type { DeliveryRecord, InstanceRecord, Recipe } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { Extent, Storage } from '../storage/storage.ts';
import { composedBytes, storedInstance } from '../study/composing.ts';
import { scanBytes } from './limits.ts';
import { selectionOf } from './selection.ts';
import { twinsOf } from './twins.ts';

/** One item as its mailbox gets it: the stored extents and the edits to make while sending. */
export interface TaggedInstance {
  /** Its place in the delivery, by which ledger and digests count. */
  readonly position: number;
  readonly instance: InstanceRecord;
  readonly edits: readonly Edit[];
  /** Bytes of what the receiver gets. */
  readonly bytes: number;
  /** Another instance of the transfer has its UID: what a receiver says of the UID may be about that one. */
  readonly isTwin: boolean;
  /** Why it goes as it was sent though the recipe changes it; null when it does not. */
  readonly refused: Patch['refused'];
}

/** (0400,0563): who changes what came. */
const modifyingSystem = 'SLUIS';

/** Computes patches while sending. They hold the BSN, so nothing here is stored or logged. */
export class Tagging {
  readonly #state: State;
  readonly #storage: Storage;
  readonly #keyRing: KeyRing;

  constructor(parts: { state: State; storage: Storage; keyRing: KeyRing }) {
    this.#state = parts.state;
    this.#storage = parts.storage;
    this.#keyRing = parts.keyRing;
  }

  /** Opens the sealed BSN once for a run of items, which are asked for by their positions in the delivery. */
  of(delivery: DeliveryRecord): (position: number) => Promise<TaggedInstance> {
    const { transfer, recipe } = delivery;
    const bsn = recipe.bsn === null ? undefined : this.#keyRing.unseal('bsn', recipe.bsn).toString();
    const selection = selectionOf(this.#state, delivery);
    const twins = twinsOf(this.#state, transfer);
    return async (position) => {
      const number = selection.numberAt(position);
      const instance = this.#state.get(keys.instances, [transfer, number]);
      if (instance === undefined) {
        throw new Error(`transfer ${transfer} has no instance ${number}`);
      }
      const { edits, refused } = await this.#patch(instance, recipe, bsn);
      const bytes = composedBytes(storedInstance(instance), edits);
      const isTwin = twins(instance.sopInstanceUid, 1).length > 0;
      return { position, instance, edits, bytes, isTwin, refused };
    };
  }

  async #patch(instance: InstanceRecord, recipe: Recipe, bsn: string | undefined): Promise<Patch> {
    const { dialect, issuer, patientId, modifiedAt } = recipe;
    const foreign = recipe.nestedIdentity === 'strip' ? instance.foreign.filter(isPrivate) : [];
    if (instance.scan === null || (writesNothing(dialect) && foreign.length === 0)) {
      return { edits: [], refused: null };
    }
    const found = isOfToday(instance.scan) ? instance.scan : await this.#scanAgain(instance);
    const needs = patchNeeds(found);
    const seen = needs === undefined ? undefined : await this.#read(instance, needs.start, needs.end);
    const wanted: PatchRecipe = {
      dialect,
      bsn,
      patientId,
      foreign,
      record: { modifiedAt, modifyingSystem, source: issuer?.issuerOfPatientId ?? '' },
      ...(issuer === null ? {} : { issuer }),
    };
    return patch(found, wanted, seen);
  }

  /** An earlier version scanned it and did not look for everything that a patch has to know today. */
  async #scanAgain(instance: InstanceRecord): Promise<Scan> {
    let need = Math.min(scanBytes, instance.bytes);
    for (;;) {
      const found = scan(await this.#read(instance, 0, need), instance.bytes);
      if (!('need' in found)) {
        return found;
      }
      need = found.need;
    }
  }

  /** The bytes [start, end) in the form that the scan counts in. */
  async #read(
    { extents, inflated }: Pick<InstanceRecord, 'extents' | 'inflated'>,
    start: number,
    end: number,
  ): Promise<Uint8Array> {
    const from: readonly Extent[] = inflated === null ? extents : [inflated.head];
    const chunks: Buffer[] = [];
    for await (const chunk of this.#storage.read(from, start, end)) {
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  }
}

/** An odd group: nobody but its maker knows what is in it, and an object is whole without it (PS3.5 section 7.8). */
function isPrivate({ tag }: InstanceRecord['foreign'][number]): boolean {
  return ((tag >>> 16) & 1) === 1;
}

function isOfToday({ sites }: Scan): boolean {
  return 'groups' in sites;
}
