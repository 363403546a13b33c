import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { startChild } from '../support/child.ts';
import { smallPdf } from '../support/study/documents.ts';
import { DEFLATED_LE } from '../support/study/part10.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import { writeZip } from '../support/zip.ts';
import { openSending, type Sending, slices, stow } from './sending.ts';
import { manifestOf, transferLimits, zuid } from './world.ts';

const rounds = 20;
const stepMs = 40;
const loader = fileURLToPath(new URL('../upload/typescript.mjs', import.meta.url));
const follower = fileURLToPath(new URL('killed-follower.ts', import.meta.url));
const uploads = 10;
const pdf = smallPdf();

/** What has to hold after a kill at whatever point. */
function expectNothingLostOrLeft(world: Sending, transfer: string): void {
  const items = world.items(world.transfer(transfer));
  const uids = items.map(({ sopInstanceUid }) => sopInstanceUid).filter((uid) => uid !== '');
  expect(new Set(uids).size).toBe(uids.length);
  const referred = items.flatMap(({ extents, inflated }) => [
    ...extents,
    ...(inflated ? [inflated.head] : []),
  ]);
  const derived = referred.map(({ object }) => object).filter((object) => object.startsWith('d-'));
  const rows = [...world.state.list(keys.derivedObjects)];
  const kept = rows.filter(({ value }) => value === 'kept').map(({ key }) => key[1]);
  expect(kept.toSorted(byText)).toEqual(derived.toSorted(byText));
  const known = new Set(rows.map(({ key }) => key[1]));
  const onDisk = world.objectsOnDisk().map((path) => path.slice(path.lastIndexOf('/') + 1));
  expect(onDisk.filter((object) => !known.has(object))).toEqual([]);
  expect(kept.filter((object) => !onDisk.includes(object))).toEqual([]);
}

it('has all items once and no object that nobody knows, wherever in unpacking and rendering kill -9 comes', async () => {
  const folder = await openTempFolder('sluis-kills');
  // Nothing is done here: the pool is not started.
  const pool = new WorkPool({ workers: 1 });
  const open = (): Promise<Sending> => openSending(pool, transferLimits, folder.path);
  try {
    const first = await open();
    await first.mailbox('west.pacs', stow);
    const { id } = await first.open({ to: ['west.pacs', 'noord.main'] });
    const all = slices(2 * uploads);
    const found = await Promise.all(all.map(({ bytes }) => first.find(bytes)));
    const packed = slices(3 * uploads, { transferSyntaxUid: DEFLATED_LE }).slice(2 * uploads);
    const packedFound = await Promise.all(packed.map(({ bytes }) => first.find(bytes)));
    const listed = packedFound.map(({ instance: { bytes, sha256 } }, at) => ({
      sopInstanceUid: packed[at]?.sopInstanceUid ?? '',
      bytes,
      sha256,
    }));
    const report = {
      sha256: await digestOf(first, pdf),
      bytes: pdf.byteLength,
      mediaType: 'application/pdf',
    };
    await first.transfers.seal(zuid, id, [...manifestOf(found), ...listed], [report]);
    for (let at = 0; at < uploads; at++) {
      const instances = [...all.slice(2 * at, 2 * at + 2), ...packed.slice(at, at + 1)];
      const files = instances.map(({ bytes }, number) => ({ name: `${number.toString()}.dcm`, data: bytes }));
      const more = at === 0 ? [{ name: 'verslag.pdf', data: pdf }] : [];
      await first.upload(writeZip([...files, ...more]), 'application/zip', { transfer: id });
    }
    await first.close();

    let kills = 0;
    let isDecided = false;
    for (let round = 1; !isDecided; round++) {
      const child = await startChild(process.execPath, [loader, follower, folder.path], {});
      // Each a little later after its start than the one before, and at last none in time.
      await child.waitFor(/^started$/);
      await (round > rounds
        ? child.waitFor(/^settled/)
        : new Promise((resolve) => setTimeout(resolve, stepMs * round)));
      child.kill('SIGKILL');
      await child.exited;
      const world = await open();
      expectNothingLostOrLeft(world, id);
      isDecided = world.transfer(id).state === 'ready';
      kills += isDecided ? 0 : 1;
      await world.close();
    }
    const last = await open();
    await last.derivedObjects.start();
    expectNothingLostOrLeft(last, id);
    expect(last.transfer(id)).toMatchObject({
      state: 'ready',
      instances: 3 * uploads + 2,
      reports: 1,
      derived: 1,
      reasons: [],
    });
    expect(last.objectsKnown()).toEqual(Array<string>(last.objectsOnDisk().length).fill('kept'));
    expect(last.deliveryTo('west.pacs')).toMatchObject({ of: 3 * uploads + 1 });
    await last.close();
    // Otherwise the kills came too late to show anything.
    expect(kills).toBeGreaterThanOrEqual(1);
  } finally {
    await folder.remove();
  }
});

async function digestOf(world: Sending, bytes: Uint8Array): Promise<string> {
  return Buffer.from((await world.find(bytes)).instance.sha256).toString('hex');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
