import type { KeyRing } from '../access/key-ring.ts';
import type { Principal } from '../access/principal.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import { newId } from '../state/ids.ts';
import { keys } from '../state/keys.ts';
import { noteUpload } from '../state/outbox-note.ts';
import type {
  ListedReport,
  Priority,
  TransferRecord,
  TransferState,
  UploadRecord,
} from '../state/records.ts';
import type { State, Transaction } from '../state/state.ts';
import { noDetails, sealDetails, type TransferDetails, unsealDetails } from './details.ts';
import {
  BsnDiffers,
  IdempotencyKeyReused,
  ManifestSealed,
  NotYourMailbox,
  TransferClosed,
  TransferInvalid,
  TransferUnknown,
} from './errors.ts';
import { lookedAtMax, reportsMax, uploadsMax } from './limits.ts';
import { Manifest, type ManifestEntry } from './manifest.ts';

export interface TransferRequest extends TransferDetails {
  readonly from: string;
  readonly to: readonly string[];
  readonly priority: Priority;
}

export interface TransferLimits {
  readonly mailboxesMax: number;
  readonly instancesMax: number;
}

export interface TransferPage {
  readonly found: readonly TransferRecord[];
  /** The cursor of the next page; null behind the last. */
  readonly next: string | null;
}

export interface TransferQuery {
  readonly state?: TransferState | undefined;
  /** The last id of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** Nothing of a transfer in one of these goes anywhere any more. */
const closedStates: ReadonlySet<TransferState> = new Set(['rejected', 'recalled', 'expired']);

/**
 * The transfers: how they come to be, who may see them, which uploads belong to them. What is found in
 * the uploads is checking.ts's, where it goes is delivery's.
 */
export class Transfers {
  readonly #state: State;
  readonly #keyRing: KeyRing;
  readonly #addressBook: AddressBook;
  readonly #limits: TransferLimits;

  constructor(parts: { state: State; keyRing: KeyRing; addressBook: AddressBook; limits: TransferLimits }) {
    this.#state = parts.state;
    this.#keyRing = parts.keyRing;
    this.#addressBook = parts.addressBook;
    this.#limits = parts.limits;
  }

  /**
   * Opens a transfer. With an Idempotency-Key the same request again finds the transfer it made;
   * ten at once make one. Throws NotYourMailbox, MailboxUnknown, TransferInvalid, IdempotencyKeyReused.
   */
  async create(
    principal: Principal,
    request: TransferRequest,
    idempotencyKey?: string,
  ): Promise<{ transfer: TransferRecord; created: boolean }> {
    this.#checkAddresses(principal, request.from, request.to);
    const key = idempotencyKey === undefined ? undefined : this.#keyRing.mac('idempotency', idempotencyKey);
    const body = this.#keyRing.mac('idempotency', JSON.stringify(request));
    return this.#state.commit((tx) => {
      const known = key === undefined ? undefined : tx.get(keys.idempotency, [principal.organization, key]);
      if (known !== undefined) {
        if (known.body !== body) {
          throw new IdempotencyKeyReused();
        }
        return { transfer: this.#stored(tx, known.transfer), created: false };
      }
      const transfer = this.#open(tx, principal.organization, request, false);
      if (key !== undefined) {
        const at = transfer.createdAt;
        tx.put(keys.idempotency, [principal.organization, key], { transfer: transfer.id, body, at });
      }
      return { transfer, created: true };
    });
  }

  /**
   * Seals the manifest. The same once more, in any order, is no error and seals nothing; another throws
   * ManifestSealed.
   */
  async seal(
    principal: Principal,
    id: string,
    instances: readonly ManifestEntry[],
    reports: readonly ListedReport[] = [],
  ): Promise<{ transfer: TransferRecord; sealed: boolean }> {
    const { instancesMax } = this.#limits;
    const items = instances.length + reports.length;
    if (items > instancesMax) {
      throw new TransferInvalid(
        `the manifest lists ${items} instances and reports, the limit is ${instancesMax}`,
      );
    }
    if (new Set(instances.map((one) => one.sopInstanceUid)).size !== instances.length) {
      throw new TransferInvalid('the manifest lists a SOP Instance UID twice');
    }
    if (reports.length > reportsMax) {
      throw new TransferInvalid(`the manifest lists ${reports.length} reports, the limit is ${reportsMax}`);
    }
    if (new Set(reports.map((one) => one.sha256)).size !== reports.length) {
      throw new TransferInvalid('the manifest lists a report twice');
    }
    const listed = reports.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    const { entries } = Manifest.of(instances);
    return this.#state.commit((tx) => {
      const transfer = this.#own(tx, principal, id);
      const before = tx.get(keys.manifests, id);
      if (before !== undefined) {
        const isSame =
          Buffer.compare(before.entries, entries) === 0 &&
          JSON.stringify(before.reports) === JSON.stringify(listed);
        if (!isSame) {
          throw new ManifestSealed();
        }
        return { transfer, sealed: false };
      }
      if (transfer.state !== 'receiving' || transfer.selfManifest) {
        throw new TransferClosed(transfer.state);
      }
      const now = Date.now();
      tx.put(keys.manifests, id, { entries, reports: listed, sealedAt: now });
      const changed = { ...transfer, expected: items, updatedAt: now };
      tx.put(keys.transfers, id, changed);
      for (const upload of transfer.uploads) {
        noteUpload(tx, upload, now);
      }
      return { transfer: changed, sealed: true };
    });
  }

  /**
   * The BSN that became known after the images were sent: `attached` is told in the same transaction, so
   * that what is still to be delivered gets it, without another upload. The same once more is no error.
   *
   * Throws TransferUnknown, BsnDiffers when another BSN is known already, TransferClosed when nothing of
   * it is sent any more.
   */
  async attachBsn(
    principal: Principal,
    id: string,
    patient: NonNullable<TransferDetails['patient']>,
    attached: (tx: Transaction, transfer: TransferRecord) => void,
  ): Promise<TransferRecord> {
    return this.#state.commit((tx) => {
      const transfer = this.#own(tx, principal, id);
      if (closedStates.has(transfer.state)) {
        throw new TransferClosed(transfer.state);
      }
      if (transfer.bsn !== null) {
        if (this.#keyRing.unseal('bsn', transfer.bsn).toString() !== patient.bsn) {
          throw new BsnDiffers();
        }
        return transfer;
      }
      const details = { ...unsealDetails(this.#keyRing, transfer.details), patient };
      const changed = {
        ...transfer,
        bsn: this.#keyRing.seal('bsn', patient.bsn),
        details: sealDetails(this.#keyRing, details),
        reasons: transfer.reasons.filter((code) => code !== 'BSN_MISSING'),
        updatedAt: Date.now(),
      };
      tx.put(keys.transfers, id, changed);
      attached(tx, changed);
      return changed;
    });
  }

  /**
   * Inside the creation of an upload: adds it to the transfer it names. A plain upload with addresses opens
   * a transfer of its own and is its own manifest; one with neither belongs to nobody yet.
   */
  claim(tx: Transaction, upload: UploadRecord): void {
    const principal = { key: upload.creator, organization: upload.organization };
    if (upload.transfer !== null) {
      const transfer = this.#own(tx, principal, upload.transfer);
      if (transfer.state !== 'receiving' || transfer.selfManifest) {
        throw new TransferClosed(transfer.state);
      }
      if (transfer.uploads.length >= uploadsMax) {
        throw new TransferInvalid(
          `a transfer has at most ${uploadsMax} uploads: go on with one that is there`,
        );
      }
      const uploads = [...transfer.uploads, upload.id];
      tx.put(keys.transfers, transfer.id, { ...transfer, uploads, updatedAt: upload.createdAt });
      noteUpload(tx, upload.id, upload.createdAt);
      return;
    }
    if (upload.from === null && upload.to.length === 0) {
      return;
    }
    if (upload.from === null || upload.to.length === 0) {
      throw new TransferInvalid('Upload-Metadata needs both from and to, or neither');
    }
    this.#checkAddresses(principal, upload.from, upload.to);
    const { from, to } = upload;
    const request = { ...noDetails, from, to, priority: upload.priority ?? ('routine' as const) };
    const transfer = this.#open(tx, upload.organization, request, true);
    tx.put(keys.transfers, transfer.id, { ...transfer, uploads: [upload.id] });
    tx.put(keys.uploads, upload.id, { ...upload, transfer: transfer.id });
    noteUpload(tx, upload.id, upload.createdAt);
  }

  /** Of an upload that asks to be let in: its own, or that of the transfer it names. */
  priorityOf({ priority, transfer }: Pick<UploadRecord, 'priority' | 'transfer'>): Priority {
    const named = transfer === null ? undefined : this.#state.get(keys.transfers, transfer)?.priority;
    return named ?? priority ?? 'routine';
  }

  /** A transfer of the asker's organization, sent or received. Throws TransferUnknown. */
  get(principal: Principal, id: string): TransferRecord {
    if (this.#state.get(keys.transfersOf, [principal.organization, id]) === undefined) {
      throw new TransferUnknown();
    }
    return this.#stored(this.#state, id);
  }

  /** Own transfers, newest first, from behind `cursor`; a page may be short, or empty, and have a next one. */
  list({ organization }: Principal, { state, cursor, limit }: TransferQuery): TransferPage {
    const found: TransferRecord[] = [];
    let looked = 0;
    const after = cursor === undefined ? {} : { after: [organization, cursor] as const };
    const range = { prefix: [organization], reverse: true, ...after };
    for (const { key } of this.#state.list(keys.transfersOf, range)) {
      const transfer = this.#stored(this.#state, key[1]);
      if (state === undefined || transfer.state === state) {
        found.push(transfer);
      }
      if (found.length >= limit || ++looked >= lookedAtMax) {
        return { found, next: transfer.id };
      }
    }
    return { found, next: null };
  }

  #checkAddresses({ organization }: Principal, from: string, to: readonly string[]): void {
    if (this.#addressBook.mailbox(from).organization !== organization) {
      throw new NotYourMailbox(from);
    }
    if (to.length === 0 || to.length > this.#limits.mailboxesMax) {
      throw new TransferInvalid(`a transfer goes to 1 to ${this.#limits.mailboxesMax} mailboxes`);
    }
    if (new Set(to).size !== to.length) {
      throw new TransferInvalid('a mailbox is named twice');
    }
    for (const mailbox of to) {
      this.#addressBook.mailbox(mailbox);
    }
  }

  #open(
    tx: Transaction,
    organization: string,
    request: TransferRequest,
    selfManifest: boolean,
  ): TransferRecord {
    const { from, to, priority, remark, intendedFor, patient } = request;
    const now = Date.now();
    const transfer: TransferRecord = {
      id: newId(now),
      organization,
      from,
      to,
      priority,
      state: 'receiving',
      reasons: [],
      problems: [],
      details: sealDetails(this.#keyRing, { remark, intendedFor, patient }),
      bsn: patient === null ? null : this.#keyRing.seal('bsn', patient.bsn),
      uploads: [],
      selfManifest,
      instances: 0,
      bytes: 0,
      reports: 0,
      studies: 0,
      derived: null,
      setAside: 0,
      expected: null,
      createdAt: now,
      updatedAt: now,
    };
    tx.put(keys.transfers, transfer.id, transfer);
    tx.put(keys.transfersOf, [organization, transfer.id], 'sender');
    return transfer;
  }

  #stored(reader: Pick<Transaction, 'get'>, id: string): TransferRecord {
    const transfer = reader.get(keys.transfers, id);
    if (transfer === undefined) {
      throw new TransferUnknown();
    }
    return transfer;
  }

  #own(tx: Transaction, principal: Principal, id: string): TransferRecord {
    const transfer = this.#stored(tx, id);
    if (transfer.organization !== principal.organization) {
      throw new TransferUnknown();
    }
    return transfer;
  }
}
