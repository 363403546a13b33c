import { asError } from '../ops/error.ts';
import type { DeliveryRecord } from '../state/records.ts';
import type { Integrity } from './integrity.ts';

interface SoundnessParts {
  readonly integrity: Pick<Integrity, 'check' | 'isVerified'>;
  /** What is stored could not be verified. Must not reject. */
  onFailed(delivery: DeliveryRecord, error: Error): Promise<void>;
  /** A delivery may go out now, or has failed. */
  onChecked(): void;
}

/**
 * Lets out what is stored as it was received. Each delivery is looked at before its first request of this
 * process, beside what its lane sends meanwhile: no connection waits for that.
 */
export class Soundness {
  readonly #parts: SoundnessParts;
  readonly #sound = new Set<string>();
  readonly #checking = new Set<string>();
  #stopped = false;

  constructor(parts: SoundnessParts) {
    this.#parts = parts;
  }

  /** False until that is known; then `onChecked` is called. */
  isKnown(delivery: DeliveryRecord): boolean {
    const { id, transfer } = delivery;
    if (this.#sound.has(id)) {
      return true;
    }
    if (this.#parts.integrity.isVerified(transfer)) {
      this.#sound.add(id);
      return true;
    }
    if (!this.#checking.has(id)) {
      this.#checking.add(id);
      void this.#check(delivery);
    }
    return false;
  }

  forget(delivery: string): void {
    this.#sound.delete(delivery);
  }

  /** What is found out from now on is of no use. */
  stop(): void {
    this.#stopped = true;
  }

  async #check(delivery: DeliveryRecord): Promise<void> {
    try {
      await this.#parts.integrity.check(delivery.transfer);
      this.#sound.add(delivery.id);
    } catch (thrown) {
      if (!this.#stopped) {
        await this.#parts.onFailed(delivery, asError(thrown));
      }
    } finally {
      this.#checking.delete(delivery.id);
      this.#parts.onChecked();
    }
  }
}
