import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys, type Table } from '../../src/state/keys.ts';
import { State } from '../../src/state/state.ts';
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
  delivery: {
    id: 'x',
    transfer: 't',
    recipe: { version: 1, dialect: { name: 'nl-2010', otherPatientId: null } },
  },
};

describe('records of schema 1', () => {
  let folder: TempFolder;
  let state: State;
  beforeEach(async () => {
    folder = await openTempFolder('sluis-migrations');
    const old = await State.open(folder.file('state'));
    const put = <K extends string | readonly (string | number)[]>(
      table: { readonly name: string },
      key: K,
      value: unknown,
    ) => old.commit((tx) => tx.put({ name: table.name } as Table<K, unknown>, key, value));
    await put(keys.transfers, 't', before.transfer);
    await put(keys.transfers, 'd', before.decided);
    await put(keys.instances, ['t', 0], before.instance);
    await put(keys.instances, ['t', 1], before.unread);
    await put(keys.manifests, 't', before.manifest);
    await put(keys.follows, 'u', before.follow);
    await put(keys.deliveries, 'x', before.delivery);
    await put(keys.meta, 'schema', 1);
    await old.close();
    state = await State.open(folder.file('state'));
  });
  afterEach(async () => {
    await state.close();
    await folder.remove();
  });

  it('are read by this version as items, with their studies counted', () => {
    expect(state.get(keys.meta, 'schema')).toBe(2);
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

  it('are migrated once', async () => {
    await state.close();
    state = await State.open(folder.file('state'));
    expect(state.get(keys.studies, ['t', '1.2'])).toEqual({ instances: 1, bytes: 10 });
  });
});
