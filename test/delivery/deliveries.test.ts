import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Deliveries } from '../../src/delivery/deliveries.ts';
import { Offers } from '../../src/delivery/offers.ts';
import { dateTimeOf } from '../../src/delivery/recipes.ts';
import { selectionOf } from '../../src/delivery/selection.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { Fatal } from '../../src/ops/error.ts';
import { keys } from '../../src/state/keys.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { generateStudy } from '../support/study/study.ts';
import { noord, openWorld, type World, zuid } from '../transfer/world.ts';
import { deliveryOf, queueItems, queueStudy, until } from './sending.ts';

const pull = { by: 'pull' } as const;

describe('a queued delivery', () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());

  const slices = (modality: 'CT' | 'MR', instances: number, seed: number): Uint8Array[] =>
    [...generateStudy({ modality, instances, seed, bytesPerInstance: 512, bsnIn: 'none' })].map(
      ({ bytes }) => bytes,
    );

  it('holds what its mailbox takes, and tells the sender what was left out', async () => {
    await world.mailbox('west.mr', pull, { excludeModalities: ['CT'] });
    const instances = [...slices('CT', 2, 41), ...slices('MR', 3, 41), ...slices('CT', 1, 42)];
    const transfer = await queueItems(world, { to: ['noord.main', 'west.mr'], instances });
    const some = deliveryOf(world, transfer, 'west.mr');
    const ct = '1.2.840.10008.5.1.4.1.1.2';
    expect(some).toMatchObject({ state: 'queued', of: 3, leftOut: { [ct]: 3 }, untagged: {} });
    expect(some.recipe.filter).toEqual({ sopClasses: [], modalities: ['CT'] });
    expect([0, 1, 2].map((at) => selectionOf(world.state, some).numberAt(at))).toEqual([2, 3, 4]);
    expect(some.bytes).toBe(instances.slice(2, 5).reduce((sum, { byteLength }) => sum + byteLength, 0));
    const all = deliveryOf(world, transfer, 'noord.main');
    expect(all).toMatchObject({ of: 6, leftOut: {} });
    expect(world.state.get(keys.selections, all.id)).toBeUndefined();
  });

  it('fails at once, with words for it, when its mailbox takes nothing of what was sent', async () => {
    await world.mailbox('west.mr', pull, { excludeModalities: ['CT'] });
    const alone = await queueItems(world, { to: ['west.mr'], instances: slices('CT', 2, 43) });
    expect(deliveryOf(world, alone)).toMatchObject({ state: 'failed', of: 0, delivered: 0 });
    expect(deliveryOf(world, alone).lastOutcome).toContain('left out');
    expect(world.transfer(alone).state).toBe('failed');
    expect([...world.deliveries.waiting('west.mr')]).toEqual([]);
    expect(world.deliveries.hasUnoffered('west.mr')).toBe(false);
    const both = await queueItems(world, { to: ['west.mr', 'noord.main'], instances: slices('CT', 2, 44) });
    expect(world.transfer(both).state).toBe('delivering');
    expect(deliveryOf(world, both, 'noord.main').state).toBe('queued');
  });

  it('freezes BSN, issuer, policies and time', async () => {
    await world.mailbox('west.pacs', pull, {
      patientId: 'prefix',
      nestedIdentity: 'strip',
      dialect: 'legacy-1000',
    });
    const study = await queueStudy(world, { to: ['west.pacs'], instances: 1 });
    const { recipe, queuedAt } = deliveryOf(world, study.transfer);
    expect(recipe).toMatchObject({
      version: 2,
      dialect: { name: 'legacy-1000' },
      issuer: {
        issuerOfPatientId: 'zuid',
        universalEntityId: '2.16.528.1.1007.3.3.1',
        universalEntityIdType: 'ISO',
      },
      patientId: 'prefix',
      nestedIdentity: 'strip',
      modifiedAt: dateTimeOf(queuedAt),
    });
    expect(world.keyRing.unseal('bsn', recipe.bsn ?? new Uint8Array()).toString()).toBe('999990019');
    expect(dateTimeOf(Date.UTC(2026, 10, 24, 9, 30, 0, 7))).toBe('20261124093000.007000+0000');
  });

  it('knows configured dialects, and nobody gets one that nobody defined', async () => {
    const { state, addressBook } = world;
    await world.mailbox('west.own', pull, { dialect: 'west-own' });
    await expect(queueItems(world, { to: ['west.own'], instances: slices('MR', 1, 45) })).rejects.toThrow(
      Fatal,
    );
    const own = { ...deliveryOfNothing, name: 'west-own' };
    const deliveries = new Deliveries({ state, addressBook, dialects: [own] });
    const transfer = (await world.open({ to: ['west.own'] })).id;
    await state.commit((tx) =>
      deliveries.queue(tx, { ...world.transfer(transfer), state: 'ready', instances: 1 }),
    );
    expect(deliveryOf(world, transfer).recipe.dialect).toEqual(own);
  });
});

const deliveryOfNothing = {
  otherPatientId: null,
  otherPatientIds: false,
  patientId: 'keep',
  originalAttributes: true,
} as const;

describe('a BSN that is known late', () => {
  const pool = new WorkPool({ workers: 1 });
  let world: World;
  let offers: Offers;

  beforeEach(async () => {
    world = await openWorld();
    await pool.start();
    offers = new Offers({ ...world, pool, onOffered: () => undefined });
  });
  afterEach(async () => {
    await offers.stop(AbortSignal.timeout(2000));
    await pool.stop(AbortSignal.timeout(2000));
    await world.close();
  });

  const attach = async (transfer: string): Promise<string[]> => {
    const told: string[] = [];
    const patient = { bsn: '999990019', bsnStatus: 'verified' } as const;
    await world.transfers.attachBsn(zuid, transfer, patient, (tx, changed) => {
      told.push(...world.deliveries.retag(tx, changed));
    });
    return told;
  };
  const offered = async (transfer: string, mailbox: string): Promise<void> => {
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, transfer, mailbox).offered,
      () => world.lines,
    );
  };

  it('comes into what was offered already, under another ETag, and not into what nobody tags', async () => {
    const [{ bytes } = { bytes: new Uint8Array() }] = [
      ...generateStudy({ modality: 'CT', instances: 1, seed: 46, bytesPerInstance: 512, bsnIn: 'none' }),
    ];
    const to = ['noord.main', 'noord.mri'];
    const transfer = await queueItems(world, { to, instances: [bytes] });
    for (const mailbox of to) await offered(transfer, mailbox);
    const before = offers.digests(noord, deliveryOf(world, transfer, 'noord.main').id);
    const tag = offers.etag(before.delivery);

    expect(await attach(transfer)).toEqual(['noord.main']);
    expect(() => offers.digests(noord, before.delivery.id)).toThrow('not offered');
    expect(offers.isPreparing('noord.main')).toBe(true);
    expect(deliveryOf(world, transfer, 'noord.mri').offered).toBe(true);
    await offered(transfer, 'noord.main');
    const after = offers.digests(noord, before.delivery.id);
    expect(offers.etag(after.delivery)).not.toBe(tag);
    const { edits } = await world.tagging.of(after.delivery)(0);
    expect(Buffer.from(applyEdits(bytes, edits)).includes('999990019')).toBe(true);
    expect(after.digests.get(0).sha256).not.toBe(before.digests.get(0).sha256);
    expect(await attach(transfer)).toEqual([]);
  });

  it('is not missed by what is being prepared just then', async () => {
    const instances = [
      ...generateStudy({ modality: 'CT', instances: 2, seed: 47, bytesPerInstance: 512, bsnIn: 'none' }),
    ].map(({ bytes }) => bytes);
    const transfer = await queueItems(world, { to: ['noord.main'], instances });
    const prepared = deliveryOf(world, transfer);
    // Its digests are being computed, of what goes without a BSN, when the BSN comes.
    let digesting = false;
    const slow = new Offers({
      ...world,
      pool: {
        digest: async (jobs, signal) => {
          if (!digesting) {
            digesting = true;
            await attach(transfer);
          }
          return pool.digest(jobs, signal);
        },
      },
      onOffered: () => undefined,
    });
    slow.wake('noord.main');
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    await slow.stop(AbortSignal.timeout(2000));
    const { delivery, digests } = offers.digests(noord, prepared.id);
    expect(delivery.recipe.bsn).not.toBeNull();
    for (const position of [0, 1]) {
      const { bytes } = await world.tagging.of(delivery)(position);
      expect(digests.bytesOf(position)).toBe(bytes);
    }
  });

  it('changes nothing of what is at its receiver', async () => {
    const instances = [
      ...generateStudy({ modality: 'CT', instances: 1, seed: 48, bytesPerInstance: 512, bsnIn: 'none' }),
    ].map(({ bytes }) => bytes);
    const transfer = await queueItems(world, { to: ['noord.main'], instances });
    await offered(transfer, 'noord.main');
    const { id } = deliveryOf(world, transfer);
    await world.deliveries.change(id, (now) => ({ ...now, state: 'partial' }));
    expect(await attach(transfer)).toEqual([]);
    expect(deliveryOf(world, transfer).recipe.bsn).toBeNull();
  });
});
