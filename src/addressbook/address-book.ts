import type { Issuer } from '../dicom/patch.ts';
import { keys } from '../state/keys.ts';
import type { MailboxRecord, OrganizationRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { MailboxUnknown } from './errors.ts';

/** One organization with its mailboxes, as a configuration or the demo network gives it. */
export interface AddressBookEntry extends OrganizationRecord {
  readonly mailboxes: readonly Omit<MailboxRecord, 'organization'>[];
}

/** A mailbox as everybody may see it: not how it is reached. */
export interface MailboxCard {
  readonly id: string;
  readonly name: string;
  readonly kind: MailboxRecord['kind'];
  readonly specialty: string | null;
  readonly organization: Pick<OrganizationRecord, 'id' | 'name' | 'place' | 'kind' | 'ura'>;
}

/** Below this the registry of Dutch care providers numbers its subscribers (URA). */
const uraOid = '2.16.528.1.1007.3.3';

/** All organizations and mailboxes, and how each wants to receive. */
export class AddressBook {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** Writes the entries; one that is there gets the new content, none is ever removed. */
  async seed(entries: readonly AddressBookEntry[]): Promise<void> {
    await this.#state.commit((tx) => {
      for (const { mailboxes, ...organization } of entries) {
        tx.put(keys.organizations, organization.id, organization);
        for (const mailbox of mailboxes) {
          tx.put(keys.mailboxes, mailbox.id, { ...mailbox, organization: organization.id });
        }
      }
    });
  }

  organization(id: string): OrganizationRecord | undefined {
    return this.#state.get(keys.organizations, id);
  }

  organizations(): OrganizationRecord[] {
    return [...this.#state.list(keys.organizations)].map(({ value }) => value);
  }

  /**
   * What is said beside a Patient ID of an organization, so that the number means something elsewhere: its
   * name for it, and its URA as an OID, whose components have no leading zeros (PS3.5 section 9.1).
   */
  issuerOf(organization: string): Issuer | null {
    const found = this.organization(organization);
    if (found === undefined) {
      return null;
    }
    const { id, ura, issuerOfPatientId } = found;
    return {
      issuerOfPatientId: issuerOfPatientId ?? id,
      universalEntityId: ura === null ? null : `${uraOid}.${Number(ura).toString()}`,
      universalEntityIdType: ura === null ? null : 'ISO',
    };
  }

  /** Throws MailboxUnknown. */
  mailbox(id: string): MailboxRecord {
    const mailbox = this.#state.get(keys.mailboxes, id);
    if (mailbox === undefined) {
      throw new MailboxUnknown(id);
    }
    return mailbox;
  }

  mailboxes(): MailboxRecord[] {
    return [...this.#state.list(keys.mailboxes)].map(({ value }) => value);
  }

  /** Mailboxes in which every word of the query occurs: in the name, place, specialty or URA. */
  search(query: string): MailboxCard[] {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return this.mailboxes()
      .map((mailbox) => this.#card(mailbox))
      .filter((card) => {
        const { id, name, place, ura } = card.organization;
        const text = [card.id, card.name, card.specialty, id, name, place, ura].join(' ').toLowerCase();
        return words.every((word) => text.includes(word));
      });
  }

  #card({ id, name, kind, specialty, organization }: MailboxRecord): MailboxCard {
    const owner = this.organization(organization);
    if (owner === undefined) {
      throw new Error(`mailbox ${id} belongs to no organization`);
    }
    const { place, ura } = owner;
    return {
      id,
      name,
      kind,
      specialty,
      organization: { id: owner.id, name: owner.name, place, kind: owner.kind, ura },
    };
  }
}
