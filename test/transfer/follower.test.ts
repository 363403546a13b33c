import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { TransferRecord } from '../../src/state/records.ts';
import { Checking } from '../../src/transfer/checking.ts';
import { Follower } from '../../src/transfer/follower.ts';
import { transferView } from '../../src/transfer/views.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { writePackage } from '../study/support.ts';
import { generateStudy } from '../support/study/study.ts';
import { manifestOf, openWorld, transferLimits, uploadRecord, type World, zuid } from './world.ts';

const filetype = 'multipart/related; type="application/dicom"; boundary=B';

describe('the follower', () => {
  const pool = new WorkPool({ workers: 1 });
  let world: World;
  let settled: TransferRecord[];
  let follower: Follower;
  let seed = 500;

  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(2000)));
  beforeEach(async () => {
    world = await openWorld();
    settled = [];
    follower = open();
  });
  afterEach(async () => {
    await follower.stop();
    await world.close();
  });

  const open = (checking = world.checking): Follower => {
    const { state, storage, keyRing, log } = world;
    return new Follower({
      state,
      storage,
      keyRing,
      pool,
      log,
      checking,
      onSettled: (one) => settled.push(one),
    });
  };
  const until = async (holds: () => boolean): Promise<void> => {
    const deadline = Date.now() + 10_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`did not come about: ${JSON.stringify(world.lines)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const study = (instances: number) => [
    ...generateStudy({ modality: 'CT', instances, seed: seed++, bytesPerInstance: 2048 }),
  ];
  /** An upload of a package of which the first `published` bytes are there. */
  const upload = async (transfer: string, parts: readonly { bytes: Uint8Array }[], share = 1) => {
    const bytes = writePackage({ parts: parts.map((part) => ({ data: part.bytes })), epilogue: '\r\nend' });
    const { object } = await world.store(bytes);
    const offset = Math.floor(bytes.byteLength * share);
    const record = uploadRecord(transfer, { object, filetype, length: bytes.byteLength, offset });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, record.id, record);
      world.transfers.claim(tx, record);
    });
    return {
      id: record.id,
      publish: () =>
        world.state.commit((tx) => tx.put(keys.uploads, record.id, { ...record, offset: bytes.byteLength })),
    };
  };
  const sealed = async (instances: ReturnType<typeof study>): Promise<string> => {
    const { id } = await world.open();
    const found = await Promise.all(instances.map(({ bytes }) => world.find(bytes)));
    await world.transfers.seal(zuid, id, manifestOf(found));
    return id;
  };

  it('inspects an upload behind what is published of it, and settles its transfer once', async () => {
    const instances = study(5);
    const id = await sealed(instances);
    const { id: one, publish } = await upload(id, instances, 0.5);
    follower.follow(one);
    await until(() => world.transfer(id).instances === 2);
    expect(world.transfer(id).state).toBe('receiving');
    await publish();
    for (let again = 0; again < 5; again++) follower.follow(one);
    await until(() => settled.length > 0);
    follower.follow(one);
    await follower.stop();
    expect(settled.map(({ state }) => state)).toEqual(['ready']);
    expect(world.transfer(id)).toMatchObject({ state: 'ready', instances: 5, reasons: [] });
  });

  it('goes on at the next start where a kill came between the last finding and the decision', async () => {
    const instances = study(2);
    const id = await sealed(instances);
    const { id: one } = await upload(id, instances);
    const { state, keyRing } = world;
    const killed = new Checking({ state, keyRing, limits: transferLimits, onReady: () => undefined });
    killed.settle = () => new Promise(() => undefined);
    open(killed).follow(one);
    await until(() => world.state.get(keys.follows, one)?.state === 'done');
    expect(world.transfer(id).state).toBe('receiving');
    await follower.start();
    await until(() => settled.length > 0);
    expect(world.transfer(id).state).toBe('ready');
  });

  it('lets an upload be that goes on after its transfer was decided without it', async () => {
    const instances = study(2);
    const id = await sealed(instances);
    const late = await upload(id, study(3), 0.01);
    const whole = await upload(id, instances);
    follower.follow(whole.id);
    await until(() => settled.length > 0);
    const { done } = pool.metrics;
    await late.publish();
    follower.follow(late.id);
    await until(() => world.state.get(keys.follows, late.id)?.state === 'done');
    await follower.stop();
    expect(pool.metrics.done - done).toBeLessThanOrEqual(1);
    expect(world.transfer(id)).toMatchObject({ state: 'ready', instances: 2 });
  });

  it('decides when all that is listed has come, though an upload was cut within its end', async () => {
    const instances = study(2);
    const id = await sealed(instances);
    const cut = await upload(id, instances, 0.9999);
    follower.follow(cut.id);
    await until(() => settled.length > 0);
    expect(settled.map(({ state }) => state)).toEqual(['ready']);
  });

  it('says where and why an upload could not be read as a package', async () => {
    const { id } = await world.open();
    const whole = Buffer.from(writePackage({ parts: study(2).map(({ bytes }) => ({ data: bytes })) }));
    const bytes = whole.subarray(0, whole.byteLength - 3);
    const { object } = await world.store(bytes);
    const sizes = { length: bytes.byteLength, offset: bytes.byteLength };
    const record = uploadRecord(id, { object, filetype, ...sizes });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, record.id, record);
      world.transfers.claim(tx, record);
    });
    follower.follow(record.id);
    await until(() => settled.length > 0);
    expect(transferView(world.state, world.transfer(id))).toMatchObject({
      state: 'held',
      problems: [
        {
          sopInstanceUid: '',
          reasons: ['PACKAGE_BROKEN'],
          detail: `the upload ends before its package does (byte ${bytes.byteLength.toString()} of the upload)`,
        },
      ],
    });
  });

  it('reads a large instance ahead of its end, and leaves no work behind when that is given up', async () => {
    const large = new Uint8Array(70 * 1024 * 1024);
    const [small] = study(1);
    if (small === undefined) throw new Error('no instance');
    const id = await sealed([small]);
    const late = await upload(id, [{ bytes: large }], 0.1);
    follower.follow(late.id);
    await until(() => pool.metrics.chains === 1);
    const whole = await upload(id, [small]);
    follower.follow(whole.id);
    await until(() => settled.length > 0);
    await late.publish();
    follower.follow(late.id);
    await until(() => world.state.get(keys.follows, late.id)?.state === 'done');
    await until(() => pool.metrics.chains === 0);
    expect(world.transfer(id)).toMatchObject({ state: 'ready', instances: 1 });
  });
});
