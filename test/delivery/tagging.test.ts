import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identify } from '../../src/dicom/identity.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { scan } from '../../src/dicom/scan.ts';
import { keys } from '../../src/state/keys.ts';
import { type Built, ct, part10 } from '../dicom/builder.ts';
import { signed } from '../support/study/odd/signatures.ts';
import { generateStudy } from '../support/study/study.ts';
import { manifestOf, openWorld, type World, zuid } from '../transfer/world.ts';
import { changedEnd, deliveryOf, queueAcute, queueItems, queueStudy } from './sending.ts';

describe('tagging', () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world.close());

  const bsnsOf = (bytes: Uint8Array) => {
    const found = scan(bytes, bytes.byteLength);
    if ('need' in found) throw new Error('too short');
    return identify(bytes, found).bsn;
  };

  it('writes the BSN as each mailbox wants it, from one stored copy', async () => {
    const study = await queueStudy(world, { to: ['noord.main', 'noord.mri'] });
    const tagged = world.tagging.of(deliveryOf(world, study.transfer, 'noord.main'));
    const plain = world.tagging.of(deliveryOf(world, study.transfer, 'noord.mri'));
    for (const [number, bytes] of study.instances.entries()) {
      const { edits, bytes: announced } = await tagged(number);
      const patched = applyEdits(bytes, edits);
      expect(patched.byteLength).toBe(announced);
      const inSequence = bsnsOf(patched).filter(({ source }) => source === '0010,1002');
      expect(inSequence).toEqual([{ value: '999990019', source: '0010,1002', confidence: 'issuer' }]);
      expect(await plain(number)).toMatchObject({ edits: [], bytes: bytes.byteLength });
    }
  });

  it('writes nothing that is there already', async () => {
    const study = await queueStudy(world, { to: ['noord.main'], instances: 1 });
    const [bytes = new Uint8Array()] = study.instances;
    const { edits } = await world.tagging.of(deliveryOf(world, study.transfer))(0);
    expect(edits.length).toBeGreaterThan(0);
    const found = [await world.find(applyEdits(bytes, edits))];
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', reasons: [] });
    expect((await world.tagging.of(deliveryOf(world, id))(0)).edits).toEqual([]);
  });

  it('says beside a Patient ID whose it is, for who wants it in front of the number too', async () => {
    await world.mailbox('west.prefix', { by: 'pull' }, { patientId: 'prefix' });
    const study = await queueStudy(world, { to: ['noord.main', 'west.prefix'], instances: 1, bsnIn: 'none' });
    const [bytes = new Uint8Array()] = study.instances;
    const patchedFor = async (mailbox: string): Promise<Buffer> => {
      const delivery = deliveryOf(world, study.transfer, mailbox);
      const { edits } = await world.tagging.of(delivery)(0);
      return Buffer.from(applyEdits(bytes, edits));
    };
    for (const mailbox of ['noord.main', 'west.prefix']) {
      expect((await patchedFor(mailbox)).includes('2.16.528.1.1007.3.3.1')).toBe(true);
    }
    expect((await patchedFor('noord.main')).includes('zuid-')).toBe(false);
    const changed = await patchedFor('west.prefix');
    expect(changed.includes('zuid-02025066011')).toBe(true);
    // What stood there before is recorded, with who changed it and when.
    expect(changed.includes('SLUIS')).toBe(true);
    expect(changed.includes(deliveryOf(world, study.transfer, 'west.prefix').recipe.modifiedAt)).toBe(true);
  });

  it('leaves a signed instance as it is, and says why', async () => {
    const [{ bytes } = { bytes: Buffer.alloc(0) }] = signed();
    const transfer = await queueItems(world, { to: ['noord.main'], instances: [bytes], bsn: '999990019' });
    expect(await world.tagging.of(deliveryOf(world, transfer))(0)).toMatchObject({
      edits: [],
      bytes: bytes.byteLength,
      refused: 'SIGNED_OBJECT',
    });
  });

  it('takes private elements that name somebody else out for who wants that, and only those', async () => {
    await world.mailbox('west.strip', { by: 'pull' }, { nestedIdentity: 'strip', dialect: 'none' });
    const others: Built = { tag: 0x00111010, vr: 'LO', value: 'Bert' };
    const comment: Built = { tag: 0x00204000, vr: 'LT', value: 'of Bert ' };
    const bytes = part10(ct([others, comment]), 'explicit-le');
    const transfer = await queueItems(world, { to: ['west.strip', 'noord.main'], instances: [bytes] });
    const record = world.state.get(keys.instances, [transfer, 0]);
    if (record === undefined) throw new Error('no record');
    const at = bytes.indexOf('Bert') - 8;
    const foreign = [
      { tag: others.tag, at, bytes: 12 },
      { tag: comment.tag, at: bytes.indexOf('of Bert') - 8, bytes: 16 },
    ];
    await world.state.commit((tx) => tx.put(keys.instances, [transfer, 0], { ...record, foreign }));
    const { edits } = await world.tagging.of(deliveryOf(world, transfer, 'west.strip'))(0);
    expect(edits).toEqual([{ at, remove: 12, insert: new Uint8Array(0) }]);
    const kept = await world.tagging.of(deliveryOf(world, transfer, 'noord.main'))(0);
    expect(kept.edits.every(({ remove }) => remove === 0)).toBe(true);
  });

  it('looks again at what an earlier version scanned, which looked for less', async () => {
    const study = await queueStudy(world, { to: ['noord.main'], instances: 1 });
    const tag = world.tagging.of(deliveryOf(world, study.transfer));
    const { edits } = await tag(0);
    const key = [study.transfer, 0] as const;
    const record = world.state.get(keys.instances, key);
    if (record === undefined || record.scan === null) throw new Error('no record');
    const sites = { groupLengthAt: -1, groupFrom: 0, groupTo: 0 } as unknown as typeof record.scan.sites;
    const older = { ...record, scan: { ...record.scan, sites } };
    await world.state.commit((tx) => tx.put(keys.instances, key, older));
    expect((await tag(0)).edits).toEqual(edits);
  });

  it('finds the items of a delivery that holds fewer than its transfer', async () => {
    await world.mailbox('west.mr', { by: 'pull' }, { excludeModalities: ['CT'] });
    const of = (modality: 'CT' | 'MR') =>
      [...generateStudy({ modality, instances: 2, seed: 12, bytesPerInstance: 512 })].map(
        ({ bytes }) => bytes,
      );
    const [first, second] = of('MR');
    const transfer = await queueItems(world, { to: ['west.mr'], instances: [...of('CT'), ...of('MR')] });
    const tag = world.tagging.of(deliveryOf(world, transfer));
    const found = await Promise.all([0, 1].map(tag));
    expect(found.map(({ position }) => position)).toEqual([0, 1]);
    const bytes = found.map(({ instance }) => instance.sha256);
    expect(bytes.map((sha256) => Buffer.from(sha256).toString('hex'))).toEqual(
      [first, second].map((one) =>
        createHash('sha256')
          .update(one ?? '')
          .digest('hex'),
      ),
    );
    await expect(tag(2)).rejects.toThrow(RangeError);
  });

  it('marks two that have one UID, and no other', async () => {
    const study = generateStudy({
      modality: 'MR',
      instances: 2,
      seed: 11,
      bsnIn: 'patient-id',
      bytesPerInstance: 512,
    });
    const [first, other] = [...study].map(({ bytes }) => bytes);
    if (first === undefined || other === undefined) throw new Error('no instances');
    const { transfer } = await queueAcute(world, 'noord.main', [first, other, changedEnd(first)]);
    const tag = world.tagging.of(deliveryOf(world, transfer));
    expect((await Promise.all([0, 1, 2].map(tag))).map(({ isTwin }) => isTwin)).toEqual([true, false, true]);
  });

  it('says so when an instance is not there', async () => {
    const study = await queueStudy(world, { to: ['noord.main'], instances: 1 });
    await expect(world.tagging.of(deliveryOf(world, study.transfer))(1)).rejects.toThrow('has no position 1');
  });
});
