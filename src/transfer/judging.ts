import { setImmediate as nextTurn } from 'node:timers/promises';
import { keys } from '../state/keys.ts';
import type { TransferRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { Judgement } from './judgement.ts';
import { instancesPerTurn, judgementsMax } from './limits.ts';
import { Manifest } from './manifest.ts';

/** Judges transfers by their items, and remembers what it found of those that could not be decided yet. */
export class Judging {
  readonly #state: State;
  /** Those looked at last behind. */
  readonly #judgements = new Map<string, Judgement>();

  constructor(state: State) {
    this.#state = state;
  }

  /** Goes on where the last look ended; after so many other transfers it begins anew. */
  async judge(transfer: TransferRecord): Promise<Judgement> {
    const { id, expected, instances } = transfer;
    const judgement = this.#remembered(id, expected);
    while (judgement.next < instances) {
      // Read for each turn, so that however many transfers are looked at, there is one manifest in memory.
      const sealed = expected === null ? undefined : this.#state.get(keys.manifests, id);
      const manifest = sealed === undefined ? undefined : new Manifest(sealed);
      const end = Math.min(instances, judgement.next + instancesPerTurn);
      while (judgement.next < end) {
        const instance = this.#state.get(keys.instances, [id, judgement.next]);
        if (instance === undefined) {
          throw new Error(`transfer ${id} has no instance ${judgement.next} of ${instances}`);
        }
        judgement.add(instance, manifest);
      }
      if (judgement.next < instances) {
        await nextTurn();
      }
    }
    return judgement;
  }

  /** It is decided, or one of its items has changed. */
  forget(transfer: string): void {
    this.#judgements.delete(transfer);
  }

  #remembered(id: string, expected: number | null): Judgement {
    const before = this.#judgements.get(id);
    const judgement = before?.expected === expected ? before : new Judgement(expected);
    this.#judgements.delete(id);
    this.#judgements.set(id, judgement);
    const [oldest] = this.#judgements.keys();
    if (this.#judgements.size > judgementsMax && oldest !== undefined) {
      this.#judgements.delete(oldest);
    }
    return judgement;
  }
}
