import { DIALECTS, type Dialect, writesNothing } from '../dicom/dialect.ts';
import type { Issuer } from '../dicom/patch.ts';
import { Fatal } from '../ops/error.ts';
import type { Instant, MailboxRecord, Recipe, TransferRecord } from '../state/records.ts';

/** Makes what a mailbox gets out of what it asked for. */
export class Recipes {
  readonly #dialects: readonly Dialect[];

  /** @param dialects built in and configured */
  constructor(dialects: readonly Dialect[] = DIALECTS) {
    this.#dialects = dialects;
  }

  /**
   * The recipe of a transfer for a mailbox, as both are now.
   *
   * Throws Fatal for a dialect nobody defined: a mailbox must not get untagged studies by a typing error.
   */
  of(
    mailbox: MailboxRecord,
    { bsn }: Pick<TransferRecord, 'bsn'>,
    issuer: Issuer | null,
    now: Instant,
  ): Recipe {
    return {
      version: 2,
      dialect: this.#dialect(mailbox.dialect),
      bsn,
      issuer,
      patientId: mailbox.patientId,
      nestedIdentity: mailbox.nestedIdentity,
      filter: { sopClasses: mailbox.excludeSopClasses, modalities: mailbox.excludeModalities },
      modifiedAt: dateTimeOf(now),
    };
  }

  #dialect(name: string): Dialect {
    const dialect = this.#dialects.find((one) => one.name === name);
    if (dialect === undefined) {
      const known = this.#dialects.map((one) => one.name).join(', ');
      throw new Fatal(`no dialect is called ${name}: use one of ${known}`, 2);
    }
    return dialect;
  }
}

/** The same with a BSN that became known later; undefined when that changes nothing of what its mailbox gets. */
export function retagged(recipe: Recipe, bsn: Recipe['bsn'], now: Instant): Recipe | undefined {
  return writesNothing(recipe.dialect) ? undefined : { ...recipe, bsn, modifiedAt: dateTimeOf(now) };
}

/** Of one delivery: whether no BSN came in between. */
export function isSameRecipe(a: Recipe, b: Recipe): boolean {
  return a.modifiedAt === b.modifiedAt && (a.bsn === null) === (b.bsn === null);
}

/** A DT value in UTC (PS3.5 table 6.2-1), for example 20261124093000.000000+0000. */
export function dateTimeOf(at: Instant): string {
  const digits = new Date(at).toISOString().replace(/\D/g, '');
  return `${digits.slice(0, 14)}.${digits.slice(14)}000+0000`;
}
