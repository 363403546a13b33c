import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Lane } from '../../src/delivery/lane.ts';
import { signed } from '../support/study/odd/signatures.ts';
import { generateStudy } from '../support/study/study.ts';
import { openWorld, type World, zuid } from '../transfer/world.ts';
import { openPacs, type Pacs } from './pacs.ts';
import { deliveryOf, laneTo, queueItems, quick, until } from './sending.ts';

const mailbox = 'west.pacs';
const encapsulatedPdf = '1.2.840.10008.5.1.4.1.1.104.1';

describe('a lane to who takes less than was sent, or something else', () => {
  let world: World;
  let pacs: Pacs;
  let lane: Lane;

  beforeEach(async () => {
    world = await openWorld();
    pacs = await openPacs();
    lane = laneTo(world, mailbox, pacs);
  });
  afterEach(async () => {
    await lane.stop(AbortSignal.abort());
    await pacs.close();
    await world.close();
  });

  const end = async (transfer: string) => {
    lane.wake();
    await until(
      () => ['delivered', 'partial', 'failed'].includes(deliveryOf(world, transfer, mailbox).state),
      () => [deliveryOf(world, transfer, mailbox), world.lines.slice(-5)],
    );
    return deliveryOf(world, transfer, mailbox);
  };
  const slices = (modality: 'CT' | 'MR', instances: number) => [
    ...generateStudy({ modality, instances, seed: 60, bytesPerInstance: 512, bsnIn: 'none' }),
  ];

  it('sends what is selected, and nothing else', async () => {
    const { url } = pacs;
    await world.mailbox(mailbox, { by: 'stow', url, tokenFile: null }, { excludeModalities: ['CT'] });
    const [ct, mr] = [slices('CT', 3), slices('MR', 4)];
    const instances = [...ct.slice(0, 2), ...mr.slice(0, 3), ...ct.slice(2), ...mr.slice(3)];
    const transfer = await queueItems(world, {
      to: [mailbox],
      instances: instances.map(({ bytes }) => bytes),
    });
    expect(await end(transfer)).toMatchObject({ state: 'delivered', delivered: 4, of: 4 });
    expect([...pacs.held.keys()].toSorted()).toEqual(mr.map((one) => one.sopInstanceUid).toSorted());
  });

  it('sends a report as the instance that was made of it, which who pulls gets as it was sent', async () => {
    await world.mailbox(mailbox, { by: 'stow', url: pacs.url, tokenFile: null });
    const [image] = slices('CT', 1);
    const text = Buffer.from('Geen afwijkingen.\r\n');
    const transfer = await queueItems(world, {
      to: [mailbox, 'noord.main'],
      instances: [image?.bytes ?? new Uint8Array(0)],
      reports: [{ mediaType: 'text/plain', bytes: text }],
      bsn: '999990019',
    });
    expect(await end(transfer)).toMatchObject({ state: 'delivered', of: 2, leftOut: {} });
    const [made] = [...pacs.held].filter(([uid]) => uid !== image?.sopInstanceUid);
    expect(made?.[1].includes(encapsulatedPdf)).toBe(true);
    // Tagged as every instance is.
    expect(made?.[1].includes('NLMINBIZA')).toBe(true);
    const pulled = deliveryOf(world, transfer, 'noord.main');
    expect(pulled).toMatchObject({ of: 2, leftOut: {} });
    const tag = world.tagging.of(pulled);
    expect((await tag(1)).instance.report?.mediaType).toBe('text/plain');
  });

  it('sends what still waits with the BSN that came meanwhile', async () => {
    await world.mailbox(mailbox, { by: 'stow', url: pacs.url, tokenFile: null });
    const images = slices('CT', 3);
    await lane.stop(AbortSignal.abort());
    // It rests long enough after its first try for the BSN to come in between.
    lane = laneTo(world, mailbox, pacs, {
      retry: { ...quick.retry, firstMs: 500, maxMs: 500, acuteMaxMs: 500 },
    });
    await pacs.down();
    const transfer = await queueItems(world, { to: [mailbox], instances: images.map(({ bytes }) => bytes) });
    lane.wake();
    await until(
      () => deliveryOf(world, transfer).failingSince !== null,
      () => world.lines,
    );
    const patient = { bsn: '999990019', bsnStatus: 'verified' } as const;
    await world.transfers.attachBsn(zuid, transfer, patient, (tx, changed) => {
      expect(world.deliveries.retag(tx, changed)).toEqual([mailbox]);
    });
    await pacs.up();
    expect(await end(transfer)).toMatchObject({ state: 'delivered', delivered: 3 });
    for (const bytes of pacs.held.values()) expect(bytes.includes('999990019')).toBe(true);
  });

  it.each([
    ['at once', {}],
    ['after a question', { cut: 'after-reading' as const }],
  ])('counts once what arrived %s as it was sent because it is signed', async (_, plan) => {
    await world.mailbox(mailbox, { by: 'stow', url: pacs.url, tokenFile: null });
    pacs.plan = (_uids, request) => (request === 0 ? plan : {});
    const [one] = signed();
    const instances = [one?.bytes ?? new Uint8Array(0)];
    const transfer = await queueItems(world, { to: [mailbox], instances, bsn: '999990019' });
    expect(await end(transfer)).toMatchObject({ state: 'delivered', untagged: { SIGNED_OBJECT: 1 } });
    expect([...pacs.held.values()][0]?.equals(Buffer.from(instances[0] ?? []))).toBe(true);
  });
});
