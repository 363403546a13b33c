import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Principal } from '../../src/access/principal.ts';
import { keys } from '../../src/state/keys.ts';
import { unsealDetails } from '../../src/transfer/details.ts';
import { uploadsMax } from '../../src/transfer/limits.ts';
import { noord, openWorld, uploadRecord, type World, zuid } from './world.ts';

const request = {
  from: 'zuid.main',
  to: ['noord.main'],
  priority: 'routine',
  remark: null,
  intendedFor: null,
  patient: null,
} as const;

const digest = (fill: number): Buffer => Buffer.alloc(32, fill);
const entry = (sopInstanceUid: string, fill = 1) => ({ sopInstanceUid, bytes: 10, sha256: digest(fill) });

describe('transfers', () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world.close());

  const create = (change: object = {}, key?: string, by: Principal = zuid) =>
    world.transfers.create(by, { ...request, ...change }, key);

  it('are only sent from a mailbox of one’s own', async () => {
    await expect(create({ from: 'noord.main', to: ['zuid.main'] })).rejects.toMatchObject({
      code: 'SLUIS_TRANSFER_FROM_FORBIDDEN',
    });
  });

  it.each([{ to: ['oost.main'] }, { from: 'oost.main' }])('go nowhere when %j is unknown', async (change) => {
    await expect(create(change)).rejects.toMatchObject({ code: 'SLUIS_MAILBOX_UNKNOWN' });
  });

  it.each([
    { to: [] },
    { to: ['noord.main', 'noord.main'] },
    { to: ['noord.main', 'noord.mri', 'zuid.main', 'x'] },
  ])('are refused with the addresses %j', async (change) => {
    await expect(create(change)).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_INVALID' });
  });

  it('are made once by ten equal requests at the same time', async () => {
    const before = world.transfers.list(zuid, { limit: 200 }).found.length;
    const all = await Promise.all(Array.from({ length: 10 }, () => create({}, 'key-ten')));
    expect(new Set(all.map(({ transfer }) => transfer.id)).size).toBe(1);
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(world.transfers.list(zuid, { limit: 200 }).found).toHaveLength(before + 1);
  });

  it('are found again by their Idempotency-Key, but not by another organization’s', async () => {
    const first = await create({}, 'key-shared');
    expect(await create({}, 'key-shared')).toMatchObject({
      created: false,
      transfer: { id: first.transfer.id },
    });
    const change = { from: 'noord.main', to: ['zuid.main'] };
    expect(await create(change, 'key-shared', noord)).toMatchObject({ created: true });
  });

  it.each([{ remark: 'other' }, { to: ['noord.mri'] }, { priority: 'acute' }])(
    'refuse one Idempotency-Key for two requests: %j',
    async (change) => {
      const key = `key-reused ${JSON.stringify(change)}`;
      await create({}, key);
      await expect(create(change, key)).rejects.toMatchObject({ code: 'SLUIS_IDEMPOTENCY_KEY_REUSED' });
    },
  );

  it('are not known to who neither sent nor gets them', async () => {
    const { transfer } = await create();
    expect(world.transfers.get(zuid, transfer.id).id).toBe(transfer.id);
    for (const id of [transfer.id, 'no-id', '']) {
      expect(() => world.transfers.get(noord, id)).toThrow('no transfer of yours');
    }
    const sealing = world.transfers.seal(noord, transfer.id, [entry('1.2')]);
    await expect(sealing).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_UNKNOWN' });
  });

  it('are looked at a thousand at a time: a rare state is found by going on, not by holding everybody up', async () => {
    await Promise.all(
      Array.from({ length: 1_100 }, (_, n) =>
        create({ from: 'zuid.main', remark: String(n) }, undefined, zuid),
      ),
    );
    const first = world.transfers.list(zuid, { limit: 50, state: 'delivered' });
    expect(first.found).toEqual([]);
    expect(first.next).not.toBeNull();
    const pages = [first];
    for (let next = first.next; next !== null; next = pages.at(-1)?.next ?? null) {
      pages.push(world.transfers.list(zuid, { limit: 50, state: 'delivered', cursor: next }));
    }
    expect(pages.length).toBeLessThan(5);
  });

  it('are listed in pages that miss and repeat none, the newest first', async () => {
    const ids: string[] = [];
    for (let made = 0; made < 7; made++) {
      const change = { from: 'noord.main', to: ['zuid.main'], remark: String(made) };
      ids.push((await create(change, undefined, noord)).transfer.id);
    }
    const seen: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const { found, next } = world.transfers.list(noord, { limit: 3, cursor });
      seen.push(...found.map(({ id }) => id));
      if (next === null) break;
      cursor = next;
    }
    expect(seen.slice(0, 7)).toEqual(ids.toReversed());
    expect(new Set(seen).size).toBe(seen.length);
    expect(world.transfers.list(noord, { limit: 50, state: 'delivered' })).toEqual({ found: [], next: null });
  });

  it('keep what names a person sealed', async () => {
    const patient = { bsn: '999990019', bsnStatus: 'verified' } as const;
    const remark = 'Mevrouw Kwintsheul heeft een nieuwe heup';
    const { transfer } = await create({ remark, intendedFor: 'dokter Vlaskamp', patient }, 'Kwintsheul-1');
    const bytes = world.recordBytes();
    expect(bytes.includes(transfer.id)).toBe(true);
    for (const secret of ['999990019', 'Kwintsheul', 'Vlaskamp', 'nieuwe heup']) {
      expect(bytes.includes(secret), secret).toBe(false);
      expect(bytes.includes(Buffer.from(secret, 'utf16le')), secret).toBe(false);
    }
    expect(unsealDetails(world.keyRing, transfer.details)).toEqual({
      remark,
      intendedFor: 'dokter Vlaskamp',
      patient,
    });
  });

  describe('with a manifest', () => {
    it('take the same one again, in any order', async () => {
      const { transfer } = await create();
      const listed = [entry('1.2', 1), entry('1.3', 2)];
      const seal = (instances: typeof listed) => world.transfers.seal(zuid, transfer.id, instances);
      expect(await seal(listed)).toMatchObject({ transfer: { expected: 2 }, sealed: true });
      expect(await seal(listed)).toMatchObject({ transfer: { expected: 2 }, sealed: false });
      expect(await seal(listed.toReversed())).toMatchObject({ transfer: { expected: 2 }, sealed: false });
    });

    it.each([
      ['one less', [entry('1.2', 1)]],
      ['one more', [entry('1.2', 1), entry('1.3', 2), entry('1.4', 3)]],
      ['another UID', [entry('1.2', 1), entry('1.5', 2)]],
      ['another digest', [entry('1.2', 1), entry('1.3', 9)]],
      ['another size', [entry('1.2', 1), { ...entry('1.3', 2), bytes: 11 }]],
    ])('refuse another one: %s', async (_, other) => {
      const { transfer } = await create();
      await world.transfers.seal(zuid, transfer.id, [entry('1.2', 1), entry('1.3', 2)]);
      const sealing = world.transfers.seal(zuid, transfer.id, other);
      await expect(sealing).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_MANIFEST_SEALED' });
    });

    it('refuse a UID that is listed twice, and more than the limit', async () => {
      const { transfer } = await create();
      for (const listed of [
        [entry('1.2'), entry('1.2', 2)],
        Array.from({ length: 51 }, (_, at) => entry(`1.${at}`)),
      ]) {
        const sealing = world.transfers.seal(zuid, transfer.id, listed);
        await expect(sealing).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_INVALID' });
      }
    });

    it('refuse a report that is one item too many, since it could never be taken', async () => {
      const { transfer } = await create();
      const instances = Array.from({ length: 50 }, (_, at) => entry(`1.${at}`));
      const report = { sha256: 'ab'.repeat(32), bytes: 1, mediaType: 'application/pdf' };
      const sealing = world.transfers.seal(zuid, transfer.id, instances, [report]);
      await expect(sealing).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_INVALID' });
      const { sealed } = await world.transfers.seal(zuid, transfer.id, instances.slice(1), [report]);
      expect(sealed).toBe(true);
      expect(world.transfer(transfer.id).expected).toBe(50);
    });
  });

  describe('claim uploads', () => {
    const claim = (upload: ReturnType<typeof uploadRecord>) =>
      world.state.commit((tx) => {
        tx.put(keys.uploads, upload.id, upload);
        world.transfers.claim(tx, upload);
      });

    it('that name them', async () => {
      const { transfer } = await create();
      const upload = uploadRecord(transfer.id);
      await claim(upload);
      expect(world.transfer(transfer.id).uploads).toEqual([upload.id]);
    });

    it('with addresses by opening one of their own, which is its own manifest', async () => {
      const upload = uploadRecord(null, { from: 'zuid.main', to: ['noord.main'], priority: 'urgent' });
      await claim(upload);
      const id = world.state.get(keys.uploads, upload.id)?.transfer ?? '';
      expect(world.transfer(id)).toMatchObject({
        uploads: [upload.id],
        selfManifest: true,
        priority: 'urgent',
      });
      const sealing = world.transfers.seal(zuid, id, [entry('1.2')]);
      await expect(sealing).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_CLOSED' });
      const second = claim(uploadRecord(id));
      await expect(second).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_CLOSED' });
    });

    it('without addresses for nobody', async () => {
      const upload = uploadRecord(null);
      await claim(upload);
      expect(world.state.get(keys.uploads, upload.id)?.transfer).toBeNull();
    });

    it.each([
      [{ from: 'zuid.main' }, 'SLUIS_TRANSFER_INVALID'],
      [{ to: ['noord.main'] }, 'SLUIS_TRANSFER_INVALID'],
      [{ from: 'noord.main', to: ['zuid.main'] }, 'SLUIS_TRANSFER_FROM_FORBIDDEN'],
      [{ from: 'zuid.main', to: ['oost.main'] }, 'SLUIS_MAILBOX_UNKNOWN'],
      [{ transfer: 'nothing' }, 'SLUIS_TRANSFER_UNKNOWN'],
    ])('not with %j, and then leave no upload either', async (change, code) => {
      const upload = uploadRecord(null, change);
      await expect(claim(upload)).rejects.toMatchObject({ code });
      expect(world.state.get(keys.uploads, upload.id)).toBeUndefined();
    });

    it('not of another organization', async () => {
      const { transfer } = await create();
      const foreign = claim(uploadRecord(transfer.id, { organization: 'noord' }));
      await expect(foreign).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_UNKNOWN' });
    });

    it('up to a limit, since one record names them all', async () => {
      const { transfer } = await create();
      await world.state.commit((tx) => {
        const uploads = Array.from({ length: uploadsMax }, (_, at) => `u${at}`);
        tx.put(keys.transfers, transfer.id, { ...transfer, uploads });
      });
      await expect(claim(uploadRecord(transfer.id))).rejects.toMatchObject({
        code: 'SLUIS_TRANSFER_INVALID',
      });
    });
  });
});
