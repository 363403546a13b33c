import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FileRange } from '../../src/storage/storage.ts';
import { WorkerLost, WorkFailed, WorkQueueFull, WorkStopped } from '../../src/work/errors.ts';
import { HEADS_TOO_LARGE } from '../../src/work/jobs.ts';
import { chainsMax } from '../../src/work/limits.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { ct, part10 } from '../dicom/builder.ts';
import { mortalWorker, poolOf, temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const MIB = 1024 * 1024;

/** A file of zeros that takes no room; no DICOM, but something to read. */
async function zeros(name: string, bytes: number): Promise<FileRange> {
  const path = join(folder, name);
  await writeFile(path, '');
  await truncate(path, bytes);
  return { path, start: 0, bytes };
}

const small = { ranges: [await zeros('small.dcm', 100)] };
const deadly = { ranges: [await zeros('deadly.dcm', 100)] };
const throwing = { ranges: [await zeros('throws.dcm', 100)] };
const single = { ranges: [await zeros('single.dcm', 64 * MIB)] };

describe('a worker that dies', () => {
  it.each([
    ['ends its thread', deadly],
    ['throws past its task', throwing],
  ])('takes only its own job with it: one that %s', async (_, job) => {
    const pool = await poolOf({ workers: 2, entry: mortalWorker });
    const calls = [small, job, small, small].map((one) => pool.inspect([one]));
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    const [, lost] = settled;
    expect(lost).toMatchObject({ reason: { code: 'SLUIS_WORK_WORKER_LOST', remedy: 'retry' } });
    expect(pool.metrics).toMatchObject({ done: 3, failed: 1, running: 0, queued: 0 });
  });

  it('is replaced each time, by one that works', async () => {
    const pool = await poolOf({ workers: 1, entry: mortalWorker });
    for (let death = 0; death < 3; death += 1) {
      await expect(pool.inspect([deadly])).rejects.toBeInstanceOf(WorkerLost);
      expect(await pool.inspect([small])).toHaveLength(1);
    }
  });

  it('takes the state of its chains with it: they begin again at the first byte', async () => {
    const pool = await poolOf({ workers: 1, entry: mortalWorker });
    const ranges = [await zeros('chained.dcm', 1000)];
    const chain = pool.inspectChain(1000);
    await chain.feed([{ ...small.ranges[0], path: ranges[0]?.path ?? '', start: 0, bytes: 500 }]);
    await expect(pool.inspect([deadly])).rejects.toBeInstanceOf(WorkerLost);
    await expect(chain.feed(ranges)).rejects.toBeInstanceOf(WorkerLost);
    await expect(chain.finish()).rejects.toBeInstanceOf(WorkerLost);
    const again = pool.inspectChain(1000);
    await again.feed(ranges);
    const [expected] = await pool.inspect([{ ranges }]);
    expect(await again.finish()).toEqual(expected);
    expect(pool.metrics.chains).toBe(0);
  });

  it('rejects a step of a chain under which it dies', async () => {
    const pool = await poolOf({ workers: 1, entry: mortalWorker });
    const chain = pool.inspectChain(100);
    await expect(chain.feed(deadly.ranges)).rejects.toBeInstanceOf(WorkerLost);
    expect(pool.metrics.chains).toBe(0);
  });

  it('before it ever lived is told by start', async () => {
    const pool = new WorkPool({ workers: 1, entry: join(folder, 'not-there.mjs') });
    await expect(pool.start()).rejects.toBeInstanceOf(WorkerLost);
    await pool.stop(AbortSignal.abort());
  });
});

// At once: each waits for the limit.
describe.concurrent('a worker that is stuck', () => {
  const endless = zeros('endless.dcm', 100);

  it('is ended, which rejects its own job alone, and replaced', async () => {
    const pool = await poolOf({ workers: 2, entry: mortalWorker, silenceMs: 5000 });
    const ranges = [await endless];
    const settled = await Promise.allSettled([{ ranges }, small, small].map((one) => pool.inspect([one])));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(settled[0]).toMatchObject({ reason: { code: 'SLUIS_WORK_WORKER_LOST', remedy: 'retry' } });
    expect(await Promise.all([pool.inspect([small]), pool.inspect([small])])).toHaveLength(2);
    expect(pool.metrics).toMatchObject({ done: 4, failed: 1, running: 0, queued: 0 });
  });

  it('takes the state of its chains with it: they begin again at the first byte', async () => {
    const pool = await poolOf({ workers: 1, entry: mortalWorker, silenceMs: 5000 });
    const chain = pool.inspectChain(200);
    await chain.feed(small.ranges);
    await expect(pool.inspect([{ ranges: [await endless] }])).rejects.toBeInstanceOf(WorkerLost);
    await expect(chain.feed(small.ranges)).rejects.toBeInstanceOf(WorkerLost);
    const again = pool.inspectChain(100);
    await again.feed(small.ranges);
    expect(await again.finish()).toEqual((await pool.inspect([small]))[0]);
    expect(pool.metrics.chains).toBe(0);
  });

  it('while it inflates holds up no inspection', async () => {
    const pool = await poolOf({ workers: 1, entry: mortalWorker, silenceMs: 5000 });
    const [into] = [await zeros('into', 0)].map(({ path }) => path);
    const job = {
      of: 'dataset',
      ranges: [await endless],
      into: into ?? '',
      bytesMax: 1000,
      ratioMax: 10,
    } as const;
    let over = false;
    const inflating = expect(pool.inflate(job).finally(() => (over = true))).rejects.toBeInstanceOf(
      WorkerLost,
    );
    await pool.inspect([small]);
    expect(over).toBe(false);
    await inflating;
  });

  it('does not keep a pool from stopping', async () => {
    const pool = await poolOf({ workers: 1, entry: mortalWorker });
    const lost = expect(pool.inspect([{ ranges: [await endless] }])).rejects.toBeInstanceOf(WorkerLost);
    await pool.stop(AbortSignal.abort());
    await lost;
  });
});

describe('an aborted signal', () => {
  it('takes what waits out of the queue, and leaves what others gave', async () => {
    const pool = await poolOf({ workers: 1 });
    const stop = new AbortController();
    const first = pool.inspect([single]);
    const aborted = pool.inspect([small], stop.signal);
    const last = pool.inspect([small]);
    expect(pool.metrics.queued).toBe(2);
    stop.abort(new Error('nobody wants it'));
    await expect(aborted).rejects.toThrow('nobody wants it');
    expect(pool.metrics.queued).toBe(1);
    await Promise.all([first, last]);
    expect(pool.metrics).toMatchObject({ done: 2, failed: 0, queuedBytes: 0 });
  });

  it('frees the caller of a running task at once, while the worker ends it', async () => {
    const pool = await poolOf({ workers: 1 });
    const stop = new AbortController();
    const running = pool.inspect([single], stop.signal);
    expect(pool.metrics.running).toBe(1);
    stop.abort(new Error('nobody wants it'));
    await expect(running).rejects.toThrow('nobody wants it');
    expect(await pool.inspect([small])).toHaveLength(1);
  });

  it('before the call lets nothing in', async () => {
    const pool = await poolOf({ workers: 1 });
    await expect(pool.inspect([small], AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(pool.metrics.done).toBe(0);
  });

  it('ends a chain and gives its place back', async () => {
    const pool = await poolOf({ workers: 1 });
    const stop = new AbortController();
    const chain = pool.inspectChain(100, stop.signal);
    stop.abort(new Error('nobody wants it'));
    await expect(chain.feed(small.ranges)).rejects.toThrow('nobody wants it');
    expect(pool.metrics.chains).toBe(0);
  });
});

describe('a pool with too much to do', () => {
  it('refuses by bytes, not by tasks alone, and takes work again when there is room', async () => {
    const pool = await poolOf({ workers: 1 });
    const stop = new AbortController();
    const calls = Array.from({ length: 300 }, () => pool.inspect([single], stop.signal));
    const settling = Promise.allSettled(calls);
    await expect(pool.inspect([single])).rejects.toMatchObject({
      code: 'SLUIS_WORK_QUEUE_FULL',
      remedy: 'retry',
      facts: { what: 'bytes' },
    });
    expect(pool.metrics.queuedBytes).toBeLessThanOrEqual(16 * 1024 * MIB);
    stop.abort(new Error('enough'));
    const refused = (await settling).filter(
      (one) => one.status === 'rejected' && one.reason instanceof WorkQueueFull,
    );
    expect(refused.length).toBe(300 - 1 - 256);
    expect(await pool.inspect([small])).toHaveLength(1);
  });

  it('counts its open chains, and refuses one too many', async () => {
    const pool = await poolOf({ workers: 2 });
    const chains = Array.from({ length: chainsMax }, () => pool.inspectChain(1));
    expect(() => pool.inspectChain(1)).toThrow(WorkQueueFull);
    for (const chain of chains) chain.drop();
    expect(() => pool.inspectChain(1).drop()).not.toThrow();
  });

  it('lets a short call of one caller pass between the batches of a long one', async () => {
    const pool = await poolOf({ workers: 1 });
    let ended = false;
    const long = pool.inspect(Array.from({ length: 20 }, () => single)).then(() => {
      ended = true;
    });
    await pool.inspect([small]);
    expect(ended).toBe(false);
    await long;
  });
});

describe('the heads that chains keep', async () => {
  const head = part10(ct([{ tag: 0x00091010, vr: 'OB', value: Buffer.alloc(15 * MIB) }]), 'explicit-le');
  const range = await zeros('head.dcm', 70 * MIB);
  const file = await open(range.path, 'r+');
  await file.write(head);
  await file.close();
  const most = { ...range, bytes: 12 * MIB };

  it('are no more than a thread may hold: the chain that is one too many is refused', async () => {
    const pool = await poolOf({ workers: 1 });
    const chains = Array.from({ length: 3 }, () => pool.inspectChain(range.bytes));
    const fed = await Promise.allSettled(chains.map((chain) => chain.feed([most])));
    expect(fed.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(fed[2]).toMatchObject({
      reason: { code: 'SLUIS_WORK_FAILED', facts: { cause: HEADS_TOO_LARGE } },
    });
    expect(pool.metrics.chains).toBe(2);

    // Large heads of whole instances need no such room, and nor do chains that have read theirs.
    const [whole] = await pool.inspect([{ ranges: [range] }]);
    expect(whole?.scan?.sopInstanceUid).toBe('1.2.3.4');
    const read = pool.inspectChain(range.bytes);
    await read.feed([{ ...range, bytes: 16 * MIB }]);

    // Room comes back with a head that is read, and with a chain that is dropped.
    await chains[0]?.feed([{ ...range, start: most.bytes, bytes: 4 * MIB }]);
    const next = pool.inspectChain(range.bytes);
    await next.feed([most]);
    next.drop();
    await pool.inspectChain(range.bytes).feed([most]);
  });
});

describe('a pool that stops', () => {
  it('finishes what it has and takes nothing new', async () => {
    const pool = await poolOf({ workers: 1 });
    const calls = [pool.inspect([single]), pool.inspect([small])];
    const stopped = pool.stop(AbortSignal.timeout(30_000));
    await expect(pool.inspect([small])).rejects.toBeInstanceOf(WorkStopped);
    expect(await Promise.all(calls)).toHaveLength(2);
    await stopped;
  });

  it('gives up what is not done at the deadline', async () => {
    const pool = await poolOf({ workers: 1 });
    const calls = [pool.inspect([single]), pool.inspect([small])];
    const settling = Promise.allSettled(calls);
    await pool.stop(AbortSignal.abort());
    expect(await settling).toMatchObject([
      { status: 'rejected', reason: { code: 'SLUIS_WORK_WORKER_LOST' } },
      { status: 'rejected', reason: { code: 'SLUIS_WORK_STOPPED' } },
    ]);
  });

  it('takes nothing before it was started', async () => {
    await expect(new WorkPool({ workers: 1 }).inspect([small])).rejects.toBeInstanceOf(WorkStopped);
  });
});

describe('an error of a job', () => {
  it('names the system code of what failed, and no byte of the job', async () => {
    const pool = await poolOf({ workers: 1 });
    const failed = pool.inspect([{ ranges: [{ path: folder, start: 0, bytes: 10 }] }]);
    await expect(failed).rejects.toBeInstanceOf(WorkFailed);
    await expect(failed).rejects.toMatchObject({ code: 'SLUIS_WORK_FAILED', facts: { cause: 'EISDIR' } });
  });
});
