import type { Key } from '../keys.ts';
import { keys, type Table } from '../keys.ts';
import type { Migrating, Write } from './index.ts';

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
export function* migrateItems(before: Migrating): Generator<Write> {
  // Deliveries look at their transfers, which say the same before and after.
  yield* deliveries(before);
  for (const { key, value } of before.list(old<string>(keys.transfers))) {
    yield* transfer(before, key, value);
  }
  for (const { key, value } of before.list(old<string>(keys.mailboxes))) {
    yield put(keys.mailboxes, key, { ...value, ...mailboxDefaults });
  }
  for (const { key, value } of before.list(old<string>(keys.organizations))) {
    yield put(keys.organizations, key, { ...value, issuerOfPatientId: null });
  }
  for (const { key, value } of before.list(old<string>(keys.manifests))) {
    yield put(keys.manifests, key, { ...value, reports: [] });
  }
  for (const { key, value } of before.list(old<string>(keys.follows))) {
    yield put(keys.follows, key, { ...value, walk: walkOf(value.walk) });
  }
}

function* transfer(before: Migrating, id: string, value: Old): Generator<Write> {
  const studies = new Map<string, { instances: number; bytes: number }>();
  for (const { key, value: item } of before.list(old<readonly [string, number]>(keys.instances), {
    prefix: [id],
  })) {
    yield put(keys.instances, key, { ...item, ...instanceDefaults });
    const { bytes, scan } = item as { bytes: number; scan: { studyInstanceUid: string } | null };
    const study = scan?.studyInstanceUid ?? '';
    if (study !== '') {
      const counted = studies.get(study) ?? { instances: 0, bytes: 0 };
      studies.set(study, { instances: counted.instances + 1, bytes: counted.bytes + bytes });
    }
  }
  for (const [study, counted] of studies) {
    yield put(keys.studies, [id, study], counted);
  }
  const derived = value.state === 'receiving' ? null : 0;
  yield put(keys.transfers, id, { ...value, reports: 0, studies: studies.size, derived, setAside: 0 });
}

function* deliveries(before: Migrating): Generator<Write> {
  for (const { key, value } of before.list(old<string>(keys.deliveries))) {
    const { bsn = null, bytes = 0 } = before.get(old<string>(keys.transfers), String(value.transfer)) ?? {};
    const { dialect } = value.recipe as { dialect: Old };
    const recipe = {
      ...recipeDefaults,
      bsn,
      dialect: { ...dialect, otherPatientIds: false, patientId: 'keep', originalAttributes: false },
    };
    yield put(keys.deliveries, key, { ...value, recipe, bytes, leftOut: {}, untagged: {} });
    const digests = before.get({ name: keys.digests.name } as Table<string, Uint8Array>, key);
    if (digests !== undefined && digests.byteLength === Number(value.of) * digestBytes) {
      yield put(keys.digests, key, namedDigests(digests));
    }
  }
}

/** SHA-256, CRC-32 and length of one instance; behind them now kind (1), study, series and number (4 each). */
const digestBytes = 44;
const namedDigestBytes = digestBytes + 13;

/** Nobody was offered an archive in which they have names: one series in which each has a number of its own. */
function namedDigests(digests: Uint8Array): Uint8Array {
  const count = digests.byteLength / digestBytes;
  const named = new Uint8Array(count * namedDigestBytes);
  const view = new DataView(named.buffer);
  for (let position = 0; position < count; position += 1) {
    const at = position * namedDigestBytes;
    named.set(digests.subarray(position * digestBytes, (position + 1) * digestBytes), at);
    for (const [index, number] of [1, 1, position + 1].entries()) {
      view.setUint32(at + digestBytes + 1 + 4 * index, number);
    }
  }
  return named;
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
function old<K extends Key>(table: { readonly name: string }): Table<K, Old> {
  return { name: table.name };
}

function put<K extends Key>(table: Table<K, unknown>, key: K, value: unknown): Write {
  return { table: { name: table.name }, key, value };
}
