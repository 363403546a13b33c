import { keys } from '../state/keys.ts';
import type { Instant } from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import { outboxPage } from './limits.ts';

/** In the commit that decides a transfer: nothing is to be done any more with its uploads. */
export function forgetUploads(tx: Transaction, uploads: readonly string[]): void {
  for (const upload of uploads) {
    tx.remove(keys.outbox, upload);
  }
}

/** What has been noted of one upload. */
export interface Note {
  readonly upload: string;
  readonly at: Instant;
}

/**
 * The uploads of the transfers that are not decided yet, from the commit that creates each on, and those that
 * were received and that nobody has looked at. However many uploads are known, these are few.
 */
export class Outbox {
  readonly #state: State;
  /** What is done and still stands in it, by upload. */
  readonly #done = new Map<string, Instant>();
  #clearing: Promise<void> | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  at(upload: string): Instant | undefined {
    return this.#state.get(keys.outbox, upload);
  }

  /** All of it, in pages: between them it may change. */
  *pages(): Generator<Note[]> {
    let after: string | undefined;
    for (;;) {
      const range = { limit: outboxPage, ...(after === undefined ? {} : { after }) };
      const page = [...this.#state.list(keys.outbox, range)].map(({ key, value }) => ({
        upload: key,
        at: value,
      }));
      yield page;
      after = page.at(-1)?.upload;
      if (page.length < outboxPage || after === undefined) {
        return;
      }
    }
  }

  /** Takes a note out, unless there is a newer one. What comes while a commit is under way goes with the next. */
  async done({ upload, at }: Note): Promise<void> {
    // Taken out in the commit of the decision, as a rule.
    if (this.at(upload) !== at) {
      return;
    }
    this.#done.set(upload, at);
    this.#clearing ??= this.#clear().finally(() => {
      this.#clearing = undefined;
    });
    return this.#clearing;
  }

  /** Resolves when no commit is under way. */
  async idle(): Promise<void> {
    await this.#clearing?.catch(() => undefined);
  }

  async #clear(): Promise<void> {
    while (this.#done.size > 0) {
      const notes = [...this.#done];
      this.#done.clear();
      await this.#state.commit((tx) => {
        for (const [upload, at] of notes) {
          if (tx.get(keys.outbox, upload) === at) {
            tx.remove(keys.outbox, upload);
          }
        }
      });
    }
  }
}
