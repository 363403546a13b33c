import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Priority } from '../../src/state/records.ts';
import { transferView } from '../../src/transfer/views.ts';
import { smallPdf } from '../support/study/documents.ts';
import { until } from '../support/until.ts';
import { writeZip } from '../support/zip.ts';
import { poolOf } from '../work/support.ts';
import { multipart, openSending, packageOf, type Sending, slices } from './sending.ts';
import { manifestOf, zuid } from './world.ts';

const pdf = smallPdf();
const text = Buffer.from('Geen bijzonderheden.');
const listed = (data: Uint8Array, mediaType: string) => {
  const sha256 = createHash('sha256').update(data).digest('hex');
  return { sha256, bytes: data.byteLength, mediaType };
};

const pool = await poolOf({ workers: 1 });

describe('reports of a transfer', () => {
  let world: Sending;
  beforeEach(async () => {
    world = await openSending(pool);
  });
  afterEach(() => world.close());

  /** Uploads of one transfer, when all of them are known. */
  const arrive = async (transfer: string, ...uploads: (readonly [Uint8Array, string])[]) => {
    const all = [];
    for (const [bytes, filetype] of uploads) {
      all.push(await world.upload(bytes, filetype, { transfer }));
    }
    for (const { id } of all) world.follower.follow(id);
    await until(() => world.settled.length > 0);
    return world.transfer(transfer);
  };

  it('can be all there is, when the manifest lists them', async () => {
    const { id } = await world.open();
    const both = [listed(pdf, 'application/pdf'), listed(text, 'text/plain')];
    await world.transfers.seal(zuid, id, [], both);
    const transfer = await arrive(id, [pdf, 'application/pdf'], [text, 'text/plain']);
    expect(transfer).toMatchObject({ state: 'ready', reports: 2, studies: 0, expected: 2 });
    expect(transferView(world, transfer, 'sender')).toMatchObject({ instances: 0, reports: 2, expected: 2 });
    expect(world.deliveryTo('noord.main')).toMatchObject({ of: 2, leftOut: {} });
  });

  it('count once when they are equal, whatever they came in, and leave nothing behind', async () => {
    const found = await Promise.all(slices(1).map(({ bytes }) => world.find(bytes)));
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found), [listed(pdf, 'application/pdf')]);
    const zip = writeZip([{ name: 'verslag.pdf', data: pdf }]);
    const transfer = await arrive(
      id,
      [zip, 'application/zip'],
      [packageOf(slices(1), ['application/pdf', pdf]), multipart],
      [zip, 'application/zip'],
      [pdf, 'application/pdf'],
    );
    expect(transfer).toMatchObject({ state: 'ready', instances: 2, reports: 1, expected: 2, reasons: [] });
    expect(transfer.bytes).toBe(pdf.byteLength + (found[0]?.instance.bytes ?? 0));
    // It is decided when all that is listed is there; the other uploads are looked at to their ends.
    await world.follower.stop(AbortSignal.timeout(10_000));
    expect(world.objectsKnown().filter((state) => state !== 'kept')).toEqual([]);
    expect(world.objectsOnDisk()).toHaveLength(world.objectsKnown().length);
  });

  it.each([
    ['application/pdf', listed(pdf, 'text/plain')],
    ['application/pdf', listed(text, 'application/pdf')],
  ])('hold the transfer when they came as %s and are listed as %o', async (type, entry) => {
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, [], [entry]);
    expect(await arrive(id, [pdf, type])).toMatchObject({ state: 'held', reasons: ['NOT_LISTED'] });
  });

  it.each<[Priority, object]>([
    ['routine', { state: 'held', reasons: ['NOT_LISTED'] }],
    ['acute', { state: 'ready', reasons: ['NOT_LISTED'] }],
  ])('that nobody listed make a %s transfer %o', async (priority, decided) => {
    const found = await Promise.all(slices(1).map(({ bytes }) => world.find(bytes)));
    const { id } = await world.open({ priority });
    await world.transfers.seal(zuid, id, manifestOf(found));
    const bytes = packageOf(slices(1), ['application/pdf', pdf]);
    expect(await arrive(id, [bytes, multipart])).toMatchObject(decided);
  });
});
