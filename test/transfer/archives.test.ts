import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { partsPerCallMax } from '../../src/study/limits.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { until } from '../support/until.ts';
import { writeZip } from '../support/zip.ts';
import { openSending, slices } from './sending.ts';
import { transferLimits } from './world.ts';

describe('an archive of more entries than one step takes', () => {
  const pool = new WorkPool({ workers: 1 });
  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(5000)));

  it('is gone on with at the next start, where a kill came between two steps: no entry twice, none missed', async () => {
    const world = await openSending(pool, { ...transferLimits, instancesMax: 2 * partsPerCallMax });
    try {
      const entries = slices(partsPerCallMax + 20, { bytesPerInstance: 512 }).map(({ bytes }, at) => ({
        name: `DICOM/${at.toString()}`,
        data: bytes,
        stored: at % 100 !== 0,
      }));
      const zip = writeZip([...entries, { name: 'viewer.exe', data: Buffer.from('MZ') }]);
      const { id, transfer } = await world.upload(zip, 'application/zip', {
        from: 'zuid.main',
        to: ['noord.main'],
      });
      expect(transfer).toBeNull();
      const record = world.recording.found.bind(world.recording);
      const found = vi
        .fn<typeof record>(() => Promise.reject(new Error('killed')))
        .mockImplementationOnce(record);
      const killed = world.follow({ recording: { found } });
      killed.follow(id);
      await until(() => world.failures() > 0);
      await killed.stop(AbortSignal.abort());
      const of = world.state.get(keys.uploads, id)?.transfer ?? '';
      expect(world.transfer(of)).toMatchObject({
        state: 'receiving',
        instances: partsPerCallMax,
        setAside: 0,
      });
      await world.derivedObjects.start();
      await world.follower.start();
      await until(() => world.settled.length > 0);
      expect(world.settled).toMatchObject([{ state: 'ready', instances: entries.length, setAside: 1 }]);
      expect(new Set(world.items(world.transfer(of)).map(({ sopInstanceUid }) => sopInstanceUid)).size).toBe(
        entries.length,
      );
      expect(world.objectsKnown()).toEqual(Array<string>(Math.ceil(entries.length / 100)).fill('kept'));
      expect(world.objectsOnDisk()).toHaveLength(world.objectsKnown().length);
    } finally {
      await world.close();
    }
  });
});
