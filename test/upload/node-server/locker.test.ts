import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { UploadTakenOver } from '../../../src/upload/errors.ts';
import { LeaseLocker } from '../../../src/upload/node-server/locker.ts';

const going = new AbortController().signal;

describe('the locks of the engine tus-node-server', () => {
  it('ask the holder to release once, and wait for it', async () => {
    const locker = new LeaseLocker();
    const order: string[] = [];
    let asked = 0;
    const holder = locker.newLock('a');
    await holder.lock(going, async () => {
      asked++;
      await sleep(5);
      order.push('released');
      await holder.unlock();
    });
    const next = locker.newLock('a');
    await next.lock(going, () => undefined);
    order.push('taken');
    expect([asked, order]).toEqual([1, ['released', 'taken']]);
    // A second unlock, as of a request that was passed over, frees nobody else's lock.
    await holder.unlock();
    let releases = 0;
    await next.unlock();
    await locker.newLock('a').lock(going, () => void releases++);
    expect(releases).toBe(0);
  });

  it('pass over a holder that does not release', async () => {
    const locker = new LeaseLocker();
    const deaf = locker.newLock('a');
    await deaf.lock(going, () => undefined);
    const next = locker.newLock('a');
    let asked = 0;
    await next.lock(going, () => void asked++);
    // It comes late, and what it gives back is not the next one's.
    await deaf.unlock();
    const last = locker.newLock('a');
    const taking = last.lock(going, () => undefined);
    await sleep(5);
    expect(asked).toBe(1);
    await next.unlock();
    await taking;
  });

  it('go to who asked last; those who waited before are told', async () => {
    const locker = new LeaseLocker();
    const holder = locker.newLock('a');
    await holder.lock(going, () => void sleep(10).then(() => holder.unlock()));
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map(() => locker.newLock('a').lock(going, () => undefined)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(outcomes).toMatchObject([{ reason: expect.any(UploadTakenOver) }, {}, {}]);
  });

  it('do not wait for each other where the uploads differ', async () => {
    const locker = new LeaseLocker();
    let asked = 0;
    for (const id of ['a', 'b', 'c']) {
      await locker.newLock(id).lock(going, () => void asked++);
    }
    expect(asked).toBe(0);
  });

  it('are not kept by a request that was over before they came', async () => {
    const locker = new LeaseLocker();
    const holder = locker.newLock('a');
    const request = new AbortController();
    await holder.lock(going, () => {
      request.abort(new Error('over'));
      void holder.unlock();
    });
    await expect(locker.newLock('a').lock(request.signal, () => undefined)).rejects.toThrow('over');
    let asked = 0;
    await locker.newLock('a').lock(going, () => void asked++);
    expect(asked).toBe(0);
  });
});
