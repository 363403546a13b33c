import type { KeyRing } from '../access/key-ring.ts';
import type { Edit } from '../dicom/edit.ts';
import { growth } from '../dicom/edit.ts';
import { patch, patchNeeds } from '../dicom/patch.ts';
import { keys } from '../state/keys.ts';
import type { DeliveryRecord, InstanceRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { Storage } from '../storage/storage.ts';
import { twinsOf } from './twins.ts';

/** One instance as its mailbox gets it: the stored extents and the edits to make while sending. */
export interface TaggedInstance {
  readonly number: number;
  readonly instance: InstanceRecord;
  readonly edits: readonly Edit[];
  /** Bytes of what the receiver gets. */
  readonly bytes: number;
  /** Another instance of the transfer has its UID: what a receiver says of the UID may be about that one. */
  readonly isTwin: boolean;
}

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

  /** Opens the sealed BSN once for a run of instances. */
  of(delivery: DeliveryRecord): (number: number) => Promise<TaggedInstance> {
    const sealed = this.#state.get(keys.transfers, delivery.transfer)?.bsn ?? null;
    const bsn = sealed === null ? undefined : this.#keyRing.unseal('bsn', sealed).toString();
    const { dialect } = delivery.recipe;
    const twins = twinsOf(this.#state, delivery.transfer);
    return async (number) => {
      const instance = this.#state.get(keys.instances, [delivery.transfer, number]);
      if (instance === undefined) {
        throw new Error(`transfer ${delivery.transfer} has no instance ${number}`);
      }
      const { scan, sopInstanceUid } = instance;
      const isTwin = twins(sopInstanceUid, 1).length > 0;
      if (scan === null) {
        return { number, instance, edits: [], bytes: instance.bytes, isTwin };
      }
      const needs = patchNeeds(scan);
      const seen = needs === undefined ? undefined : await this.#read(instance, needs.start, needs.end);
      const edits = patch(scan, { dialect, bsn }, seen);
      return { number, instance, edits, bytes: instance.bytes + growth(edits), isTwin };
    };
  }

  async #read(instance: InstanceRecord, start: number, end: number): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#storage.read(instance.extents, start, end)) {
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  }
}
