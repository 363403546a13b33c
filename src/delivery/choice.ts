import type { InstanceRecord, MailboxRecord, TransferRecord } from '../state/records.ts';
import { leftOutKindsMax } from './limits.ts';
import { Selection } from './selection.ts';

/** What of an item decides whether a mailbox gets it. */
type Choosable = Pick<InstanceRecord, 'scan' | 'report' | 'derivedFrom' | 'bytes'>;

/** How a mailbox wants to receive, as far as that decides what. */
type Wishes = Pick<MailboxRecord, 'receiving' | 'srAsPdf' | 'excludeSopClasses' | 'excludeModalities'>;

/** What a mailbox gets of a transfer. */
export interface Chosen {
  readonly selection: Selection;
  /** Of the selected items, as they are stored. */
  readonly bytes: number;
  /** What was sent and does not go there, in no form: how many, by SOP Class UID or media type. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/** Mailbox → what it gets of one transfer. */
export type Choices = ReadonlyMap<string, Chosen>;

/** What stands for the kinds of which there are too many to name. */
const otherKinds = 'other';

/**
 * Chooses what a mailbox gets. All the rules:
 *
 * - What its object filter names never goes there, neither as it was sent nor as it was made here.
 * - A report as it was sent goes to who pulls. Who is pushed to takes instances only, and gets it as the
 *   instance that was made of it.
 * - The PDF of a structured report goes to who asks for it, beside the structured report.
 * - All else goes to everybody.
 */
class Choice {
  readonly #wishes: Wishes;
  readonly #sopClasses: ReadonlySet<string>;
  readonly #modalities: ReadonlySet<string>;
  readonly #numbers: number[] = [];
  /** Numbers of the transfer's reports. */
  readonly #reports = new Set<number>();
  /** Number → kind, of what was sent and does not go there. */
  readonly #leftOut = new Map<number, string>();
  #items = 0;
  #bytes = 0;

  constructor(wishes: Wishes) {
    this.#wishes = wishes;
    this.#sopClasses = new Set(wishes.excludeSopClasses);
    this.#modalities = new Set(wishes.excludeModalities);
  }

  /** True when no item but a report or what was made here can be left out. */
  get takesAllInstances(): boolean {
    return this.#sopClasses.size + this.#modalities.size === 0;
  }

  /** The next item of the transfer, in the order of their numbers: what an item was made from comes before it. */
  add(item: Choosable): void {
    const number = this.#items++;
    const { scan, report, derivedFrom, bytes } = item;
    if (report !== null) this.#reports.add(number);
    if (this.#gets(item)) {
      this.#numbers.push(number);
      this.#bytes += bytes;
      // Made of a report that it does not get as it was sent, it is that report for this mailbox.
      if (derivedFrom !== null && this.#reports.has(derivedFrom)) this.#leftOut.delete(derivedFrom);
    } else if (derivedFrom === null) {
      this.#leftOut.set(number, report?.mediaType ?? scan?.sopClassUid ?? otherKinds);
    }
  }

  end(): Chosen {
    const leftOut: Record<string, number> = {};
    for (const found of this.#leftOut.values()) {
      const isNamed = found in leftOut || Object.keys(leftOut).length < leftOutKindsMax;
      const kind = isNamed ? found : otherKinds;
      leftOut[kind] = (leftOut[kind] ?? 0) + 1;
    }
    return { selection: Selection.some(this.#items, this.#numbers), bytes: this.#bytes, leftOut };
  }

  #gets({ scan, report, derivedFrom }: Choosable): boolean {
    const { receiving, srAsPdf } = this.#wishes;
    if (scan !== null && (this.#sopClasses.has(scan.sopClassUid) || this.#modalities.has(scan.modality))) {
      return false;
    }
    if (report !== null) return receiving.by === 'pull';
    if (derivedFrom === null) return true;
    return this.#reports.has(derivedFrom) ? receiving.by !== 'pull' : srAsPdf;
  }
}

/** Chooses for the mailboxes of a transfer in one walk over its items; for those that get all, without a look. */
export class Choosing {
  /** Items that have to be looked at. */
  readonly items: number;
  readonly #transfer: TransferRecord;
  readonly #choices: ReadonlyMap<string, Choice>;

  constructor(transfer: TransferRecord, mailboxes: readonly MailboxRecord[]) {
    const hasInstancesOnly = transfer.reports === 0 && (transfer.derived ?? 0) === 0;
    const choices = mailboxes.map((mailbox) => [mailbox.id, new Choice(mailbox)] as const);
    this.#transfer = transfer;
    this.#choices = new Map(choices.filter(([, choice]) => !(hasInstancesOnly && choice.takesAllInstances)));
    this.items = this.#choices.size === 0 ? 0 : transfer.instances;
  }

  /** The next item of the transfer, in the order of their numbers. */
  add(item: Choosable): void {
    for (const choice of this.#choices.values()) {
      choice.add(item);
    }
  }

  end(): Choices {
    return new Map(
      this.#transfer.to.map((id) => [id, this.#choices.get(id)?.end() ?? allOf(this.#transfer)]),
    );
  }
}

/** What a mailbox gets that gets everything. */
export function allOf({ instances, bytes }: TransferRecord): Chosen {
  return { selection: Selection.all(instances), bytes, leftOut: {} };
}
