import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identify } from '../../src/dicom/identity.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { scan } from '../../src/dicom/scan.ts';
import { generateStudy } from '../support/study/study.ts';
import { manifestOf, openWorld, type World, zuid } from '../transfer/world.ts';
import { changedEnd, deliveryOf, queueAcute, queueStudy } from './sending.ts';

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
    const [one] = generateStudy({
      modality: 'MR',
      instances: 1,
      seed: 9,
      bsnIn: 'sequence-1002',
      bytesPerInstance: 512,
    });
    const found = [await world.find(one?.bytes ?? new Uint8Array())];
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', reasons: [] });
    expect((await world.tagging.of(deliveryOf(world, id))(0)).edits).toEqual([]);
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
    await expect(world.tagging.of(deliveryOf(world, study.transfer))(1)).rejects.toThrow('has no instance 1');
  });
});
