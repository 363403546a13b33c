import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import yauzl from 'yauzl';
import type { Acknowledged } from '../../src/delivery/acknowledging.ts';
import type { Packing } from '../../src/delivery/content.ts';
import { instancesPerTurn } from '../../src/delivery/limits.ts';
import { Offers } from '../../src/delivery/offers.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { keys } from '../../src/state/keys.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { signed } from '../support/study/odd/signatures.ts';
import { generateStudy } from '../support/study/study.ts';
import { noord, openWorld, type World, zuid } from '../transfer/world.ts';
import { changedEnd, deliveryOf, type Queued, queueAcute, queueItems, queueStudy, until } from './sending.ts';

const mailbox = 'noord.main';

describe('offers', () => {
  const pool = new WorkPool({ workers: 1 });
  let world: World;
  let offers: Offers;
  let rung: string[];

  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(2000)));
  beforeEach(async () => {
    world = await openWorld();
    rung = [];
    offers = new Offers({ ...world, pool, onOffered: (one) => rung.push(one) });
  });
  afterEach(async () => {
    await offers.stop(AbortSignal.timeout(2000));
    await world.close();
  });

  const offer = async (options: object = {}): Promise<Queued & { id: string }> => {
    const study = await queueStudy(world, { to: [mailbox], ...options });
    const { id } = deliveryOf(world, study.transfer);
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, study.transfer).offered,
      () => world.lines,
    );
    return { ...study, id };
  };
  const content = async (
    id: string,
    start?: number,
    end?: number,
    packing: Packing = 'multipart',
  ): Promise<Buffer> => {
    const { delivery, digests } = offers.digests(noord, id);
    const composition = offers.content(delivery, digests, packing);
    const chunks: Buffer[] = [];
    for await (const chunk of composition.read(world.storage, start ?? 0, end ?? composition.total)) {
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  };
  /** What an honest receiver says after it has fetched everything. */
  const honest = async ({ id, uids }: Queued & { id: string }): Promise<Acknowledged[]> => {
    const bytes = await content(id);
    const { delivery, digests } = offers.digests(noord, id);
    const composition = offers.content(delivery, digests);
    return uids.map((sopInstanceUid, number) => {
      const at = composition.offsetOf(number);
      const own = bytes.subarray(at, at + digests.bytesOf(number));
      const sha256 = createHash('sha256').update(own).digest('hex');
      return { sopInstanceUid, sha256, status: 'stored' };
    });
  };

  it('are in the inbox only when the digests of what will be sent are known', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    const { id } = deliveryOf(world, study.transfer);
    expect(offers.inbox(mailbox, undefined, 10)).toEqual([]);
    expect(() => offers.digests(noord, id)).toThrow('not offered');
    offers.wake(mailbox);
    await until(
      () => rung.length > 0,
      () => world.lines,
    );
    expect(rung).toEqual([mailbox]);
    expect(offers.inbox(mailbox, undefined, 10).map((one) => one.id)).toEqual([id]);
  });

  it('hold the very bytes that their digests say, and are tagged', async () => {
    const study = await offer({ instances: 5 });
    const { digests } = offers.digests(noord, study.id);
    for (const [number, { sha256 }] of (await honest(study)).entries()) {
      expect(digests.get(number).sha256).toBe(sha256);
    }
    const whole = await content(study.id);
    expect(whole.includes('NLMINBIZA')).toBe(true);
    expect(await content(study.id, 100, 5_000)).toEqual(whole.subarray(100, 5_000));
  });

  it('are confirmed when the receiver has said of every instance what it holds', async () => {
    const study = await offer();
    const said = await honest(study);
    expect(await offers.acknowledge(noord, study.id, said)).toMatchObject({
      state: 'confirmed',
      delivered: 4,
    });
    expect(world.transfer(study.transfer).state).toBe('delivered');
    expect(offers.inbox(mailbox, undefined, 10)).toEqual([]);
    expect(await offers.acknowledge(noord, study.id, said)).toMatchObject({
      state: 'confirmed',
      delivered: 4,
    });
  });

  it('can be acknowledged in pieces, in any order, and each twice', async () => {
    const study = await offer();
    const [first, second, ...rest] = await honest(study);
    if (first === undefined || second === undefined) throw new Error('no items');
    for (const said of [[second], [second, first], [first]]) {
      expect((await offers.acknowledge(noord, study.id, said)).state).toBe('queued');
    }
    expect(deliveryOf(world, study.transfer).delivered).toBe(2);
    expect(await offers.acknowledge(noord, study.id, rest)).toMatchObject({
      state: 'confirmed',
      delivered: 4,
    });
  });

  it('take no word for an instance with another digest, nor for the rest of that list', async () => {
    const study = await offer();
    const said = await honest(study);
    const wrong = said.map((one, at) => (at === 3 ? { ...one, sha256: '0'.repeat(64) } : one));
    const sayings = [
      wrong,
      [{ ...said[0], sopInstanceUid: '1.2.3', sha256: '0'.repeat(64), status: 'stored' as const }],
    ];
    for (const saying of sayings) {
      await expect(offers.acknowledge(noord, study.id, saying)).rejects.toMatchObject({
        code: 'SLUIS_DELIVERY_ACKNOWLEDGEMENT_INVALID',
      });
    }
    expect(deliveryOf(world, study.transfer)).toMatchObject({ state: 'queued', delivered: 0 });
  });

  it('take the digest in capital letters too', async () => {
    const study = await offer({ instances: 1 });
    const said = (await honest(study)).map((one) => ({ ...one, sha256: one.sha256.toUpperCase() }));
    expect(await offers.acknowledge(noord, study.id, said)).toMatchObject({ state: 'confirmed' });
  });

  it.each([
    [1, 'partial', 3],
    [4, 'failed', 0],
  ])(
    'with %i refused are %s, until the receiver stores them after all',
    async (refused, state, delivered) => {
      const study = await offer();
      const said = await honest(study);
      const some = said.map((one, at) => (at < refused ? { ...one, status: 'refused' as const } : one));
      expect(await offers.acknowledge(noord, study.id, some)).toMatchObject({ state, delivered });
      expect(world.transfer(study.transfer).state).toBe('failed');
      expect(await offers.acknowledge(noord, study.id, said)).toMatchObject({
        state: 'confirmed',
        delivered: 4,
      });
      expect(world.transfer(study.transfer).state).toBe('delivered');
    },
  );

  it('end also where an acute study has one UID twice', async () => {
    const study = await queueStudy(world, { to: ['noord.mri'], instances: 2 });
    const twin = changedEnd(study.instances[0] ?? new Uint8Array());
    const { transfer, uids } = await queueAcute(world, mailbox, [...study.instances, twin]);
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    const { id } = deliveryOf(world, transfer);
    const said = await honest({ ...study, uids, transfer, id });
    expect(await offers.acknowledge(noord, id, said)).toMatchObject({ state: 'confirmed', delivered: 3 });
  });

  it('end also where the patch made an instance equal to another, which came tagged', async () => {
    const plain = await offer({ instances: 1, bsnIn: 'none' });
    const [bytes = new Uint8Array()] = plain.instances;
    const delivery = deliveryOf(world, plain.transfer);
    const withoutBsn = { ...delivery, recipe: { ...delivery.recipe, bsn: null } };
    const came = await Promise.all(
      [withoutBsn, delivery].map(async (one) => applyEdits(bytes, (await world.tagging.of(one)(0)).edits)),
    );
    const both = await queueAcute(world, mailbox, came);
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, both.transfer).offered,
      () => world.lines,
    );
    const { id } = deliveryOf(world, both.transfer);
    const said = await honest({ ...both, id });
    expect(new Set(said.map(({ sha256 }) => sha256)).size).toBe(1);
    expect(await offers.acknowledge(noord, id, said)).toMatchObject({ state: 'confirmed', delivered: 2 });
  });

  it('let others have their turn while a long list is acknowledged', async () => {
    const study = await offer({ instances: 1 });
    const [item] = await honest(study);
    if (item === undefined) throw new Error('no item');
    const said = [
      ...Array<Acknowledged>(2 * instancesPerTurn).fill(item),
      { ...item, sopInstanceUid: '1.2' },
    ];
    let turns = 0;
    const turn = (): void => {
      turns++;
      if (turns < 100) setImmediate(turn);
    };
    setImmediate(turn);
    // The last one is refused before anything is written, which would give others their turn too.
    await expect(offers.acknowledge(noord, study.id, said)).rejects.toMatchObject({
      code: 'SLUIS_DELIVERY_ACKNOWLEDGEMENT_INVALID',
    });
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it('do not read what waits to be fetched to find what is to be prepared', async () => {
    for (let offered = 0; offered < 5; offered++) await offer({ instances: 1 });
    const get = vi.spyOn(world.state, 'get');
    try {
      expect(offers.isPreparing(mailbox)).toBe(false);
      offers.wake(mailbox);
      expect(get.mock.calls).toEqual([]);
    } finally {
      get.mockRestore();
    }
    await queueStudy(world, { to: [mailbox], instances: 1 });
    expect(offers.isPreparing(mailbox)).toBe(true);
    expect(offers.isPreparing('noord.mri')).toBe(false);
  });

  it('are cut at the deadline of a stop, and prepared by the next start', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const begun: AbortSignal[] = [];
    const digest: WorkPool['digest'] = (_, signal) =>
      new Promise((_resolve, reject) => {
        if (signal === undefined) return;
        begun.push(signal);
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const stopped = new Offers({ ...world, pool: { digest }, onOffered: () => undefined });
    stopped.wake(mailbox);
    await until(
      () => begun.length > 0,
      () => world.lines,
    );
    await stopped.stop(AbortSignal.timeout(20));
    expect(world.lines.filter(({ event }) => event === 'delivery.offer-failed')).toEqual([]);
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, study.transfer).offered,
      () => world.lines,
    );
  });

  it('are of nobody else’s concern', async () => {
    const study = await offer();
    const said = await honest(study);
    expect(() => offers.digests(zuid, study.id)).toThrow('no delivery to a mailbox of yours');
    await expect(offers.acknowledge(zuid, study.id, said)).rejects.toMatchObject({
      code: 'SLUIS_DELIVERY_UNKNOWN',
    });
    expect(() => offers.digests(noord, 'nothing')).toThrow('no delivery to a mailbox of yours');
  });

  it('are listed the most urgent first, in pages that go on where a delivery ended meanwhile', async () => {
    const ids: string[] = [];
    for (const priority of ['bulk', 'routine', 'acute', 'urgent', 'routine']) {
      ids.push((await offer({ priority, instances: 1 })).id);
    }
    const [bulk, routine, acute, urgent, second] = ids;
    const page = (cursor: string | undefined, limit: number) =>
      offers.inbox(mailbox, cursor, limit).map(({ id }) => id);
    expect(page(undefined, 10)).toEqual([acute, urgent, routine, second, bulk]);
    expect(page(undefined, 2)).toEqual([acute, urgent]);
    const ledgerOf = (id = '') => world.deliveries.change(id, (now) => ({ ...now, state: 'confirmed' }));
    await ledgerOf(urgent);
    expect(page(urgent, 10)).toEqual([routine, second, bulk]);
    expect(page('nothing', 10)).toEqual([]);
    expect(offers.inbox('noord.mri', urgent, 10)).toEqual([]);
  });

  it('name delivery and recipe in their ETag, and are the same after a restart', async () => {
    const one = await offer();
    const two = await offer();
    const tagOf = (from: Offers, id: string) => from.etag(from.digests(noord, id).delivery);
    expect(tagOf(offers, one.id)).toMatch(/^"[^"]+"$/);
    expect(tagOf(offers, one.id)).not.toBe(tagOf(offers, two.id));
    const before = await content(one.id);
    const old = offers;
    offers = new Offers({ ...world, pool, onOffered: () => undefined });
    expect(tagOf(offers, one.id)).toBe(tagOf(old, one.id));
    expect(await content(one.id)).toEqual(before);
    await old.stop(AbortSignal.timeout(2000));
  });

  it('prepare a mailbox’s few deliveries in turn with another’s many', async () => {
    for (let many = 0; many < 12; many++) await queueStudy(world, { to: [mailbox], instances: 1 });
    await queueStudy(world, { to: ['noord.mri'], instances: 1 });
    offers.wake(mailbox);
    offers.wake('noord.mri');
    await until(
      () => rung.length === 13,
      () => rung,
    );
    expect(rung.indexOf('noord.mri')).toBeLessThan(8);
  });

  it('hold reports as they were sent, which are acknowledged by their SHA-256', async () => {
    const study = await queueStudy(world, { to: ['noord.mri'], instances: 1 });
    const reports = [
      { mediaType: 'application/pdf', bytes: Buffer.from('%PDF-1.7\n%%EOF\n') },
      { mediaType: 'text/plain', bytes: Buffer.from('Geen afwijkingen.') },
    ];
    const transfer = await queueItems(world, { to: [mailbox], instances: study.instances, reports });
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    const { id } = deliveryOf(world, transfer);
    const { delivery, digests } = offers.digests(noord, id);
    const package_ = await content(id);
    for (const [index, { mediaType, bytes }] of reports.entries()) {
      expect(digests.mediaTypeOf(index + 1)).toBe(mediaType);
      const at = offers.content(delivery, digests).offsetOf(index + 1);
      expect(package_.subarray(at, at + bytes.byteLength).equals(bytes)).toBe(true);
      expect(
        package_
          .subarray(0, at)
          .toString('latin1')
          .endsWith(`Content-Type: ${mediaType}\r\nContent-Length: ${bytes.byteLength.toString()}\r\n\r\n`),
      ).toBe(true);
    }
    const [image, pdf, text] = [0, 1, 2].map((position) => digests.get(position).sha256);
    if (image === undefined || pdf === undefined || text === undefined) throw new Error('no digests');
    const stored = 'stored' as const;
    for (const wrong of [
      [{ report: image, sha256: image, status: stored }],
      [{ report: pdf, sha256: text, status: stored }],
      [{ sopInstanceUid: pdf, sha256: pdf, status: stored }],
    ]) {
      await expect(offers.acknowledge(noord, id, wrong)).rejects.toMatchObject({
        code: 'SLUIS_DELIVERY_ACKNOWLEDGEMENT_INVALID',
      });
    }
    const [sopInstanceUid] = study.uids;
    const said: Acknowledged[] = [
      { sopInstanceUid, sha256: image, status: stored },
      { report: pdf.toUpperCase(), sha256: pdf, status: stored },
    ];
    expect(await offers.acknowledge(noord, id, said)).toMatchObject({ delivered: 2, of: 3 });
    const last: Acknowledged[] = [{ report: text, sha256: text, status: stored }];
    expect(await offers.acknowledge(noord, id, last)).toMatchObject({ state: 'confirmed', delivered: 3 });
  });

  it('of fewer items than their transfer are confirmed when those are held, and no others can be', async () => {
    await world.mailbox('west.mr', { by: 'pull' }, { excludeModalities: ['CT'] });
    const west = { key: 'key-west', organization: 'west' };
    const of = (modality: 'CT' | 'MR') => [
      ...generateStudy({ modality, instances: 2, seed: 13, bytesPerInstance: 512 }),
    ];
    const [ct, mr] = [of('CT'), of('MR')];
    const instances = [...ct, ...mr].map(({ bytes }) => bytes);
    const transfer = await queueItems(world, { to: ['west.mr'], instances });
    offers.wake('west.mr');
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    const { id } = deliveryOf(world, transfer);
    const { digests } = offers.digests(west, id);
    const said = mr.map(({ sopInstanceUid }, position) => {
      return { sopInstanceUid, sha256: digests.get(position).sha256, status: 'stored' as const };
    });
    const left = {
      sopInstanceUid: ct[0]?.sopInstanceUid,
      sha256: 'a'.repeat(64),
      status: 'refused' as const,
    };
    await expect(offers.acknowledge(west, id, [left])).rejects.toThrow('not in this delivery');
    expect(await offers.acknowledge(west, id, said)).toMatchObject({
      state: 'confirmed',
      delivered: 2,
      of: 2,
    });
  });

  it('are an archive too, for who asks for one', async () => {
    const study = await queueStudy(world, { to: ['noord.mri'], instances: 3 });
    const reports = [{ mediaType: 'application/pdf', bytes: Buffer.from('%PDF-1.7\n%%EOF\n') }];
    const transfer = await queueItems(world, { to: [mailbox], instances: study.instances, reports });
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    const { delivery, digests } = offers.digests(noord, deliveryOf(world, transfer).id);
    const archive = await content(delivery.id, undefined, undefined, 'zip');
    const zip = await yauzl.fromBufferPromise(archive);
    const names: string[] = [];
    for await (const entry of zip.eachEntry()) {
      const chunks: Buffer[] = [];
      for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
      const sha256 = createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
      expect(sha256).toBe(digests.get(names.length).sha256);
      names.push(entry.fileName);
    }
    const images = [1, 2, 3].map((number) => `DICOM/ST000001/SE000001/IM00000${number.toString()}.dcm`);
    expect(names).toEqual([...images, 'reports/1.pdf']);
    expect(await content(delivery.id, 100, 5_000, 'zip')).toEqual(archive.subarray(100, 5_000));
    expect(offers.etag(delivery, 'zip')).not.toBe(offers.etag(delivery));
    expect(offers.contentType(delivery, 'zip')).toBe('application/zip');
  });

  it('are not read where nothing of them changes', async () => {
    const study = await queueStudy(world, { to: ['noord.mri'], instances: 3 });
    const asked: number[] = [];
    const digest: WorkPool['digest'] = (jobs, signal) => {
      asked.push(jobs.length);
      return pool.digest(jobs, signal);
    };
    const unread = new Offers({ ...world, pool: { digest }, onOffered: () => undefined });
    unread.wake('noord.mri');
    await until(
      () => deliveryOf(world, study.transfer).offered,
      () => world.lines,
    );
    expect(asked).toEqual([]);
    const { digests } = unread.digests(noord, deliveryOf(world, study.transfer).id);
    for (const [position, bytes] of study.instances.entries()) {
      expect(digests.get(position)).toEqual({
        sha256: createHash('sha256').update(bytes).digest('hex'),
        crc32: crc32(bytes),
        bytes: bytes.byteLength,
      });
    }
    await unread.stop(AbortSignal.timeout(2000));
  });

  it.each([
    ['in the head', 200],
    ['in the tail', -10],
  ])('are not offered when a byte %s is not what came', async (_, place) => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const extent = world.state.get(keys.instances, [study.transfer, 0])?.extents[0];
    if (extent === undefined) throw new Error('no extent');
    const path = world.storage.pathOf(extent.object);
    const file = readFileSync(path);
    const at = extent.start + (place < 0 ? extent.bytes + place : place);
    file[at] = (file[at] ?? 0) ^ 1;
    writeFileSync(path, file);
    offers.wake(mailbox);
    await until(
      () => world.lines.some(({ event }) => event === 'delivery.offer-failed'),
      () => world.lines,
    );
    const line = world.lines.find(({ event }) => event === 'delivery.offer-failed');
    expect(line?.facts?.error).toMatchObject({ code: 'SLUIS_STORAGE_DAMAGED' });
    expect(deliveryOf(world, study.transfer).offered).toBe(false);
    expect(offers.inbox(mailbox, undefined, 10)).toEqual([]);
  });

  it('count what goes as it was sent because it is signed', async () => {
    const instances = signed()
      .slice(0, 1)
      .map(({ bytes }) => bytes);
    const transfer = await queueItems(world, { to: [mailbox], instances, bsn: '999990019' });
    offers.wake(mailbox);
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    expect(deliveryOf(world, transfer).untagged).toEqual({ SIGNED_OBJECT: 1 });
  });

  it('do not keep others waiting when the bytes of one are lost', async () => {
    const broken = await queueStudy(world, { to: [mailbox], instances: 1, priority: 'urgent' });
    const object = world.state.get(keys.instances, [broken.transfer, 0])?.extents[0]?.object;
    if (object === undefined) throw new Error('no extent');
    await world.storage.remove(object);
    const whole = await offer();
    expect(offers.inbox(mailbox, undefined, 10).map(({ id }) => id)).toEqual([whole.id]);
    await until(
      () => world.lines.some(({ event }) => event === 'delivery.offer-failed'),
      () => world.lines,
    );
    // What rests is not tried again because something else was offered.
    await offer();
    await offer();
    expect(world.lines.filter(({ event }) => event === 'delivery.offer-failed')).toHaveLength(1);
  });
});
