import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { DeliveryState, TransferRecord } from '../../src/state/records.ts';
import { Checking } from '../../src/transfer/checking.ts';
import { poolOf } from '../work/support.ts';
import { multipart, openSending, packageOf, type Sending, slices, stow } from './sending.ts';
import { manifestOf, noord, zuid } from './world.ts';

const bsn = '999990019';
const other = '999990020';

const pool = await poolOf({ workers: 1 });

describe('a BSN that becomes known late', () => {
  let world: Sending;
  beforeEach(async () => {
    world = await openSending(pool);
    await world.mailbox('west.pacs', stow);
  });
  afterEach(() => world.close());

  const nameless = () => packageOf(slices(2, { bsnIn: 'none' }));
  const attach = async (
    id: string,
    given = bsn,
  ): Promise<{ changed: TransferRecord; mailboxes: string[] }> => {
    const mailboxes: string[] = [];
    const patient = { bsn: given, bsnStatus: 'verified' } as const;
    const changed = await world.transfers.attachBsn(zuid, id, patient, (tx, now) => {
      mailboxes.push(...world.deliveries.retag(tx, now));
    });
    return { changed, mailboxes };
  };
  const isWritten = async (mailbox: string): Promise<boolean> => {
    const { edits } = await world.tagging.of(world.deliveryTo(mailbox))(0);
    return edits.some(({ insert }) => Buffer.from(insert).includes(bsn));
  };
  const end = (mailbox: string, state: DeliveryState) =>
    world.deliveries.change(world.deliveryTo(mailbox).id, (now) => ({ ...now, state }));

  it('is written for every mailbox that has one written, without another upload', async () => {
    const transfer = await world.send(nameless(), multipart, ['noord.main', 'noord.mri', 'west.pacs']);
    expect(transfer).toMatchObject({ state: 'ready', reasons: ['BSN_MISSING'] });
    const { changed, mailboxes } = await attach(transfer.id);
    expect(changed).toMatchObject({ state: 'ready', reasons: [] });
    expect(mailboxes).toEqual(['noord.main', 'west.pacs']);
    expect(await Promise.all(['noord.main', 'noord.mri', 'west.pacs'].map(isWritten))).toEqual([
      true,
      false,
      true,
    ]);
    expect(world.recordBytes().includes(bsn)).toBe(false);
  });

  it('changes nothing of what a receiver holds, and goes to those who do not hold it yet', async () => {
    const { id } = await world.send(nameless(), multipart, ['noord.main', 'west.pacs']);
    await end('west.pacs', 'delivered');
    expect(world.transfer(id).state).toBe('delivering');
    expect((await attach(id)).mailboxes).toEqual(['noord.main']);
    expect(await Promise.all(['noord.main', 'west.pacs'].map(isWritten))).toEqual([true, false]);
  });

  it('is taken when everybody holds the images, and has nothing to do', async () => {
    const { id } = await world.send(nameless(), multipart, ['noord.main']);
    await end('noord.main', 'confirmed');
    expect(await attach(id)).toMatchObject({ changed: { state: 'delivered', reasons: [] }, mailboxes: [] });
    expect(await isWritten('noord.main')).toBe(false);
  });

  it('is kept for a transfer that is held', async () => {
    const [slice] = slices(1, { bsnIn: 'none' });
    const cut = { bytes: (slice?.bytes ?? new Uint8Array()).subarray(0, -100) };
    const { id } = await world.send(packageOf([cut]), multipart);
    expect(await attach(id)).toMatchObject({
      changed: { state: 'held', reasons: ['TRUNCATED'] },
      mailboxes: [],
    });
    expect(world.transfer(id).bsn).not.toBeNull();
  });

  it('is refused for what is sent nowhere any more', async () => {
    const { id, state } = await world.send(Buffer.from('a letter'), 'application/dicom');
    expect(state).toBe('rejected');
    await expect(attach(id)).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_CLOSED' });
  });

  it('is refused from who is not the sender', async () => {
    const { id } = await world.send(nameless(), multipart);
    const attaching = world.transfers.attachBsn(noord, id, { bsn, bsnStatus: 'verified' }, () => undefined);
    await expect(attaching).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_UNKNOWN' });
  });

  it('is no error the second time, and a conflict when it is another', async () => {
    const { id } = await world.send(nameless(), multipart);
    await attach(id);
    expect((await attach(id)).mailboxes).toEqual([]);
    await expect(attach(id, other)).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_BSN_DIFFERS' });
  });

  it('is a conflict when the images state another', async () => {
    const { id } = await world.send(packageOf(slices(1, { patient: { bsn: other } })), multipart);
    await expect(attach(id)).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_BSN_DIFFERS' });
  });

  it.each([
    [bsn, { state: 'ready', reasons: [] }],
    [other, { state: 'held', reasons: ['BSN_CONFLICT'] }],
  ])('is held against what comes after it: images that state %s', async (stated, decided) => {
    const { id } = await world.open();
    const [first] = slices(1, { bsnIn: 'none' });
    const [second] = slices(1, { seed: 901, patient: { bsn: stated } });
    const found = [await world.find(first?.bytes ?? never()), await world.find(second?.bytes ?? never())];
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found.slice(0, 1));
    await attach(id);
    await world.arrive(id, found.slice(1));
    expect(await world.checking.settle(id)).toMatchObject(decided);
  });

  it('is written when it comes while the transfer is being decided', async () => {
    const found = await Promise.all(slices(2, { bsnIn: 'none' }).map(({ bytes }) => world.find(bytes)));
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    const asked: string[] = [];
    const checking = new Checking({
      ...world,
      onReady: (tx, transfer, choices) => world.deliveries.queue(tx, transfer, choices),
      async choose(transfer) {
        if (asked.push(transfer.id) === 1) await attach(id);
        return world.choose(transfer);
      },
    });
    expect(await checking.settle(id)).toMatchObject({ state: 'ready', reasons: [] });
    expect(asked).toHaveLength(2);
    expect(await isWritten('noord.main')).toBe(true);
    expect([...world.state.list(keys.deliveries)]).toHaveLength(1);
  });
});

function never(): never {
  throw new Error('it is not there');
}
