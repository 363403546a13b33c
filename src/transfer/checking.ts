import type { AddressBook } from '../addressbook/address-book.ts';
import type { Choices } from '../delivery/choice.ts';
import { keys } from '../state/keys.ts';
import type { TransferRecord } from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import type { Deriving } from './deriving.ts';
import { Judging } from './judging.ts';
import { forgetUploads } from './outbox.ts';
import { isSameMaterial, type Recording } from './recording.ts';

/** Called in the transaction that makes a transfer ready: delivery queues what is to be sent. */
export type OnReady = (tx: Transaction, transfer: TransferRecord, choices: Choices) => void;

interface CheckingParts {
  readonly state: State;
  readonly addressBook: AddressBook;
  readonly recording: Pick<Recording, 'derived'>;
  readonly deriving: Pick<Deriving, 'derive'>;
  /** Before `onReady`, with time for a look at every item: which of them go to which mailbox. */
  readonly choose: (transfer: TransferRecord) => Promise<Choices>;
  readonly onReady: OnReady;
}

/** One call that looks at a transfer, and whether it was asked for again meanwhile. */
interface Turn {
  again: boolean;
  settled: Promise<TransferRecord | undefined> | undefined;
}

/**
 * Decides, from what was found in its uploads, what becomes of a transfer: complete, held, rejected.
 * The manifest alone says what complete means.
 */
export class Checking {
  readonly #parts: CheckingParts;
  readonly #judging: Judging;
  /** Transfers that are being looked at, each by one call. */
  readonly #settling = new Map<string, Turn>();

  constructor(parts: CheckingParts) {
    this.#parts = parts;
    this.#judging = new Judging(parts.state);
  }

  /**
   * Looks whether a transfer can be decided: when all that was uploaded is known, and it is either
   * complete or has something that stops it. Returns it to the one call that decided it. What it has made
   * for receivers takes long, and is cut by `signal`.
   *
   * Each of its uploads asks. While one looks the others only make it look once more, and wait.
   */
  async settle(transferId: string, signal?: AbortSignal): Promise<TransferRecord | undefined> {
    const other = this.#settling.get(transferId);
    if (other !== undefined) {
      other.again = true;
      // With its failure, if it fails: then nobody looked for this call.
      await other.settled;
      return undefined;
    }
    const turn: Turn = { again: false, settled: undefined };
    this.#settling.set(transferId, turn);
    const settled = this.#settleInTurns(transferId, turn, signal);
    turn.settled = settled;
    return settled;
  }

  async #settleInTurns(
    transferId: string,
    turn: Turn,
    signal: AbortSignal | undefined,
  ): Promise<TransferRecord | undefined> {
    try {
      let settled: TransferRecord | undefined;
      do {
        turn.again = false;
        settled = await this.#settleOnce(transferId, turn, signal);
      } while (settled === undefined && turn.again);
      return settled;
    } finally {
      this.#settling.delete(transferId);
    }
  }

  async #settleOnce(
    transferId: string,
    turn: Turn,
    signal: AbortSignal | undefined,
  ): Promise<TransferRecord | undefined> {
    const { state, addressBook, deriving, recording, choose, onReady } = this.#parts;
    const transfer = state.get(keys.transfers, transferId);
    if (transfer?.state !== 'receiving') {
      this.#judging.forget(transferId);
      return undefined;
    }
    const allKnown = this.#allKnown(transfer);
    if (!allKnown && !isFull(transfer)) {
      return undefined;
    }
    const judgement = await this.#judging.judge(transfer);
    const nestedIdentity = transfer.to.map((mailbox) => addressBook.mailbox(mailbox).nestedIdentity);
    const verdict = judgement.verdict(transfer, { allKnown, nestedIdentity });
    if (verdict === undefined) {
      return undefined;
    }
    if (verdict.state === 'ready' && transfer.derived === null) {
      const derived = await deriving.derive(transfer, judgement.renderable, signal);
      if (derived.findings.length + derived.unmade.length > 0) {
        await recording.derived(transfer, derived);
        if (derived.unmade.length > 0) {
          this.#judging.forget(transferId);
        }
        // With what was made, and what its making found, the transfer is looked at once more.
        turn.again = true;
        return undefined;
      }
    }
    const choices = verdict.state === 'ready' ? await choose(transfer) : undefined;
    return state.commit((tx) => {
      const now = tx.get(keys.transfers, transferId);
      if (now?.state !== 'receiving') {
        return undefined;
      }
      // What was claimed, found or sealed meanwhile makes the verdict old.
      if (!isSameMaterial(now, transfer)) {
        turn.again = true;
        return undefined;
      }
      this.#judging.forget(transferId);
      const settled = { ...now, ...verdict, derived: now.derived ?? 0, updatedAt: Date.now() };
      tx.put(keys.transfers, transferId, settled);
      forgetUploads(tx, now.uploads);
      if (choices !== undefined) {
        onReady(tx, settled, choices);
      }
      return settled;
    });
  }

  #allKnown({ uploads }: TransferRecord): boolean {
    return uploads.length > 0 && uploads.every((upload) => this.#isKnown(upload));
  }

  #isKnown(upload: string): boolean {
    const follow = this.#parts.state.get(keys.follows, upload);
    return follow !== undefined && follow.state !== 'following';
  }
}

/** As many items as the manifest lists: an abandoned upload stops nothing. */
function isFull({ uploads, instances, expected }: TransferRecord): boolean {
  return uploads.length > 0 && expected !== null && instances >= expected;
}
