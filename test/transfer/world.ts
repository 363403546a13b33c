import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey } from '../../src/access/api-keys.ts';
import { KeyRing } from '../../src/access/key-ring.ts';
import type { Principal } from '../../src/access/principal.ts';
import { AddressBook } from '../../src/addressbook/address-book.ts';
import type { Choices } from '../../src/delivery/choice.ts';
import { Deliveries } from '../../src/delivery/deliveries.ts';
import type { Integrity } from '../../src/delivery/integrity.ts';
import { Tagging } from '../../src/delivery/tagging.ts';
import { addressBook as addressBookSchema } from '../../src/ops/config-address-book.ts';
import type { Log, LogFacts } from '../../src/ops/log.ts';
import { newId } from '../../src/state/ids.ts';
import { keys } from '../../src/state/keys.ts';
import type {
  MailboxRecord,
  Priority,
  Receiving,
  TransferRecord,
  UploadRecord,
} from '../../src/state/records.ts';
import { State } from '../../src/state/state.ts';
import { openDiskStorage } from '../../src/storage/disk.ts';
import type { Extent, ObjectId, Storage } from '../../src/storage/storage.ts';
import { Checking } from '../../src/transfer/checking.ts';
import { DerivedObjects } from '../../src/transfer/derived-objects.ts';
import { Deriving } from '../../src/transfer/deriving.ts';
import { type Finding, findingOf } from '../../src/transfer/finding.ts';
import { Recording, type RecordingLimits } from '../../src/transfer/recording.ts';
import { Transfers } from '../../src/transfer/transfers.ts';
import { Inspector } from '../../src/work/inspector.ts';
import type { Inspection } from '../../src/work/jobs.ts';
import { render } from '../../src/work/render.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

export const zuid: Principal = { key: 'key-zuid', organization: 'zuid' };
export const noord: Principal = { key: 'key-noord', organization: 'noord' };

/** One log line that a part wrote. */
export interface Line {
  readonly event: string;
  readonly facts: LogFacts | undefined;
}

/**
 * The records, bytes and rules of an exchange without its listener and threads: real LMDB, real files,
 * the real inspection, run here. `zuid` sends from zuid.main; noord.main and noord.mri pull.
 */
export interface World {
  readonly folder: string;
  readonly state: State;
  readonly keyRing: KeyRing;
  readonly addressBook: AddressBook;
  readonly storage: Storage;
  readonly transfers: Transfers;
  readonly recording: Recording;
  readonly checking: Checking;
  readonly choose: (transfer: TransferRecord) => Promise<Choices>;
  readonly derivedObjects: DerivedObjects;
  readonly deriving: Deriving;
  readonly deliveries: Deliveries;
  readonly tagging: Tagging;
  /** Finds everything as it was: what is stored here has no ledger. */
  readonly integrity: Pick<Integrity, 'check' | 'isVerified' | 'stop'>;
  readonly log: Log;
  readonly lines: Line[];
  /** Makes an API key for an organization; returns its token. */
  token(organization: string, days?: number): Promise<string>;
  /** Adds a mailbox of organization west that wants to receive so, and what else its configuration says. */
  mailbox(id: string, receiving: Receiving, wishes?: Partial<MailboxRecord>): Promise<void>;
  /** Opens a transfer from zuid.main. */
  open(options?: { to?: readonly string[]; priority?: Priority; bsn?: string }): Promise<TransferRecord>;
  /** Puts bytes into an object of their own. */
  store(bytes: Uint8Array): Promise<Extent>;
  /** What the follower finds in these bytes. */
  find(bytes: Uint8Array, change?: (inspection: Inspection) => Inspection): Promise<Finding>;
  /** An upload of the transfer, known whole or still followed, with what was found in it. */
  arrive(
    transfer: string,
    findings: readonly Finding[],
    state?: 'following' | 'done' | 'broken',
  ): Promise<string>;
  transfer(id: string): TransferRecord;
  /** Every byte that the records are on disk. */
  recordBytes(): Buffer;
  close(): Promise<void>;
}

export const transferLimits = {
  mailboxesMax: 3,
  instancesMax: 50,
  instanceBytesMax: 10_000_000,
  transferBytesMax: 100_000_000,
  studiesMax: 20,
};

/** @param at a folder of before, which stays; without it a new one, which is gone when the world is closed */
export async function openWorld(limits: RecordingLimits = transferLimits, at?: string): Promise<World> {
  const folder = at === undefined ? await openTempFolder('sluis-world') : folderAt(at);
  const state = await State.open(folder.file('state'));
  const keyRing = KeyRing.open(folder.file('sluis.key'));
  const storage = await openDiskStorage(folder.file('storage'));
  const addressBook = new AddressBook(state);
  const seed = (organizations: unknown): Promise<void> =>
    addressBook.seed(addressBookSchema.parse({ organizations }).organizations);
  await seed([
    {
      id: 'zuid',
      name: 'Ziekenhuis Zuiderdiep',
      place: 'Zuidlaren',
      kind: 'hospital',
      ura: '00000001',
      mailboxes: [{ id: 'zuid.main', name: 'Radiologie' }],
    },
    {
      id: 'noord',
      name: 'Kliniek Noorderzijl',
      place: 'Appingedam',
      kind: 'clinic',
      ura: null,
      mailboxes: [
        { id: 'noord.main', name: 'Beeldvorming' },
        { id: 'noord.mri', name: 'MRI-centrum', kind: 'decentral', specialty: 'neurologie', dialect: 'none' },
      ],
    },
  ]);
  const lines: Line[] = [];
  const write = (event: string, facts?: LogFacts): void => void lines.push({ event, facts });
  const log = { debug: write, info: write, warn: write, error: write };
  const deliveries = new Deliveries({ state, addressBook });
  const transfers = new Transfers({ state, keyRing, addressBook, limits: transferLimits });
  const derivedObjects = new DerivedObjects({ state, storage, reserveBytes: 0, log });
  // As a worker does it, in this thread.
  const deriving = new Deriving({
    state,
    storage,
    keyRing,
    addressBook,
    pool: { render },
    derivedObjects,
    language: 'nl',
    limits,
  });
  const choose = (transfer: TransferRecord): Promise<Choices> => deliveries.choose(transfer);
  const recording = new Recording({ state, keyRing, limits, derivedObjects });
  const checking = new Checking({
    state,
    addressBook,
    recording,
    deriving,
    choose,
    onReady: (tx, transfer, choices) => deliveries.queue(tx, transfer, choices),
  });

  const store = async (bytes: Uint8Array): Promise<Extent> => {
    const object = randomUUID() as string as ObjectId;
    await storage.create(object);
    const writer = await storage.open(object, 0);
    await writer.write(bytes, 0);
    await writer.close();
    return { object, start: 0, bytes: bytes.byteLength };
  };

  return {
    folder: folder.path,
    state,
    keyRing,
    addressBook,
    storage,
    transfers,
    recording,
    checking,
    choose,
    derivedObjects,
    deriving,
    deliveries,
    tagging: new Tagging({ state, storage, keyRing }),
    integrity: { check: () => Promise.resolve(), isVerified: () => true, stop: () => undefined },
    log,
    lines,
    token: (organization, days = 1) =>
      state.commit((tx) => createApiKey(tx, { organization, name: 'test', days })),
    async mailbox(id, receiving, wishes = {}) {
      await seed([
        {
          id: 'west',
          name: 'Westeinde',
          place: 'Delft',
          kind: 'hospital',
          ura: null,
          mailboxes: [{ id, name: 'PACS', kind: 'decentral', receiving, ...wishes }],
        },
      ]);
    },
    async open({ to = ['noord.main'], priority = 'routine', bsn } = {}) {
      const patient = bsn === undefined ? null : { bsn, bsnStatus: 'verified' as const };
      const request = { from: 'zuid.main', to, priority, remark: null, intendedFor: null, patient };
      return (await transfers.create(zuid, request)).transfer;
    },
    store,
    async find(bytes, change = (inspection) => inspection) {
      const inspector = new Inspector(bytes.byteLength);
      inspector.feed(bytes);
      return findingOf(keyRing, 'upload', [await store(bytes)], change(inspector.finish()));
    },
    async arrive(transfer, findings, followState = 'done') {
      const upload = uploadRecord(transfer);
      await state.commit((tx) => {
        tx.put(keys.uploads, upload.id, upload);
        transfers.claim(tx, upload);
      });
      const follow = { walk: null, instances: findings.length, state: followState };
      await recording.found(transfer, upload.id, findings, follow);
      return upload.id;
    },
    transfer(id) {
      const found = state.get(keys.transfers, id);
      if (found === undefined) throw new Error(`no transfer ${id}`);
      return found;
    },
    recordBytes: () =>
      Buffer.concat(
        readdirSync(folder.file('state')).map((name) => readFileSync(join(folder.path, 'state', name))),
      ),
    async close() {
      await state.close();
      await folder.remove();
    },
  };
}

function folderAt(path: string): TempFolder {
  return { path, file: (...names) => join(path, ...names), remove: () => Promise.resolve() };
}

/** An upload of zuid, as the upload engine makes it; by itself without addresses. */
export function uploadRecord(transfer: string | null, change: Partial<UploadRecord> = {}): UploadRecord {
  const now = Date.now();
  return {
    id: newId(),
    organization: 'zuid',
    creator: 'key-zuid',
    content: { of: 'object', object: 'none' as ObjectId },
    isPartial: false,
    length: 1,
    ends: 'at-length',
    digest: null,
    blockCrc: null,
    offset: 1,
    epoch: 1,
    from: null,
    to: [],
    priority: null,
    filetype: null,
    transfer,
    metadata: null,
    state: 'received',
    createdAt: now,
    lastByteAt: now,
    ...change,
  };
}

/** The manifest of what was found. */
export function manifestOf(findings: readonly Finding[]) {
  return findings.map(({ instance: { sopInstanceUid, bytes, sha256 } }) => ({
    sopInstanceUid,
    bytes,
    sha256,
  }));
}
