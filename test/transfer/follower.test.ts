import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { Priority, TransferRecord } from '../../src/state/records.ts';
import { Examiner } from '../../src/transfer/examiner.ts';
import { Follower, type FollowerParts } from '../../src/transfer/follower.ts';
import { Recording } from '../../src/transfer/recording.ts';
import { transferView } from '../../src/transfer/views.ts';
import { WorkerLost } from '../../src/work/errors.ts';
import type { Inspection } from '../../src/work/jobs.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { ct, part10 } from '../dicom/builder.ts';
import { writePackage } from '../study/support.ts';
import { generateStudy } from '../support/study/study.ts';
import { until as waitUntil } from '../support/until.ts';
import { manifestOf, openWorld, transferLimits, uploadRecord, type World, zuid } from './world.ts';

const filetype = 'multipart/related; type="application/dicom"; boundary=B';
const MIB = 1024 * 1024;
/** No DICOM, but large enough to be read ahead. */
const zeros = new Uint8Array(65 * MIB);
const roomy = { ...transferLimits, instanceBytesMax: 1024 * MIB, transferBytesMax: 1024 * MIB };

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
    vi.restoreAllMocks();
    await follower.stop(AbortSignal.timeout(10_000));
    await world.close();
  });

  const open = (parts: Partial<FollowerParts> = {}, workers = pool): Follower => {
    return new Follower({
      ...world,
      examiner: new Examiner({ ...world, pool: workers, limits: transferLimits }),
      pool: workers,
      archiveBytesMax: transferLimits.transferBytesMax,
      retryMs: 1,
      onSettled: (one) => settled.push(one),
      ...parts,
    });
  };
  const roomyRecording = (): Recording => new Recording({ ...world, limits: roomy });
  const until = (holds: () => boolean): Promise<void> => waitUntil(holds, () => world.lines);
  const study = (instances: number) => [
    ...generateStudy({ modality: 'CT', instances, seed: seed++, bytesPerInstance: 2048 }),
  ];
  /** An upload of a package of which the first `published` bytes are there. */
  const upload = async (transfer: string, parts: readonly { bytes: Uint8Array }[], share = 1) => {
    const bytes = writePackage({ parts: parts.map((part) => ({ data: part.bytes })), epilogue: '\r\nend' });
    const { object } = await world.store(bytes);
    const offset = Math.floor(bytes.byteLength * share);
    const record = uploadRecord(transfer, {
      content: { of: 'object', object },
      filetype,
      length: bytes.byteLength,
      offset,
    });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, record.id, record);
      world.transfers.claim(tx, record);
    });
    return {
      id: record.id,
      publish: (part = 1) => {
        const published = { ...record, offset: Math.floor(bytes.byteLength * part) };
        return world.state.commit((tx) => tx.put(keys.uploads, record.id, published));
      },
    };
  };
  const sealed = async (
    instances: ReturnType<typeof study>,
    priority: Priority = 'routine',
  ): Promise<string> => {
    const { id } = await world.open({ priority });
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
    await follower.stop(AbortSignal.timeout(10_000));
    expect(settled.map(({ state }) => state)).toEqual(['ready']);
    expect(world.transfer(id)).toMatchObject({ state: 'ready', instances: 5, reasons: [] });
  });

  it('goes on at the next start where a kill came between the last finding and the decision', async () => {
    const instances = study(2);
    const id = await sealed(instances);
    const { id: one } = await upload(id, instances);
    const killed = { settle: () => new Promise<undefined>(() => undefined) };
    open({ checking: killed }).follow(one);
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
    await follower.stop(AbortSignal.timeout(10_000));
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
    const record = uploadRecord(id, { content: { of: 'object', object }, filetype, ...sizes });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, record.id, record);
      world.transfers.claim(tx, record);
    });
    follower.follow(record.id);
    await until(() => settled.length > 0);
    expect(transferView(world, world.transfer(id), 'sender')).toMatchObject({
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

  it('reads a large instance ahead of its end, and leaves no work behind when its transfer is decided', async () => {
    const [small] = study(1);
    if (small === undefined) throw new Error('no instance');
    const id = await sealed([small]);
    const late = await upload(id, [{ bytes: zeros }], 0.1);
    follower.follow(late.id);
    await until(() => pool.metrics.chains === 1);
    const whole = await upload(id, [small]);
    follower.follow(whole.id);
    await until(() => settled.length > 0);
    await until(() => pool.metrics.chains === 0);
    await until(() => world.state.get(keys.follows, late.id)?.state === 'done');
    expect(world.transfer(id)).toMatchObject({ state: 'ready', instances: 1 });
  });

  it('leaves no work behind of an upload that is gone', async () => {
    const { id } = await world.open();
    const gone = await upload(id, [{ bytes: zeros }], 0.1);
    follower.follow(gone.id);
    await until(() => pool.metrics.chains === 1);
    await world.state.commit((tx) => tx.remove(keys.uploads, gone.id));
    follower.follow(gone.id);
    await until(() => pool.metrics.chains === 0);
  });

  it('uses what it read ahead for every large instance, also where one ends as the next begins', async () => {
    const { id } = await world.open();
    const three = await upload(id, [{ bytes: zeros }, { bytes: zeros }, { bytes: zeros }], 0.1);
    const begun = vi.spyOn(pool, 'inspectChain');
    const inspected = vi.spyOn(pool, 'inspect');
    const large = open({ recording: roomyRecording() });
    for (const [share, parts] of [
      [0.1, 0],
      [0.4, 1],
      [0.8, 2],
      [1, 3],
    ] as const) {
      await three.publish(share);
      large.follow(three.id);
      await until(() => world.transfer(id).instances === parts);
      await until(() => pool.metrics.chains === (share < 1 ? 1 : 0));
    }
    await large.stop(AbortSignal.timeout(10_000));
    expect(begun).toHaveBeenCalledTimes(3);
    expect(inspected.mock.calls.flatMap(([jobs]) => jobs)).toEqual([]);
  });

  it('leaves a large instance until it is whole when its head is more than its worker can keep', async () => {
    const { id } = await world.open();
    const block = { tag: 0x00091010, vr: 'OB', value: zeros.subarray(0, 15 * MIB) };
    const pixels = { tag: 0x7fe00010, vr: 'OW', value: zeros.subarray(0, 50 * MIB) };
    const parts = [{ bytes: part10(ct([block, pixels]), 'explicit-le') }];
    const workers = new WorkPool({ workers: 1 });
    await workers.start();
    const begun = vi.spyOn(workers, 'inspectChain');
    const large = open({ recording: roomyRecording() }, workers);
    const uploads = [];
    for (let number = 1; number <= 3; number++) {
      const one = await upload(id, parts, 0.18);
      uploads.push(one);
      large.follow(one.id);
      await until(() => {
        const { running, queued } = workers.metrics;
        return begun.mock.calls.length === number && running + queued === 0;
      });
    }
    const third = uploads.at(-1);
    if (third === undefined) throw new Error('no upload');
    await until(() => workers.metrics.chains === 2);
    for (const share of [0.2, 1]) {
      await third.publish(share);
      large.follow(third.id);
    }
    await until(() => world.transfer(id).instances === 1);
    await large.stop(AbortSignal.timeout(10_000));
    await workers.stop(AbortSignal.abort());
    expect(begun).toHaveBeenCalledTimes(3);
    expect(world.state.get(keys.instances, [id, 0])).toMatchObject({ verdict: 'accepted', reasons: [] });
    expect(world.lines.filter(({ event }) => event === 'follower.failed')).toEqual([]);
  });

  it('is silent about an upload that goes while it is being inspected, and notes nothing of it', async () => {
    const instances = study(2);
    const transfer = await sealed(instances);
    const { id } = await upload(transfer, instances);
    const inspect = pool.inspect.bind(pool);
    vi.spyOn(pool, 'inspect').mockImplementation(async (jobs) => {
      const before = world.transfer(transfer);
      await world.state.commit((tx) => {
        tx.remove(keys.uploads, id);
        tx.put(keys.transfers, transfer, { ...before, state: 'expired' });
      });
      return inspect(jobs);
    });
    follower.follow(id);
    await follower.stop(AbortSignal.timeout(10_000));
    expect(world.state.get(keys.follows, id)).toBeUndefined();
    const other = await upload((await world.open()).id, instances);
    const again = open();
    vi.spyOn(pool, 'inspect').mockImplementation(async () => {
      await world.state.commit((tx) => tx.remove(keys.uploads, other.id));
      throw new WorkerLost();
    });
    again.follow(other.id);
    await again.stop(AbortSignal.timeout(10_000));
    expect(world.lines.filter(({ event }) => event === 'follower.failed')).toEqual([]);
  });

  it('does not try again before its time, however often more is published', async () => {
    const patient = open({ retryMs: 60_000 });
    const tried = vi.spyOn(pool, 'inspect').mockRejectedValue(new WorkerLost());
    const instances = study(2);
    const { id } = await upload(await sealed(instances), instances);
    patient.follow(id);
    await until(() => world.lines.some(({ event }) => event === 'follower.failed'));
    for (let more = 0; more < 20; more++) {
      patient.follow(id);
      await new Promise((next) => setImmediate(next));
    }
    await patient.stop(AbortSignal.timeout(10_000));
    expect(tried).toHaveBeenCalledTimes(1);
  });

  it.each<[string, Priority, (inspection: Inspection) => Inspection]>([
    [
      'whose inspection fails',
      'routine',
      (inspection) => ({
        ...inspection,
        error: {
          code: 'INSPECTION_FAILED',
          tag: '',
          offset: 0,
          reason: 'the inspection failed (RangeError)',
        },
      }),
    ],
    [
      'that takes its worker with it',
      'acute',
      () => {
        throw new WorkerLost();
      },
    ],
  ])(
    'holds for the operator an instance %s time and again (%s), and finds the others',
    async (_, priority, fail) => {
      const instances = study(5);
      const id = await sealed(instances, priority);
      const [, , odd] = instances;
      const digest = createHash('sha256')
        .update(odd?.bytes ?? '')
        .digest();
      const inspect = pool.inspect.bind(pool);
      vi.spyOn(pool, 'inspect').mockImplementation(async (jobs) => {
        const found = await inspect(jobs);
        return found.map((one) => (digest.equals(one.sha256) ? fail(one) : one));
      });
      const one = await upload(id, instances);
      const failures = () => world.lines.filter(({ event }) => event === 'follower.failed').length;
      follower.follow(one.id);
      await until(() => settled.length > 0);
      expect(failures()).toBe(5);
      expect(world.lines.filter(({ event }) => event === 'follower.instance-held')).toHaveLength(1);
      expect(world.transfer(id)).toMatchObject({ state: 'held', reasons: ['INSPECTION_FAILED'] });
      const verdicts = [...world.state.list(keys.instances, { prefix: [id] })].map(
        ({ value }) => value.verdict,
      );
      expect(verdicts).toEqual(['accepted', 'accepted', 'held', 'accepted', 'accepted']);
      expect(transferView(world, world.transfer(id), 'sender').problems).toMatchObject([
        {
          reasons: ['INSPECTION_FAILED'],
          detail: expect.stringMatching(/the inspection failed \((RangeError|WorkerLost)\)/),
        },
      ]);
    },
  );
});
