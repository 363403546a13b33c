import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { Outbox } from '../../src/transfer/outbox.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { until as waitUntil } from '../support/until.ts';
import { multipart, openSending, packageOf, type Sending, slices } from './sending.ts';
import { manifestOf, uploadRecord, zuid } from './world.ts';

describe('the outbox', () => {
  const pool = new WorkPool({ workers: 1 });
  let world: Sending;

  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(2000)));
  beforeEach(async () => {
    world = await openSending(pool);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await world.close();
  });

  const noted = (): string[] => [...world.state.list(keys.outbox)].map(({ key }) => key);
  const until = (holds: () => boolean): Promise<void> => waitUntil(holds, () => world.lines.slice(-5));
  /** As the engine does in the commit that makes an upload received. */
  const receive = (upload: string): Promise<void> =>
    world.state.commit((tx) => tx.put(keys.outbox, upload, Date.now()));

  it('holds the uploads of a transfer from the commit that claims each to the one that decides it', async () => {
    const { id } = await world.open();
    const whole = packageOf(slices(2));
    const first = await world.upload(whole, multipart, { transfer: id });
    const second = await world.upload(whole.subarray(0, 900), multipart, {
      transfer: id,
      length: whole.byteLength,
      state: 'receiving',
    });
    expect(noted().toSorted()).toEqual([first.id, second.id].toSorted());
    world.follower.follow(first.id);
    await until(() => world.state.get(keys.follows, first.id)?.state === 'done');
    expect(noted().toSorted()).toEqual([first.id, second.id].toSorted());
    const found = await Promise.all(slices(2).map(({ bytes }) => world.find(bytes)));
    await world.transfers.seal(zuid, id, manifestOf(found));
    world.follower.follow(first.id);
    await until(() => world.settled.length > 0);
    expect(world.transfer(id).state).toBe('ready');
    expect(noted()).toEqual([]);
  });

  it('is all that a start looks at, however many uploads are known', async () => {
    const decided = await world.send(packageOf(slices(1)), multipart);
    const open = await world.upload(packageOf(slices(2)), multipart, {
      from: 'zuid.main',
      to: ['noord.mri'],
    });
    const list = vi.spyOn(world.state, 'list');
    await world.follow().start();
    await until(() => world.settled.length > 1);
    expect(list.mock.calls.filter(([table]) => table.name === keys.uploads.name)).toEqual([]);
    expect(world.settled.map(({ uploads }) => uploads)).toEqual([decided.uploads, [open.id]]);
  });

  it('brings a transfer to its end whose manifest was sealed just before a kill', async () => {
    const { id } = await world.open();
    const { id: upload } = await world.upload(packageOf(slices(2)), multipart, { transfer: id });
    world.follower.follow(upload);
    await until(() => world.state.get(keys.follows, upload)?.state === 'done');
    // Also where nothing was left of it.
    await world.state.commit((tx) => tx.remove(keys.outbox, upload));
    const found = await Promise.all(slices(2).map(({ bytes }) => world.find(bytes)));
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.follow().start();
    await until(() => world.transfer(id).state === 'ready');
  });

  it('lets go of what comes to its end when its transfer is decided without it, or has none', async () => {
    const { transfer, id } = await world.upload(packageOf(slices(1)), multipart);
    expect(transfer).toBeNull();
    const sent = await world.send(packageOf(slices(2)), multipart);
    const late = uploadRecord(sent.id, { offset: 0 });
    await world.state.commit((tx) => tx.put(keys.uploads, late.id, late));
    for (const upload of [id, late.id, 'gone']) {
      await receive(upload);
      world.follower.follow(upload);
    }
    await until(() => noted().length === 0);
  });

  it('takes out at a start what nobody waits for', async () => {
    const sent = await world.send(packageOf(slices(2)), multipart);
    await receive(sent.uploads[0] ?? '');
    await receive('gone');
    await world.follow().start();
    await until(() => noted().length === 0);
    expect(world.settled).toHaveLength(1);
  });

  it('keeps a note that is newer than what was done', async () => {
    const outbox = new Outbox(world.state);
    await world.state.commit((tx) => tx.put(keys.outbox, 'one', 5));
    await outbox.done({ upload: 'one', at: 4 });
    expect(outbox.at('one')).toBe(5);
    const done = outbox.done({ upload: 'one', at: 5 });
    const newer = world.state.commit((tx) => tx.put(keys.outbox, 'one', 6));
    await Promise.all([done, newer]);
    expect(outbox.at('one')).toBe(6);
  });

  it('follows nothing of an upload before it is known to be what its sender says', async () => {
    const bytes = packageOf(slices(2));
    const digest = { algorithm: 'sha-256', value: new Uint8Array(32) } as const;
    const addresses = { from: 'zuid.main', to: ['noord.main'] };
    const upload = await world.upload(bytes, multipart, { ...addresses, digest, state: 'verifying' });
    const { done } = pool.metrics;
    await world.follow().start();
    world.follower.follow(upload.id);
    await world.follower.stop(AbortSignal.timeout(10_000));
    expect(pool.metrics.done).toBe(done);
    const now = world.state.get(keys.uploads, upload.id);
    if (now === undefined) throw new Error('it is gone');
    await world.state.commit((tx) => tx.put(keys.uploads, upload.id, { ...now, state: 'received' }));
    await world.follow().start();
    await until(() => world.settled.length > 0);
  });

  it('waits with one that ends when it is told to, though all of its bytes are there', async () => {
    const [instance] = slices(1);
    if (instance === undefined) throw new Error('no instance');
    const addresses = { from: 'zuid.main', to: ['noord.main'] };
    const upload = await world.upload(instance.bytes, 'application/dicom', {
      ...addresses,
      ends: 'when-told',
      state: 'receiving',
    });
    const follower = world.follow();
    follower.follow(upload.id);
    await follower.stop(AbortSignal.timeout(10_000));
    expect(world.state.get(keys.follows, upload.id)?.state ?? 'following').toBe('following');
    const now = world.state.get(keys.uploads, upload.id);
    if (now === undefined) throw new Error('it is gone');
    await world.state.commit((tx) => tx.put(keys.uploads, upload.id, { ...now, state: 'received' }));
    world.follower.follow(upload.id);
    await until(() => world.settled.length > 0);
    expect(world.settled[0]?.state).toBe('ready');
  });
});
