import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { StorageFull } from '../../src/storage/errors.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { smallPdf } from '../support/study/documents.ts';
import { until } from '../support/until.ts';
import { writeZip } from '../support/zip.ts';
import { poolOf } from '../work/support.ts';
import { multipart, openSending, packageOf, type Sending, slices, stow } from './sending.ts';

/** More than the failures after which each part is looked at by itself. */
const often = 8;
const full = () => new StorageFull('the disk is full: free space, then resume');

const pool = await poolOf({ workers: 1 });

describe('derived objects', () => {
  let world: Sending;
  beforeEach(async () => {
    world = await openSending(pool);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await world.close();
  });

  /** An archive of slices that all have to be unpacked. */
  const archive = (instances: number): Buffer =>
    writeZip(slices(instances).map(({ bytes }, at) => ({ name: `${at.toString()}.dcm`, data: bytes })));
  const sendArchive = async (instances: number): Promise<void> => {
    const { id } = await world.upload(archive(instances), 'application/zip', {
      from: 'zuid.main',
      to: ['noord.main'],
    });
    world.follower.follow(id);
  };
  const decided = (): Promise<void> =>
    until(
      () => world.settled.length > 0,
      () => world.lines.slice(-3),
    );

  it('wait for room on a full disk, however often they are tried, and nothing is held for that', async () => {
    const space = vi.spyOn(world.storage, 'space').mockResolvedValue({ freeBytes: 0, totalBytes: 1 });
    await sendArchive(3);
    await until(() => world.failures() >= often || world.settled.length > 0);
    expect(world.settled).toEqual([]);
    space.mockRestore();
    await decided();
    expect(world.settled).toMatchObject([{ state: 'ready', instances: 3, reasons: [] }]);
    expect(world.objectsOnDisk()).toHaveLength(3);
  });

  it('are gone after a try in which the disk became full, each by itself too', async () => {
    const inflate = pool.inflate.bind(pool);
    let room = 2;
    vi.spyOn(pool, 'inflate').mockImplementation((job, signal) =>
      room-- > 0 ? inflate(job, signal) : Promise.reject(full()),
    );
    const left = new Set<number>();
    vi.spyOn(world.log, 'error').mockImplementation((event, facts) => {
      world.lines.push({ event, facts });
      left.add(world.objectsOnDisk().length + world.objectsKnown().length);
      room = world.failures() < often ? 2 : Number.POSITIVE_INFINITY;
    });
    await sendArchive(3);
    await decided();
    expect(world.failures()).toBe(often);
    expect([...left]).toEqual([0]);
    expect(world.settled).toMatchObject([{ state: 'ready', instances: 3, reasons: [] }]);
  });

  it('are gone when what was found could not be recorded', async () => {
    const keep = vi.spyOn(world.derivedObjects, 'keep').mockImplementation(() => {
      throw full();
    });
    await sendArchive(2);
    await until(() => world.failures() >= often);
    expect(world.objectsOnDisk()).toEqual([]);
    keep.mockRestore();
    await decided();
    expect(world.settled).toMatchObject([{ state: 'ready', instances: 2, reasons: [] }]);
    expect(world.objectsKnown()).toEqual(['kept', 'kept']);
  });

  it('that were made for receivers are gone when they could not be recorded', async () => {
    await world.mailbox('west.pacs', stow);
    const keep = vi.spyOn(world.derivedObjects, 'keep').mockImplementation(() => {
      throw full();
    });
    const bytes = packageOf(slices(1), ['application/pdf', smallPdf()]);
    const { id } = await world.upload(bytes, multipart, { from: 'zuid.main', to: ['west.pacs'] });
    world.follower.follow(id);
    await until(() => world.failures() >= often);
    expect(world.objectsOnDisk()).toEqual([]);
    keep.mockRestore();
    await decided();
    expect(world.settled).toMatchObject([{ state: 'ready', derived: 1, reasons: [] }]);
  });

  it('that an item refers to are never removed, whoever asks', async () => {
    const transfer = await world.send(archive(1), 'application/zip');
    const [item] = world.items(transfer);
    const object = item?.extents[0]?.object as ObjectId;
    await world.derivedObjects.drop(transfer.id, [object]);
    await world.derivedObjects.start();
    expect(world.objectsOnDisk()).toHaveLength(1);
    expect(world.objectsKnown()).toEqual(['kept']);
  });

  it('that were being made when a kill came are removed at the next start, and no others', async () => {
    await world.send(archive(1), 'application/zip');
    const { object } = await world.derivedObjects.make('some transfer', 1, () => Promise.resolve());
    await world.state.commit((tx) => tx.put(keys.derivedObjects, ['another', 'd-0'], 'making'));
    expect(world.objectsOnDisk()).toHaveLength(2);
    await world.derivedObjects.start();
    expect(world.objectsOnDisk()).toHaveLength(1);
    expect(world.objectsOnDisk()[0]).not.toContain(object);
    expect(world.objectsKnown()).toEqual(['kept']);
  });

  it('whose dataset could not be looked into are tried again, and then held for the operator', async () => {
    const inflate = pool.inflate.bind(pool);
    let fails = 2;
    vi.spyOn(pool, 'inflate').mockImplementation(async (job, signal) => {
      const result = await inflate(job, signal);
      const error = {
        code: 'INSPECTION_FAILED',
        tag: '',
        offset: 0,
        reason: 'the inspection failed',
      } as const;
      return fails-- > 0 ? { ...result, inspection: { ...result.inspection, error } } : result;
    });
    const [slice] = slices(1, { transferSyntaxUid: '1.2.840.10008.1.2.1.99' });
    const transfer = await world.send(slice?.bytes ?? smallPdf(), 'application/dicom');
    expect(transfer).toMatchObject({ state: 'ready', reasons: [] });
    expect(world.failures()).toBe(2);
    expect(world.objectsOnDisk()).toHaveLength(1);
  });
});
