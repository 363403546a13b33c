import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Integrity } from '../../src/delivery/integrity.ts';
import type { Lane } from '../../src/delivery/lane.ts';
import { verifiedMsMax } from '../../src/delivery/limits.ts';
import { Offers } from '../../src/delivery/offers.ts';
import { keys } from '../../src/state/keys.ts';
import type { TransferRecord, UploadRecord } from '../../src/state/records.ts';
import { StorageDamaged } from '../../src/storage/errors.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { closeBlocks, Ledger, putBlocks } from '../../src/upload/ledger.ts';
import { blockBytes } from '../../src/upload/limits.ts';
import { WorkQueueFull, WorkStopped } from '../../src/work/errors.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { multipart, openSending, packageOf, type Sending, slices } from '../transfer/sending.ts';
import { uploadRecord } from '../transfer/world.ts';
import { openPacs, type Pacs } from './pacs.ts';
import { deliveryOf, laneTo, until } from './sending.ts';

const mailbox = 'west.pacs';
const pulling = 'noord.main';
/** Two blocks and a short one. */
const large = packageOf(slices(10, { bytesPerInstance: 2 * 1024 * 1024 }));

describe('what is stored', () => {
  const pool = new WorkPool({ workers: 2 });
  let world: Sending;
  let pacs: Pacs;
  let lanes: Lane[];
  let integrity: Integrity;

  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(2000)));
  beforeEach(async () => {
    world = await openSending(pool);
    pacs = await openPacs();
    lanes = [];
    integrity = new Integrity({ ...world, pool });
    await world.mailbox(mailbox, { by: 'stow', url: pacs.url, tokenFile: null });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    integrity.stop();
    await Promise.all(lanes.map((lane) => lane.stop(AbortSignal.abort())));
    await pacs.close();
    await world.close();
  });

  /** The ledger of these bytes, as the engine keeps it when they are received. */
  const received = async (bytes: Uint8Array, change: Partial<UploadRecord> = {}): Promise<UploadRecord> => {
    const { object } = await world.store(bytes);
    const ledger = new Ledger(0, 0);
    ledger.take(bytes);
    const step = ledger.step(bytes.byteLength);
    const sizes = { length: bytes.byteLength, offset: bytes.byteLength };
    const content = { of: 'object', object } as const;
    const upload = uploadRecord(null, { ...sizes, content, blockCrc: step.blockCrc, ...change });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, upload.id, upload);
      putBlocks(tx, upload.id, step);
      if (!upload.isPartial) world.transfers.claim(tx, upload);
    });
    return upload;
  };
  /** What is followed of it and decided: a transfer that is ready. */
  const ready = async (upload: UploadRecord): Promise<TransferRecord> => {
    const before = world.settled.length;
    world.follower.follow(upload.id);
    await until(
      () => world.settled.length > before,
      () => world.lines.slice(-3),
    );
    const settled = world.settled.at(-1);
    if (settled?.state !== 'ready') throw new Error(`the transfer is ${settled?.state}`);
    return settled;
  };
  const send = async (to: string, bytes: Uint8Array = large) => {
    const addresses = { from: 'zuid.main', to: [to], filetype: multipart };
    const upload = await received(bytes, addresses);
    return { upload, transfer: await ready(upload) };
  };
  const flip = ({ content }: UploadRecord, at: number): void => {
    const path = world.storage.pathOf(objectOf(content));
    const file = readFileSync(path);
    file.writeUInt8(file.readUInt8(at) ^ 1, at);
    writeFileSync(path, file);
  };
  const open = (): Lane => {
    const lane = laneTo({ ...world, integrity }, mailbox, pacs);
    lanes.push(lane);
    return lane;
  };
  const said = () => world.lines.filter(({ event }) => event === 'storage.damaged');

  it('is sent when it is as it was received', async () => {
    const { transfer } = await send(mailbox);
    open().wake();
    await until(
      () => deliveryOf(world, transfer.id).state === 'delivered',
      () => deliveryOf(world, transfer.id),
    );
    expect(pacs.requests.flat()).toHaveLength(10);
    expect(said()).toEqual([]);
  });

  it.each([
    ['first', 1000],
    ['second', blockBytes + 5],
    ['last, short', large.byteLength - 1],
  ])('goes to no PACS when a byte of its %s block was changed, until it is put back', async (_, at) => {
    const { upload, transfer } = await send(mailbox);
    flip(upload, at);
    open().wake();
    await until(
      () => deliveryOf(world, transfer.id).failingSince !== null,
      () => deliveryOf(world, transfer.id),
    );
    const { lastOutcome } = deliveryOf(world, transfer.id);
    expect(lastOutcome).toContain(upload.id);
    expect(lastOutcome).toContain('SLUIS_STORAGE_DAMAGED');
    const start = Math.floor(at / blockBytes) * blockBytes;
    const error = expect.objectContaining({
      facts: expect.objectContaining({ upload: upload.id, start }) as unknown,
    }) as unknown;
    expect(said()[0]?.facts).toMatchObject({ transfer: transfer.id, upload: upload.id, error });
    expect([pacs.requests, pacs.questions]).toEqual([[], []]);
    flip(upload, at);
    await until(
      () => deliveryOf(world, transfer.id).state === 'delivered',
      () => deliveryOf(world, transfer.id),
    );
    expect(pacs.requests.flat()).toHaveLength(10);
  });

  it('holds up nothing else of the lane when it is damaged', async () => {
    const bad = await send(mailbox);
    const good = await send(mailbox, packageOf(slices(3)));
    flip(bad.upload, 7);
    open().wake();
    await until(
      () => deliveryOf(world, good.transfer.id).state === 'delivered',
      () => deliveryOf(world, good.transfer.id),
    );
    await until(() => said().length > 0, said);
    expect(pacs.requests.flat()).toHaveLength(3);
  });

  it('is not offered when it was changed, and its sender sees why; when it is put back it is', async () => {
    const { upload, transfer } = await send(pulling);
    flip(upload, blockBytes + 1);
    const offers = new Offers({ ...world, integrity, pool, onOffered: () => undefined });
    offers.wake(pulling);
    const delivery = () => deliveryOf(world, transfer.id);
    await until(() => delivery().lastOutcome !== null, delivery);
    expect(delivery()).toMatchObject({ offered: false, state: 'queued' });
    expect(delivery().lastOutcome).toContain(upload.id);
    await offers.stop(AbortSignal.abort());
    flip(upload, blockBytes + 1);
    const next = new Offers({ ...world, integrity, pool, onOffered: () => undefined });
    next.wake(pulling);
    await until(() => delivery().offered, delivery);
    await next.stop(AbortSignal.abort());
  });

  it('is damaged when it has become shorter, or is gone', async () => {
    const { upload, transfer } = await send(mailbox);
    truncateSync(world.storage.pathOf(objectOf(upload.content)), blockBytes);
    await expect(integrity.check(transfer.id)).rejects.toThrow(StorageDamaged);
    await world.storage.remove(objectOf(upload.content));
    await expect(integrity.check(transfer.id)).rejects.toThrow(StorageDamaged);
    expect(said().map(({ facts }) => facts?.upload)).toEqual([upload.id, upload.id]);
  });

  it('passes without a look when it was received without a ledger', async () => {
    const transfer = await world.send(large, multipart, [mailbox]);
    const checksum = vi.spyOn(pool, 'checksum');
    await integrity.check(transfer.id);
    expect(checksum).not.toHaveBeenCalled();
    expect(integrity.isVerified(transfer.id)).toBe(true);
  });

  it('is known by its parts when it was put together from several', async () => {
    const cut = blockBytes + 99;
    const parts = [
      await received(large.subarray(0, cut), { isPartial: true }),
      await received(large.subarray(cut), { isPartial: true }),
    ];
    const content: UploadRecord['content'] = {
      of: 'parts',
      parts: parts.map(({ id, content: own, offset }) => ({
        upload: id,
        object: objectOf(own),
        bytes: offset,
      })),
      header: null,
    };
    const final = await world.upload(large, multipart, { from: 'zuid.main', to: [mailbox], content });
    const { id } = await ready(final);
    await integrity.check(id);
    const [first, second] = parts;
    if (first === undefined || second === undefined) throw new Error('no part');
    // Its sender has removed one of the parts: the bytes stay, and what they were.
    await world.state.commit((tx) => {
      closeBlocks(tx, first);
      tx.remove(keys.uploads, first.id);
    });
    const verifying = (): Promise<void> => new Integrity({ ...world, pool }).check(id);
    await verifying();
    flip(second, 10);
    await expect(verifying()).rejects.toMatchObject({ facts: { upload: second.id, start: 0 } });
    flip(first, blockBytes + 50);
    await expect(verifying()).rejects.toMatchObject({ facts: { upload: first.id, start: blockBytes } });
    flip(first, 10);
    await expect(verifying()).rejects.toMatchObject({ facts: { upload: first.id, start: 0 } });
  });

  it('is read once for all who ask, and after some hours again', async () => {
    let now = Date.now();
    const checking = new Integrity({ ...world, pool, now: () => now });
    const { upload, transfer } = await send(mailbox);
    const checksum = vi.spyOn(pool, 'checksum');
    await Promise.all([checking.check(transfer.id), checking.check(transfer.id)]);
    await checking.check(transfer.id);
    expect(checksum).toHaveBeenCalledTimes(1);
    flip(upload, 0);
    now += verifiedMsMax;
    expect(checking.isVerified(transfer.id)).toBe(false);
    await expect(checking.check(transfer.id)).rejects.toThrow(StorageDamaged);
    // Where it was found before comes first.
    checksum.mockClear();
    await expect(checking.check(transfer.id)).rejects.toThrow(StorageDamaged);
    expect(checksum.mock.calls.map(([jobs]) => jobs.length)).toEqual([1]);
  });

  it('is not called damaged because the workers have no time', async () => {
    const { transfer } = await send(mailbox);
    const checksum = vi.spyOn(pool, 'checksum').mockRejectedValueOnce(new WorkQueueFull('tasks', 1));
    await integrity.check(transfer.id);
    expect(checksum).toHaveBeenCalledTimes(2);
  });

  it('is not looked at any more when the program stops', async () => {
    const { transfer } = await send(mailbox);
    integrity.stop();
    await expect(integrity.check(transfer.id)).rejects.toThrow(WorkStopped);
  });
});

function objectOf(content: UploadRecord['content']): ObjectId {
  if (content.of !== 'object') throw new Error('it has no object of its own');
  return content.object;
}
