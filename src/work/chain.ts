import { cut } from './batches.ts';
import { type PassKind, type Piece, pieceBytes, type ResultOf, type Task } from './jobs.ts';

/** How a chain reaches its worker: hands it a task that will read `bytes`. */
export type Give<K extends PassKind> = (task: Task, bytes: number) => Promise<readonly ResultOf<K>[]>;

/**
 * The work on one large instance, as short tasks on one worker, so that others get their turn between.
 *
 * After any rejection the chain is over: make another and begin at the instance's first byte. A chain
 * that is neither finished nor dropped keeps its place among the open ones.
 */
export class Chain<K extends PassKind> {
  readonly #id: number;
  readonly #give: Give<K>;
  readonly #closed: () => void;
  /** Settles with the last step that was asked for; steps are done one after the other. */
  #last: Promise<unknown>;
  #over = false;

  /** @param closed called once, when the chain is finished, dropped or over */
  constructor(id: number, kind: K, bytes: number, give: Give<K>, closed: () => void) {
    this.#id = id;
    this.#give = give;
    this.#closed = closed;
    this.#last = this.#keep(give({ do: 'open', chain: id, kind, bytes }, 0));
  }

  /** The next bytes of the instance. Resolves when they are read; rejects as WorkPool.inspect does. */
  feed(pieces: readonly Piece[]): Promise<void> {
    return this.#then(async () => {
      for (const run of cut(pieces)) {
        const bytes = run.reduce((sum, piece) => sum + pieceBytes(piece), 0);
        await this.#give({ do: 'feed', chain: this.#id, pieces: run }, bytes);
      }
    });
  }

  /** The result, after the last byte. */
  finish(): Promise<ResultOf<K>> {
    return this.#then(async () => {
      const [result] = await this.#give({ do: 'finish', chain: this.#id }, 0);
      if (result === undefined) throw new RangeError('a chain ended without a result');
      this.#close();
      return result;
    });
  }

  /** Gives it up; what it held in its worker is let go. Does nothing on a chain that is over. */
  drop(): void {
    if (this.#over) return;
    this.#close();
    this.#give({ do: 'drop', chain: this.#id }, 0).catch(() => undefined);
  }

  #then<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#last.then(step);
    this.#last = this.#keep(next);
    return next;
  }

  /** Whoever asked for a step learns of its failure; here it only ends the chain. */
  #keep<T>(step: Promise<T>): Promise<T> {
    step.catch(() => this.drop());
    return step;
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#closed();
  }
}

/** See WorkPool.inspectChain. */
export type InspectChain = Chain<'inspect'>;
