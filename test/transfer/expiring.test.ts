import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { TransferRecord, UploadRecord } from '../../src/state/records.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { Expiring } from '../../src/transfer/expiring.ts';
import { UploadClaimed } from '../../src/upload/errors.ts';
import { uploadDefaults } from '../../src/upload/limits.ts';
import { Uploads } from '../../src/upload/uploads.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { DEFLATED_LE } from '../support/study/part10.ts';
import { until as waitUntil } from '../support/until.ts';
import { request } from '../upload/engine.ts';
import { FakeBody } from '../upload/fake-body.ts';
import { multipart, openSending, packageOf, type Sending, slices } from './sending.ts';
import { manifestOf, zuid } from './world.ts';

const hour = 3_600_000;
const day = 24 * hour;
const { expiryMs, expiryMsMax } = uploadDefaults;

/** Instances with deflated datasets: each becomes a derived object. */
const packed = slices(2, { transferSyntaxUid: DEFLATED_LE });

describe('a transfer that its sender does not finish', () => {
  const pool = new WorkPool({ workers: 1 });
  let world: Sending;
  let now: number;
  let expiring: Expiring;
  let uploads: Uploads;

  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(2000)));
  beforeEach(async () => {
    world = await openSending(pool);
    // Behind whatever the transfers themselves take from the clock.
    now = Date.now() + hour;
    expiring = expiringOf();
    uploads = engineOf(expiring);
    await uploads.resumeAfterStart();
  });
  afterEach(async () => {
    await uploads.stop();
    await world.close();
  });

  const expiringOf = (): Expiring => new Expiring({ ...world, settings: uploadDefaults, now: () => now });
  /** As main.ts puts them together. */
  const engineOf = (one: Expiring): Uploads =>
    new Uploads({
      ...world,
      settings: {
        ...uploadDefaults,
        reserveBytes: 0,
        inFlightShareMax: 1,
        watermarks: { bulk: 2, routine: 2, urgent: 2, acute: 2 },
      },
      now: () => now,
      hooks: {
        priorityOf: (asked) => world.transfers.priorityOf(asked),
        claims: (tx, upload) => world.transfers.claim(tx, upload),
        received: () => undefined,
        published: (upload) => world.follower.follow(upload),
        terminable: ({ transfer }) => {
          if (transfer !== null && !one.hasExpired(transfer)) throw new UploadClaimed();
        },
        expirable: (upload) => one.isExpirable(upload),
        expired: (tx, upload) => one.removed(tx, upload),
      },
    });
  const sweep = async (one = expiring): Promise<void> => {
    await uploads.expire();
    await one.sweep(({ id }) => uploads.terminate(id, zuid));
  };
  const until = (holds: () => boolean): Promise<void> => waitUntil(holds, () => world.lines.slice(-5));
  /** An upload of which these bytes have come, of `length`. */
  const upload = async (
    transfer: string,
    bytes: Uint8Array,
    length = bytes.byteLength,
  ): Promise<UploadRecord> => {
    const { id } = await uploads.create(zuid, request(length, { transfer, filetype: multipart }));
    return uploads.append(id, zuid, { offset: 0 }, FakeBody.of(bytes));
  };
  const known = (id: string): Promise<void> =>
    until(() => world.state.get(keys.follows, id)?.state === 'done');
  const isThere = ({ id, content }: UploadRecord): boolean[] => [
    world.state.get(keys.uploads, id) !== undefined,
    content.of === 'object' && existsSync(world.storage.pathOf(content.object)),
  ];
  const noted = (): string[] => [...world.state.list(keys.outbox)].map(({ key }) => key);

  it('goes with all of its uploads and what was made of them, so long after the last byte of any', async () => {
    const { id } = await world.open();
    const received = await upload(id, packageOf(packed));
    await known(received.id);
    expect(world.objectsOnDisk()).toHaveLength(2);
    now += expiryMs - hour;
    const half = await upload(id, packageOf(slices(2)).subarray(0, 900), 5_000);
    now += expiryMs - 1;
    await sweep();
    expect([world.transfer(id).state, isThere(received), isThere(half)]).toEqual([
      'receiving',
      [true, true],
      [true, true],
    ]);
    now += 1;
    await sweep();
    expect(world.transfer(id).state).toBe('expired');
    expect([isThere(received), isThere(half)]).toEqual([
      [false, false],
      [false, false],
    ]);
    expect([world.objectsOnDisk(), world.objectsKnown(), noted()]).toEqual([[], [], []]);
    await expect(world.transfers.seal(zuid, id, [])).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_CLOSED' });
    await expect(upload(id, new Uint8Array(9))).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_CLOSED' });
  });

  it('goes when all that was sent is there and its manifest never comes, or lists more', async () => {
    const [silent, short] = [await world.open(), await world.open()];
    const all = slices(2);
    const first = await upload(silent.id, packageOf(all));
    const second = await upload(short.id, packageOf(all));
    const more = await Promise.all(slices(3).map(({ bytes }) => world.find(bytes)));
    await Promise.all([known(first.id), known(second.id)]);
    await world.transfers.seal(zuid, short.id, manifestOf(more));
    const sealed = world.state.get(keys.manifests, short.id);
    if (sealed === undefined) throw new Error('it is not sealed');
    await world.state.commit((tx) => tx.put(keys.manifests, short.id, { ...sealed, sealedAt: now + 10_000 }));
    now += expiryMs;
    await sweep();
    expect([silent, short].map(({ id }) => world.transfer(id).state)).toEqual(['expired', 'receiving']);
    // Sealing it was a sign of life.
    now += 10_000;
    await sweep();
    expect(world.transfer(short.id).state).toBe('expired');
    expect([isThere(first), isThere(second)].flat()).toEqual([false, false, false, false]);
  });

  it('lives no longer than so long in all, however often something comes', async () => {
    const { id, createdAt } = await world.open();
    const steady = await uploads.create(zuid, request(1000, { transfer: id, filetype: multipart }));
    for (let offset = 0; now < createdAt + expiryMsMax - 2 * day; offset++) {
      now += 2 * day;
      await uploads.append(steady.id, zuid, { offset }, FakeBody.of(new Uint8Array(1)));
      await sweep();
      expect(world.transfer(id).state).toBe('receiving');
    }
    now = createdAt + expiryMsMax + 1000;
    await sweep();
    expect(world.transfer(id).state).toBe('expired');
  });

  it('stays for ever while it waits for us', async () => {
    const { id } = await world.open();
    const all = slices(2);
    const found = await Promise.all(all.map(({ bytes }) => world.find(bytes)));
    await world.follower.stop(AbortSignal.timeout(1000));
    const received = await upload(id, packageOf(all));
    const alone = await uploads.create(
      zuid,
      request(50, { from: 'zuid.main', to: ['noord.main'], filetype: multipart }),
    );
    const plain = await uploads.append(alone.id, zuid, { offset: 0 }, FakeBody.of(new Uint8Array(50)));
    now += 10 * expiryMsMax;
    await sweep();
    expect([isThere(received), isThere(plain)].flat()).toEqual([true, true, true, true]);
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.follow().start();
    await until(() => world.transfer(id).state === 'ready');
  });

  it('is never one that is decided, nor anything of it that is still unfinished', async () => {
    const { id } = await world.open();
    const all = slices(2);
    const found = await Promise.all(all.map(({ bytes }) => world.find(bytes)));
    await world.transfers.seal(zuid, id, manifestOf(found));
    const abandoned = await upload(id, packageOf(all).subarray(0, 400), 9_000);
    const whole = await upload(id, packageOf(all));
    await until(() => world.transfer(id).state === 'ready');
    now += 2 * expiryMsMax;
    await sweep();
    expect([isThere(abandoned), isThere(whole)].flat()).toEqual([true, true, true, true]);
    expect(world.transfer(id).state).toBe('ready');
  });

  it('is removed to the last byte at the next start where a kill came after the commit', async () => {
    const { id } = await world.open();
    const first = await upload(id, packageOf(packed));
    await known(first.id);
    const second = await upload(id, packageOf(slices(3).slice(2)));
    await known(second.id);
    now += expiryMs;
    await expiring.sweep(() => Promise.reject(new Error('killed here')));
    expect(world.lines.map(({ event }) => event)).toContain('transfer.expired-left');
    expect(world.transfer(id).state).toBe('expired');
    expect([isThere(first), isThere(second)].flat()).toEqual([true, true, true, true]);
    // The records of derived objects alone tell what is left of them.
    await world.derivedObjects.start();
    expect([world.objectsOnDisk(), world.objectsKnown()]).toEqual([[], []]);
    await world.follow().start();
    await sweep(expiringOf());
    expect([isThere(first), isThere(second)].flat()).toEqual([false, false, false, false]);
    expect(noted()).toEqual([]);
    expect(world.settled.map(({ state }: TransferRecord) => state)).toEqual([]);
  });

  it('stays open for another upload when one was not what its digest says', async () => {
    const { id } = await world.open();
    const bytes = packageOf(slices(2));
    const value = createHash('sha256').update('something else').digest();
    const asked = request(bytes.byteLength, {
      transfer: id,
      filetype: multipart,
      digest: { algorithm: 'sha-256', value },
    });
    const wrong = await uploads.create(zuid, asked);
    const append = uploads.append(wrong.id, zuid, { offset: 0 }, FakeBody.of(bytes));
    await expect(append).rejects.toMatchObject({ code: 'SLUIS_UPLOAD_DIGEST_MISMATCH' });
    expect(world.transfer(id)).toMatchObject({ state: 'receiving', uploads: [] });
    const found = await Promise.all(slices(2).map((one) => world.find(one.bytes)));
    await world.transfers.seal(zuid, id, manifestOf(found));
    await upload(id, bytes);
    await until(() => world.transfer(id).state === 'ready');
  });

  it('is over with its only upload, when that was not what its digest says', async () => {
    const value = new Uint8Array(32);
    const addresses = { from: 'zuid.main', to: ['noord.main'], filetype: multipart };
    const asked = request(9, { ...addresses, digest: { algorithm: 'sha-256', value } });
    const { id } = await uploads.create(zuid, asked);
    const transfer = world.state.get(keys.uploads, id)?.transfer ?? '';
    const append = uploads.append(id, zuid, { offset: 0 }, FakeBody.of(new Uint8Array(9)));
    await expect(append).rejects.toMatchObject({ code: 'SLUIS_UPLOAD_DIGEST_MISMATCH' });
    expect(world.transfer(transfer).state).toBe('expired');
  });

  it('is over with its only upload, when its creation was cut, and nothing of it is left', async () => {
    const addresses = { from: 'zuid.main', to: ['noord.main'], filetype: multipart };
    const bytes = packageOf(packed);
    const { id } = await uploads.create(zuid, request(null, { ...addresses, ends: 'when-told' }));
    const half = await uploads.append(id, zuid, { offset: 0 }, FakeBody.of(bytes.subarray(0, -3)));
    await until(() => world.objectsOnDisk().length > 0);
    await uploads.abandon(id, zuid);
    expect([world.transfer(half.transfer ?? '').state, isThere(half)]).toEqual(['expired', [false, false]]);
    await sweep();
    await until(() => world.objectsOnDisk().length === 0);
    expect([world.objectsKnown(), noted()]).toEqual([[], []]);
  });

  it('does not leave what was made of an upload that goes by itself', async () => {
    const { id } = await world.open();
    const whole = packageOf(packed);
    const half = await upload(id, whole.subarray(0, whole.byteLength - 3), whole.byteLength);
    await until(() => world.objectsOnDisk().length > 0);
    now += expiryMs;
    await sweep();
    expect([world.transfer(id).state, isThere(half)]).toEqual(['expired', [false, false]]);
    await until(() => world.objectsOnDisk().length === 0);
    expect(world.objectsKnown()).toEqual([]);
  });

  it('leaves alone what was made for others', async () => {
    const others = await world.send(packageOf(packed), multipart);
    const objects = world.objectsOnDisk();
    await world.derivedObjects.dropAll(others.id);
    await world.derivedObjects.drop(others.id, [objects[0] as ObjectId]);
    now += 10 * expiryMsMax;
    await sweep();
    await world.derivedObjects.start();
    expect(world.objectsOnDisk()).toEqual(objects);
  });
});
