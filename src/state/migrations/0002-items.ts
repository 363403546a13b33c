import type { KeyPart } from '../keys.ts';
import { keys, type Table } from '../keys.ts';
import type { Migrating } from './index.ts';

type Old = Readonly<Record<string, unknown>>;

/** What an instance was that could be nothing else. */
const instanceDefaults = {
  // Not known: nobody computed it then.
  crc32: null,
  report: null,
  inflated: null,
  foreign: [],
  derivedFrom: null,
  demographics: null,
};

/** How a mailbox received that had no more wishes than a dialect. */
const mailboxDefaults = {
  patientId: 'keep-with-issuer',
  nestedIdentity: 'keep-and-flag',
  srAsPdf: false,
  excludeSopClasses: [],
  excludeModalities: [],
};

const recipeDefaults = {
  version: 2,
  issuer: null,
  patientId: 'keep-with-issuer',
  nestedIdentity: 'keep-and-flag',
  filter: { sopClasses: [], modalities: [] },
  modifiedAt: '19700101000000.000000+0000',
};

/**
 * Items, recipes of version 2, studies: what was recorded before goes on as it was. A delivery that is under
 * way gives its receiver the bytes that were promised: no issuer is added, nothing is recorded as changed.
 */
export function migrateItems({ list, tx }: Migrating): void {
  const studies = new Map<string, { transfer: string; study: string; instances: number; bytes: number }>();
  for (const { key, value } of list(old<readonly [string, number]>(keys.instances))) {
    tx.put(old(keys.instances), key, { ...value, ...instanceDefaults });
    const { bytes, scan } = value as { bytes: number; scan: { studyInstanceUid: string } | null };
    const study = scan?.studyInstanceUid ?? '';
    if (study === '') continue;
    const counted = studies.get(`${key[0]} ${study}`) ?? { transfer: key[0], study, instances: 0, bytes: 0 };
    studies.set(`${key[0]} ${study}`, {
      ...counted,
      instances: counted.instances + 1,
      bytes: counted.bytes + bytes,
    });
  }
  const studiesOf = new Map<string, number>();
  for (const { transfer, study, instances, bytes } of studies.values()) {
    tx.put(keys.studies, [transfer, study], { instances, bytes });
    studiesOf.set(transfer, (studiesOf.get(transfer) ?? 0) + 1);
  }
  const bsnOf = new Map<string, unknown>();
  const bytesOf = new Map<string, unknown>();
  for (const { key, value } of list(old<string>(keys.transfers))) {
    bsnOf.set(key, value.bsn);
    bytesOf.set(key, value.bytes);
    const derived = value.state === 'receiving' ? null : 0;
    const added = { reports: 0, studies: studiesOf.get(key) ?? 0, derived, setAside: 0 };
    tx.put(old(keys.transfers), key, { ...value, ...added });
  }
  for (const { key, value } of list(old<string>(keys.mailboxes))) {
    tx.put(old(keys.mailboxes), key, { ...value, ...mailboxDefaults });
  }
  for (const { key, value } of list(old<string>(keys.organizations))) {
    tx.put(old(keys.organizations), key, { ...value, issuerOfPatientId: null });
  }
  for (const { key, value } of list(old<string>(keys.manifests))) {
    tx.put(old(keys.manifests), key, { ...value, reports: [] });
  }
  for (const { key, value } of list(old<string>(keys.follows))) {
    tx.put(old(keys.follows), key, { ...value, walk: walkOf(value.walk) });
  }
  for (const { key, value } of list(old<string>(keys.deliveries))) {
    const { dialect } = value.recipe as { dialect: Old };
    const recipe = {
      ...recipeDefaults,
      bsn: bsnOf.get(String(value.transfer)) ?? null,
      dialect: { ...dialect, otherPatientIds: false, patientId: 'keep', originalAttributes: false },
    };
    const added = { recipe, bytes: bytesOf.get(String(value.transfer)) ?? 0, leftOut: {}, untagged: {} };
    tx.put(old(keys.deliveries), key, { ...value, ...added });
  }
}

/** The stage of an upload that is one instance has another name, and an open part says what it is. */
function walkOf(walk: unknown): unknown {
  if (typeof walk !== 'object' || walk === null || !('stage' in walk)) return walk;
  const open = 'open' in walk && typeof walk.open === 'object' ? walk.open : null;
  return {
    ...walk,
    stage: walk.stage === 'instance' ? 'whole' : walk.stage,
    open: open === null ? null : { ...open, kind: 'instance' },
  };
}

/** The table as records without a type of today. */
function old<K extends KeyPart | readonly KeyPart[]>(table: { readonly name: string }): Table<K, Old> {
  return { name: table.name };
}
