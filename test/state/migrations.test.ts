import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DigestTable } from '../../src/delivery/digest-table.ts';
import { keys, type Table } from '../../src/state/keys.ts';
import { State, type Transaction } from '../../src/state/state.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

/** Records as schema 1 had them, without what no migration looks at. */
const before = {
  transfer: {
    id: 't',
    state: 'receiving',
    bsn: new Uint8Array([1]),
    instances: 2,
    bytes: 30,
    uploads: ['u'],
  },
  decided: { id: 'd', state: 'ready', bsn: null, instances: 0, bytes: 0, uploads: [] },
  instance: { scan: { studyInstanceUid: '1.2' }, sopInstanceUid: '1.2.3', bytes: 10 },
  unread: { scan: null, sopInstanceUid: '', bytes: 20 },
  manifest: { entries: new Uint8Array(104), sealedAt: 5 },
  follow: {
    walk: { stage: 'instance', boundary: '', at: 0, open: { start: 0, bytes: 9 }, parts: 0, fault: null },
    instances: 0,
    state: 'following',
  },
  upload: { id: 'u', transfer: 't', object: 'u-ab', length: 9, offset: 4, state: 'receiving', lastByteAt: 6 },
  received: {
    id: 'v',
    transfer: 'd',
    object: 'u-cd',
    length: 9,
    offset: 9,
    state: 'received',
    lastByteAt: 7,
  },
  delivery: {
    id: 'x',
    transfer: 't',
    of: 2,
    recipe: { version: 1, dialect: { name: 'nl-2010', otherPatientId: null } },
  },
};

/** Two instances as schema 1 kept their digests: SHA-256, CRC-32 and length, and nothing more. */
function digestsBefore(): Uint8Array {
  const stored = Buffer.alloc(88);
  for (const [position, bytes] of [500, 700].entries()) {
    stored.fill(position + 1, 44 * position, 44 * position + 32);
    stored.writeUInt32BE(0xdeadbee0 + position, 44 * position + 32);
    stored.writeDoubleBE(bytes, 44 * position + 36);
  }
  return stored;
}

type Change = (tx: Transaction) => unknown;

const putInto =
  (state: State) =>
  <K extends string | readonly (string | number)[]>(
    table: { readonly name: string },
    key: K,
    value: unknown,
  ): Promise<void> =>
    state.commit((tx) => tx.put({ name: table.name } as Table<K, unknown>, key, value));

describe('records of schema 1', () => {
  let folder: TempFolder;
  let state: State;
  beforeEach(async () => {
    folder = await openTempFolder('sluis-migrations');
    const old = await State.open(folder.file('state'));
    const put = putInto(old);
    await put(keys.transfers, 't', before.transfer);
    await put(keys.transfers, 'd', before.decided);
    await put(keys.instances, ['t', 0], before.instance);
    await put(keys.instances, ['t', 1], before.unread);
    await put(keys.manifests, 't', before.manifest);
    await put(keys.follows, 'u', before.follow);
    await put(keys.uploads, 'u', before.upload);
    await put(keys.uploads, 'v', before.received);
    await put(keys.deliveries, 'x', before.delivery);
    await put(keys.digests, 'x', digestsBefore());
    await put(keys.meta, 'schema', 1);
    await old.close();
    state = await State.open(folder.file('state'));
  });
  afterEach(async () => {
    await state.close();
    await folder.remove();
  });

  it('are read by this version as items, with their studies counted', () => {
    expect(state.get(keys.meta, 'schema')).toBe(3);
    expect(state.get(keys.transfers, 't')).toMatchObject({
      reports: 0,
      studies: 1,
      derived: null,
      setAside: 0,
    });
    expect(state.get(keys.transfers, 'd')).toMatchObject({ studies: 0, derived: 0 });
    expect(state.get(keys.instances, ['t', 0])).toMatchObject({
      ...before.instance,
      crc32: null,
      report: null,
      inflated: null,
      foreign: [],
      derivedFrom: null,
    });
    expect(state.get(keys.studies, ['t', '1.2'])).toEqual({ instances: 1, bytes: 10 });
    expect(state.get(keys.manifests, 't')).toMatchObject({ reports: [], sealedAt: 5 });
  });

  it('are uploads of one object that end with their last byte; those of an undecided transfer are to be taken up', () => {
    const more = { isPartial: false, ends: 'at-length', digest: null, blockCrc: null };
    const { object: _, ...upload } = before.upload;
    expect(state.get(keys.uploads, 'u')).toEqual({
      ...{ ...upload, ...more },
      content: { of: 'object', object: 'u-ab' },
    });
    expect(state.get(keys.uploads, 'v')?.content).toEqual({ of: 'object', object: 'u-cd' });
    expect([...state.list(keys.outbox)]).toEqual([{ key: 'u', value: 6 }]);
  });

  it('let a walk go on where it stood', () => {
    expect(state.get(keys.follows, 'u')?.walk).toMatchObject({
      stage: 'whole',
      open: { start: 0, bytes: 9, kind: 'instance' },
    });
  });

  it('promise a receiver of a delivery under way the bytes that it was promised', () => {
    const delivery = state.get(keys.deliveries, 'x');
    expect(delivery?.recipe).toMatchObject({
      version: 2,
      issuer: null,
      dialect: { name: 'nl-2010', otherPatientIds: false, patientId: 'keep', originalAttributes: false },
    });
    expect(delivery?.recipe.bsn).toEqual(Buffer.from([1]));
    expect(delivery).toMatchObject({ bytes: 30, leftOut: {}, untagged: {} });
  });

  it('keep the digests of what a receiver was offered, and give each a name of its own', () => {
    const table = new DigestTable(state.get(keys.digests, 'x') ?? 0);
    expect([0, 1].map((position) => table.get(position))).toEqual([
      { sha256: '01'.repeat(32), crc32: 0xdeadbee0, bytes: 500 },
      { sha256: '02'.repeat(32), crc32: 0xdeadbee1, bytes: 700 },
    ]);
    expect([0, 1].map((position) => [table.mediaTypeOf(position), table.nameOf(position)])).toEqual([
      ['application/dicom', 'DICOM/ST000001/SE000001/IM000001.dcm'],
      ['application/dicom', 'DICOM/ST000001/SE000001/IM000002.dcm'],
    ]);
  });

  it('come to the same after a kill at whatever record the migration had come to', async () => {
    const all = () =>
      Object.values(keys).map((table) => [...state.list({ name: table.name } as Table<string, unknown>)]);
    const migrated = all();
    await putInto(state)(keys.meta, 'schema', 1);
    // Some are new by now, others are as they were.
    await putInto(state)(keys.instances, ['t', 1], before.unread);
    await putInto(state)(keys.follows, 'u', before.follow);
    await putInto(state)(keys.uploads, 'u', before.upload);
    await state.close();
    state = await State.open(folder.file('state'));
    expect(all()).toEqual(migrated);
  });

  it('are written in pieces that fit into memory, and all of them', async () => {
    const put = putInto(state);
    const count = 2_500;
    for (const id of ['a', 'b']) {
      await put(keys.transfers, id, { ...before.transfer, id, instances: count });
      await state.commit((tx) => {
        for (let number = 0; number < count; number++) {
          const scan = { studyInstanceUid: `1.${number % 3}` };
          const instances = { name: keys.instances.name } as Table<readonly [string, number], unknown>;
          tx.put(instances, [id, number], { ...before.instance, scan });
        }
      });
    }
    await put(keys.meta, 'schema', 1);
    await state.close();
    const written: number[] = [];
    type Commit = (this: State, change: Change) => Promise<unknown>;
    const commit = Reflect.get(State.prototype, 'commit') as Commit;
    vi.spyOn(State.prototype, 'commit').mockImplementation(function (this: State, change: Change) {
      return commit.call(this, (tx) => {
        const put = vi.fn(tx.put.bind(tx) as Transaction['put']);
        const result = change({ get: tx.get.bind(tx), remove: tx.remove.bind(tx), put });
        written.push(put.mock.calls.length);
        return result;
      });
    } as State['commit']);
    state = await State.open(folder.file('state'));
    vi.restoreAllMocks();
    expect(Math.max(...written)).toBeLessThanOrEqual(1_000);
    for (const id of ['a', 'b']) {
      expect(state.get(keys.transfers, id)).toMatchObject({ studies: 3 });
      expect(state.get(keys.studies, [id, '1.1'])).toEqual({ instances: 833, bytes: 8_330 });
      const items = [...state.list(keys.instances, { prefix: [id] })];
      expect(items.filter(({ value }) => value.derivedFrom === null)).toHaveLength(count);
    }
  });

  it('are migrated once', async () => {
    await state.close();
    state = await State.open(folder.file('state'));
    expect(state.get(keys.studies, ['t', '1.2'])).toEqual({ instances: 1, bytes: 10 });
  });
});
