import { describe, expect, it } from 'vitest';
import { UploadsStopping, UploadTakenOver } from '../../src/upload/errors.ts';
import { Leases } from '../../src/upload/leases.ts';

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('leases', () => {
  it('give a free upload at once, with an epoch above the recorded one', async () => {
    const leases = new Leases(50);
    const lease = await leases.take('u', 7);
    expect(lease.epoch).toBe(8);
    expect(leases.isHeld('u')).toBe(true);
    await lease.end();
    expect(leases.isHeld('u')).toBe(false);
    expect(leases.size).toBe(0);
  });

  it('ask the holder to stop and pass on as soon as it has given back', async () => {
    const leases = new Leases(60_000);
    const first = await leases.take('u', 0);
    first.stop.addEventListener('abort', () => void first.end());
    const second = await leases.take('u', 0);
    expect(second.epoch).toBe(2);
    expect(first.stopReason).toBeInstanceOf(UploadTakenOver);
  });

  it('fence off a holder that does not answer', async () => {
    const leases = new Leases(10);
    const first = await leases.take('u', 0);
    const second = await leases.take('u', 0);
    expect(() => first.check()).toThrow(UploadTakenOver);
    await expect(first.run(() => Promise.resolve())).rejects.toBeInstanceOf(UploadTakenOver);
    await second.run(() => Promise.resolve());
    // The late return of the first does not free what the second holds.
    await first.end();
    expect(leases.isHeld('u')).toBe(true);
    second.check();
  });

  it('wait for a write that is in flight, however long the grace is over', async () => {
    const leases = new Leases(1);
    const first = await leases.take('u', 0);
    let finish: () => void = () => undefined;
    const writing = first.run(() => new Promise<void>((resolve) => (finish = resolve)));
    let taken = false;
    const second = leases.take('u', 0).then((lease) => {
      taken = true;
      return lease;
    });
    await later(30);
    expect(taken).toBe(false);
    finish();
    await writing;
    expect((await second).epoch).toBe(2);
  });

  it('let the newest of many askers win and refuse all others', async () => {
    const leases = new Leases(5);
    await leases.take('u', 0);
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => leases.take('u', 0)));
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 49 }, () => 'rejected'),
      'fulfilled',
    ]);
    expect(leases.size).toBe(1);
  });

  it('keep uploads apart', async () => {
    const leases = new Leases(60_000);
    const u = await leases.take('u', 0);
    const v = await leases.take('v', 0);
    u.check();
    v.check();
    expect(u.stop.aborted).toBe(false);
  });

  it('refuse new writers when stopping and wait for those that flush', async () => {
    const leases = new Leases(5);
    const lease = await leases.take('u', 0);
    let flushed = false;
    lease.stop.addEventListener('abort', () => {
      void later(20).then(() => {
        flushed = true;
        return lease.end();
      });
    });
    await leases.stop();
    expect(flushed).toBe(true);
    expect(lease.stopReason).toBeInstanceOf(UploadsStopping);
    await expect(leases.take('u', 0)).rejects.toBeInstanceOf(UploadsStopping);
  });
});
