import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StorageFull } from '../../src/storage/errors.ts';
import type { Checking } from '../../src/transfer/checking.ts';
import { transferView } from '../../src/transfer/views.ts';
import { WorkerLost } from '../../src/work/errors.ts';
import { render } from '../../src/work/render.ts';
import { smallPdf } from '../support/study/documents.ts';
import { generateObject } from '../support/study/objects.ts';
import { DEFLATED_LE } from '../support/study/part10.ts';
import { until } from '../support/until.ts';
import { poolOf } from '../work/support.ts';
import { multipart, openSending, packageOf, type Sending, slices, stow } from './sending.ts';
import { manifestOf, zuid } from './world.ts';

const pdf = smallPdf();

const pool = await poolOf({ workers: 1 });

describe('what is made for receivers', () => {
  let world: Sending;
  beforeEach(async () => {
    world = await openSending(pool);
    await world.mailbox('west.pacs', stow);
    await world.mailbox('west.pdf', { by: 'pull' }, { srAsPdf: true });
  });
  afterEach(() => world.close());

  it('is an instance of a report for who is pushed to, which goes there in its place', async () => {
    const bytes = packageOf(slices(1), ['application/pdf', pdf]);
    const transfer = await world.send(bytes, multipart, ['west.pacs', 'noord.main']);
    expect(transfer).toMatchObject({ state: 'ready', instances: 3, derived: 1, reports: 1 });
    const [slice, , made] = world.items(transfer);
    expect(made).toMatchObject({ derivedFrom: 1, scan: { sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1' } });
    expect(made?.scan?.studyInstanceUid).toBe(slice?.scan?.studyInstanceUid);
    expect(world.deliveryTo('west.pacs')).toMatchObject({ of: 2, leftOut: {} });
    expect(world.deliveryTo('noord.main')).toMatchObject({ of: 2, leftOut: {} });
    expect(transferView(world, transfer, 'sender')).toMatchObject({ instances: 1, reports: 1 });
    const tag = world.tagging.of(world.deliveryTo('west.pacs'));
    const sent = [await tag(0), await tag(1)];
    expect(sent.map(({ instance }) => instance.derivedFrom)).toEqual([null, 1]);
    // It says itself whose it is, so it is tagged like any other.
    expect(sent[1]?.edits.some(({ insert }) => Buffer.from(insert).includes('NLMINBIZA'))).toBe(true);
  });

  it('is nothing for a report that does not tell to which of several studies it belongs: that is held', async () => {
    const two = [...slices(1), ...slices(1, { seed: 901 })];
    const transfer = await world.send(packageOf(two, ['application/pdf', pdf]), multipart, ['west.pacs']);
    expect(transfer).toMatchObject({
      state: 'held',
      studies: 2,
      reasons: ['REPORT_UNPLACED'],
      problems: [2],
    });
  });

  it('is a PDF of a structured report for who asks for it, beside the report', async () => {
    const { bytes } = generateObject({ kind: 'basic-text-sr', seed: 900, bsnIn: 'retired-1000' });
    const transfer = await world.send(bytes, 'application/dicom', ['west.pdf', 'noord.main']);
    expect(transfer).toMatchObject({ state: 'ready', instances: 2, derived: 1 });
    expect(world.deliveryTo('west.pdf')).toMatchObject({ of: 2 });
    expect(world.deliveryTo('noord.main')).toMatchObject({ of: 1 });
  });

  it('is the same each time, under the same UIDs', async () => {
    const { bytes } = generateObject({ kind: 'basic-text-sr', seed: 900 });
    const first = world.items(await world.send(bytes, 'application/dicom', ['west.pdf']))[1];
    const second = world.items(await world.send(bytes, 'application/dicom', ['west.pdf']))[1];
    expect(first?.sopInstanceUid).toMatch(/^2\.25\./);
    expect(second?.sha256).toEqual(first?.sha256);
  });

  it('is a PDF of a structured report with a deflated dataset too', async () => {
    const { bytes } = generateObject({ kind: 'basic-text-sr', seed: 900 }, DEFLATED_LE);
    const transfer = await world.send(bytes, 'application/dicom', ['west.pdf']);
    expect(transfer).toMatchObject({ state: 'ready', derived: 1, reasons: ['BSN_MISSING'] });
  });

  it('is placed beside an instance with a deflated dataset too', async () => {
    const bytes = packageOf(slices(1, { transferSyntaxUid: DEFLATED_LE }), ['application/pdf', pdf]);
    const transfer = await world.send(bytes, multipart, ['west.pacs']);
    expect(transfer).toMatchObject({ state: 'ready', derived: 1, reasons: [] });
    const [slice, , made] = world.items(transfer);
    expect(made?.scan?.studyInstanceUid).toBe(slice?.scan?.studyInstanceUid);
  });

  it('is not made when it was sent along, by who got it from here: one UID is one item', async () => {
    const { bytes } = generateObject({ kind: 'basic-text-sr', seed: 900 });
    const first = await world.send(bytes, 'application/dicom', ['west.pdf']);
    const [, made] = world.items(first);
    const chunks: Uint8Array[] = [];
    for await (const chunk of world.storage.read(made?.extents ?? [], 0, made?.bytes ?? 0)) {
      chunks.push(Uint8Array.from(chunk));
    }
    const both = packageOf([{ bytes }, { bytes: Buffer.concat(chunks) }]);
    const forwarded = await world.send(both, multipart, ['west.pdf']);
    expect(forwarded).toMatchObject({ state: 'ready', instances: 2, derived: 0 });
    expect(world.objectsOnDisk()).toHaveLength(1);
  });

  describe('of reports that cannot be made into one', () => {
    const begin = async (bytes: Uint8Array, checking: Checking, to = 'west.pacs'): Promise<void> => {
      const { id } = await world.upload(bytes, multipart, { from: 'zuid.main', to: [to] });
      world.follow({ checking }).follow(id);
    };
    const isSettled = (): Promise<void> =>
      until(
        () => world.settled.length > 0,
        () => world.lines.slice(-3),
      );

    it('tells its sender which, and why', async () => {
      const bytes = packageOf(slices(2), ['text/xml', Buffer.from('<letter>to a colleague</letter>')]);
      const transfer = await world.send(bytes, multipart, ['west.pacs']);
      expect(transfer).toMatchObject({ state: 'held', reasons: ['REPORT_NOT_RENDERED'], derived: 0 });
      expect(transferView(world, transfer, 'sender').problems).toEqual([
        { sopInstanceUid: '', reasons: ['REPORT_NOT_RENDERED'], detail: 'it is no CDA document' },
      ]);
    });

    it.each([
      ['that cannot be read', 1, ['text/xml', Buffer.from('<letter/>')], 'REPORT_NOT_RENDERED'],
      ['of which nobody knows the study', 2, ['application/pdf', pdf], 'REPORT_UNPLACED'],
    ] as const)(
      'lets the images of an acute transfer go without one %s, and says so',
      async (_, studies, report, code) => {
        const all = Array.from({ length: studies }, (__, at) => slices(1, { seed: 900 + at })).flat();
        const priority = { priority: 'acute' } as const;
        const transfer = await world.send(
          packageOf(all, report),
          multipart,
          ['west.pacs', 'noord.main'],
          priority,
        );
        expect(transfer).toMatchObject({ state: 'ready', reasons: [code], problems: [studies] });
        expect(world.deliveryTo('west.pacs')).toMatchObject({ of: studies, leftOut: { [report[0]]: 1 } });
        expect(world.deliveryTo('noord.main')).toMatchObject({ of: studies + 1, leftOut: {} });
      },
    );

    it('gives up one that takes thread after thread with it, and makes the others', async () => {
      const tries = vi.fn();
      const checking = world.rendering((job) => {
        if (job.of.kind !== 'text') return render(job);
        tries();
        return Promise.reject(new WorkerLost());
      });
      await begin(
        packageOf(slices(1), ['text/plain', Buffer.from('odd')], ['application/pdf', pdf]),
        checking,
      );
      await isSettled();
      expect(tries).toHaveBeenCalledTimes(3);
      expect(world.settled).toMatchObject([{ state: 'held', reasons: ['REPORT_NOT_RENDERED'], derived: 1 }]);
      const [settled] = world.settled;
      expect(settled && world.items(settled)[1]).toMatchObject({
        detail: 'making a PDF of it failed (WorkerLost)',
      });
    });

    it('does not count a full disk against one, and leaves nothing behind meanwhile', async () => {
      let tries = 0;
      const checking = world.rendering((job) => {
        tries += 1;
        return tries <= 6
          ? Promise.reject(new StorageFull('full'))
          : tries === 7
            ? Promise.reject(new WorkerLost())
            : render(job);
      });
      await begin(packageOf(slices(1), ['application/pdf', pdf]), checking);
      await isSettled();
      expect(tries).toBe(8);
      expect(world.settled).toMatchObject([{ state: 'ready', reasons: [], derived: 1 }]);
      expect(world.objectsOnDisk()).toHaveLength(1);
    });

    it('makes no more of them than a transfer has room for', async () => {
      const checking = world.rendering(render, { instancesMax: 4 });
      const texts = ['one', 'two'].map((text) => ['text/plain', Buffer.from(text)] as const);
      await begin(packageOf(slices(1), ...texts), checking);
      await isSettled();
      expect(world.settled).toMatchObject([
        { state: 'held', reasons: ['REPORT_NOT_RENDERED'], instances: 4, derived: 1, problems: [2] },
      ]);
    });

    it('makes the report first that its transfer would be held for, and goes without a PDF of the other', async () => {
      await world.mailbox('west.both', stow, { srAsPdf: true });
      const checking = world.rendering(render, { instancesMax: 4 });
      const sr = generateObject({ kind: 'basic-text-sr', seed: 900, bsnIn: 'retired-1000' });
      await begin(packageOf([sr, ...slices(1)], ['application/pdf', pdf]), checking, 'west.both');
      await isSettled();
      expect(world.settled).toMatchObject([
        { state: 'ready', reasons: ['SR_NOT_RENDERED'], instances: 4, derived: 1, problems: [0] },
      ]);
      expect(world.deliveryTo('west.both')).toMatchObject({ of: 3, leftOut: {} });
    });
  });

  it('is made once, however many uploads end at the same time', async () => {
    const made = vi.fn(render);
    const checking = world.rendering(made);
    const reports = ['one', 'two', 'three'].map((word) => ({ data: Buffer.from(word), type: 'text/plain' }));
    const { id } = await world.open({ to: ['west.pacs'] });
    const found = await Promise.all(slices(1).map(({ bytes }) => world.find(bytes)));
    const listed = reports.map(({ data, type }) => {
      const sha256 = createHash('sha256').update(data).digest('hex');
      return { sha256, bytes: data.byteLength, mediaType: type };
    });
    await world.transfers.seal(zuid, id, manifestOf(found), listed);
    const follower = world.follow({ checking });
    for (const { data, type } of [{ data: packageOf(slices(1)), type: multipart }, ...reports]) {
      follower.follow((await world.upload(data, type, { transfer: id })).id);
    }
    await until(() => world.settled.length > 0);
    await Promise.all(Array.from({ length: 5 }, () => checking.settle(id)));
    expect(made).toHaveBeenCalledTimes(3);
    expect(world.settled).toMatchObject([
      { state: 'ready', instances: 7, reports: 3, derived: 3, expected: 4 },
    ]);
    expect(world.deliveryTo('west.pacs')).toMatchObject({ of: 4, leftOut: {} });
    expect(world.objectsKnown()).toEqual(['kept', 'kept', 'kept']);
  });

  it('is cut when a stop does not want to wait for it any longer, and is made at the next start', async () => {
    const begun = vi.fn();
    const checking = world.rendering((_, signal) => {
      begun();
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    const bytes = packageOf(slices(1), ['application/pdf', pdf]);
    const { id } = await world.upload(bytes, multipart, { from: 'zuid.main', to: ['west.pacs'] });
    const stopped = world.follow({ checking });
    stopped.follow(id);
    await until(() => begun.mock.calls.length > 0);
    await stopped.stop(AbortSignal.timeout(20));
    expect({ settled: world.settled, failures: world.failures() }).toEqual({ settled: [], failures: 0 });
    await world.derivedObjects.start();
    await world.follow().start();
    await until(() => world.settled.length > 0);
    expect(world.settled).toMatchObject([{ state: 'ready', derived: 1 }]);
    expect(world.objectsOnDisk()).toHaveLength(1);
  });

  it.each([{ excludeModalities: ['DOC'] }, { excludeSopClasses: ['1.2.840.10008.5.1.4.1.1.104.1'] }])(
    'is nothing for a mailbox that does not take what is made, and nothing is held for it: %o',
    async (wishes) => {
      await world.mailbox('west.images', stow, wishes);
      const two = [...slices(1), ...slices(1, { seed: 901 })];
      const transfer = await world.send(packageOf(two, ['application/pdf', pdf]), multipart, ['west.images']);
      expect(transfer).toMatchObject({ state: 'ready', derived: 0, reasons: [] });
      expect(world.deliveryTo('west.images')).toMatchObject({ of: 2, leftOut: { 'application/pdf': 1 } });
    },
  );
});
