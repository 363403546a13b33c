import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { InstanceRecord, TransferRecord, UploadRecord } from '../../src/state/records.ts';
import { composeInstance, readSegments, segmentsBytes, storedInstance } from '../../src/study/composing.ts';
import { Examiner } from '../../src/transfer/examiner.ts';
import { Follower } from '../../src/transfer/follower.ts';
import { transferView } from '../../src/transfer/views.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { writePackage } from '../study/support.ts';
import { smallPdf } from '../support/study/documents.ts';
import { generateObject } from '../support/study/objects.ts';
import { DEFLATED_LE } from '../support/study/part10.ts';
import { generateStudy } from '../support/study/study.ts';
import { until as waitUntil } from '../support/until.ts';
import { writeZip } from '../support/zip.ts';
import { openWorld, transferLimits, uploadRecord, type World, zuid } from './world.ts';

const pdf = smallPdf();
const slices = (instances: number, more: object = {}) => [
  ...generateStudy({ modality: 'CT', instances, seed: 900, bytesPerInstance: 2048, ...more }),
];

describe('what is examined of an upload', () => {
  const pool = new WorkPool({ workers: 1 });
  let world: World;
  let follower: Follower;
  let settled: TransferRecord[];

  beforeAll(() => pool.start());
  afterAll(() => pool.stop(AbortSignal.timeout(5000)));
  beforeEach(async () => {
    world = await openWorld();
    settled = [];
    follower = new Follower({
      ...world,
      pool,
      examiner: new Examiner({ ...world, pool, limits: transferLimits }),
      archiveBytesMax: transferLimits.transferBytesMax,
      retryMs: 1,
      onSettled: (one) => settled.push(one),
    });
  });
  afterEach(async () => {
    await follower.stop(AbortSignal.timeout(10_000));
    await world.close();
  });

  /** One upload that is a transfer of its own, until it is decided. */
  const send = async (
    bytes: Uint8Array,
    filetype: string,
    to: readonly string[] = ['noord.main'],
    change: Partial<UploadRecord> = {},
  ): Promise<TransferRecord> => {
    const { object } = await world.store(bytes);
    const length = bytes.byteLength;
    const record = uploadRecord(null, {
      object,
      filetype,
      length,
      offset: length,
      from: 'zuid.main',
      to,
      ...change,
    });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, record.id, record);
      world.transfers.claim(tx, record);
    });
    follower.follow(record.id);
    await waitUntil(
      () => settled.length > 0,
      () => world.lines,
    );
    const [decided] = settled;
    if (decided === undefined) throw new Error('nothing was decided');
    return world.transfer(decided.id);
  };
  const items = ({ id, instances }: TransferRecord): InstanceRecord[] =>
    Array.from({ length: instances }, (_, number) => {
      const item = world.state.get(keys.instances, [id, number]);
      if (item === undefined) throw new Error(`no item ${number}`);
      return item;
    });
  const bytesOf = async ({ extents, bytes }: InstanceRecord): Promise<Buffer> =>
    collect(world.storage.read(extents, 0, bytes));
  const objectsOnDisk = (): string[] =>
    readdirSync(join(world.folder, 'storage', 'objects'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\bd-/.test(name),
    );

  it('takes the instances and reports of a ZIP archive and tells its sender what it set aside', async () => {
    const [stored, packed] = slices(2);
    const archive = writeZip([
      { name: 'DICOM/Jansen/1.dcm', data: stored?.bytes ?? pdf, stored: true },
      { name: 'DICOM/Jansen/2.dcm', data: packed?.bytes ?? pdf },
      { name: 'verslag.pdf', data: pdf },
      { name: 'viewer/start.exe', data: Buffer.from('MZ viewer') },
      { name: 'Thumbs.db', data: Buffer.from('thumbs') },
    ]);
    const transfer = await send(archive, 'application/zip');
    expect(transfer).toMatchObject({ state: 'ready', instances: 3, reports: 1, setAside: 2, studies: 1 });
    const found = items(transfer);
    expect(found.map(({ report }) => report)).toEqual([
      null,
      null,
      { mediaType: 'application/pdf', origin: 'zip' },
    ]);
    expect(await Promise.all(found.map(bytesOf))).toEqual(
      [stored?.bytes, packed?.bytes, pdf].map((bytes) => Buffer.from(bytes ?? '')),
    );
    const { setAside, instances, reports } = transferView(world, transfer, 'sender');
    expect({ instances, reports }).toEqual({ instances: 2, reports: 1 });
    expect(setAside?.items.map(({ name, why }) => [name, why])).toEqual([
      ['viewer/start.exe', 'viewer'],
      ['Thumbs.db', 'system-file'],
    ]);
    expect(transferView(world, transfer, () => true).setAside).toBeNull();
    expect(world.recordBytes().includes('Jansen')).toBe(false);
    expect(world.recordBytes().includes('start.exe')).toBe(false);
  });

  it('holds an entry that is not the one its CRC-32 tells', async () => {
    const [slice] = slices(1);
    const data = slice?.bytes ?? pdf;
    const archive = writeZip([
      { name: '1.dcm', data, stored: true, local: { crc32: 1 }, central: { crc32: 1 } },
    ]);
    expect(await send(archive, 'application/zip')).toMatchObject({
      state: 'held',
      reasons: ['CHECKSUM_DIFFERS'],
    });
  });

  it('unpacks a deflated dataset once; its receiver gets the original, or a patched head and the rest', async () => {
    const [slice] = slices(1, { transferSyntaxUid: DEFLATED_LE });
    const bytes = Buffer.from(slice?.bytes ?? '');
    const transfer = await send(bytes, 'application/dicom');
    expect(transfer).toMatchObject({ state: 'ready', reasons: [] });
    const [item] = items(transfer);
    expect(item?.sopInstanceUid).toBe(slice?.sopInstanceUid);
    expect(item?.inflated?.bytes).toBeGreaterThan(bytes.byteLength);
    expect(objectsOnDisk()).toHaveLength(1);
    const [delivery] = [...world.state.list(keys.deliveries)];
    if (item === undefined || delivery === undefined) throw new Error('nothing was queued');
    const { edits } = await world.tagging.of(delivery.value)(0);
    expect(edits.length).toBeGreaterThan(0);
    const segments = composeInstance(storedInstance(item), edits);
    const got = await collect(readSegments(world.storage, segments, 0, segmentsBytes(segments)));
    const datasetAt = item.scan?.datasetAt ?? 0;
    const before = inflateRawSync(bytes.subarray(datasetAt));
    const after = inflateRawSync(got.subarray(datasetAt));
    expect(got.subarray(0, datasetAt).equals(bytes.subarray(0, datasetAt))).toBe(true);
    expect(after.includes('NLMINBIZA')).toBe(true);
    expect(after.subarray(-1000).equals(before.subarray(-1000))).toBe(true);
    expect(after.byteLength).toBeGreaterThan(before.byteLength);
  });

  it('leaves no derived object of what cannot be unpacked', async () => {
    const raw = Buffer.from('this is no deflate stream at all');
    const [slice] = slices(1);
    const archive = writeZip([
      { name: '1.dcm', data: slice?.bytes ?? pdf, raw },
      { name: '2.dcm', data: slice?.bytes ?? pdf },
    ]);
    const transfer = await send(archive, 'application/zip');
    expect(transfer.state).toBe('held');
    expect(transfer.reasons).toContain('CHECKSUM_DIFFERS');
    expect(objectsOnDisk()).toHaveLength(1);
    expect([...world.state.list(keys.derivedObjects)].map(({ value }) => value)).toEqual(['kept']);
  });

  it('removes at the next start what was being made when a kill came', async () => {
    await world.state.commit((tx) => tx.put(keys.derivedObjects, ['some transfer', 'd-1'], 'making'));
    await world.derivedObjects.start();
    expect([...world.state.list(keys.derivedObjects)]).toEqual([]);
  });

  it('rejects a report that is not what its type says, and holds the rest', async () => {
    const [slice] = slices(1);
    const bytes = writePackage({
      parts: [
        { data: slice?.bytes ?? pdf },
        { data: Buffer.from('no pdf at all'), headers: ['Content-Type: application/pdf'] },
      ],
    });
    const transfer = await send(bytes, 'multipart/related; type="application/dicom"; boundary=B');
    expect(transfer).toMatchObject({ state: 'held', reasons: ['REPORT_UNREADABLE'] });
  });

  describe('for a receiver that is pushed to', () => {
    const stow = { by: 'stow', url: 'http://127.0.0.1:1/dicom-web', tokenFile: null } as const;
    const filetype = 'multipart/related; type="application/dicom"; boundary=B';
    const deliveryTo = (mailbox: string) =>
      [...world.state.list(keys.deliveries)].map(({ value }) => value).find((one) => one.mailbox === mailbox);

    it('makes an instance of a report, which goes there in its place', async () => {
      await world.mailbox('west.pacs', stow);
      const [slice] = slices(1);
      const bytes = writePackage({
        parts: [{ data: slice?.bytes ?? pdf }, { data: pdf, headers: ['Content-Type: application/pdf'] }],
      });
      const transfer = await send(bytes, filetype, ['west.pacs', 'noord.main']);
      expect(transfer).toMatchObject({ state: 'ready', instances: 3, derived: 1, reports: 1 });
      const made = items(transfer)[2];
      expect(made).toMatchObject({ derivedFrom: 1, scan: { sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1' } });
      expect(made?.scan?.studyInstanceUid).toBe(items(transfer)[0]?.scan?.studyInstanceUid);
      expect(deliveryTo('west.pacs')).toMatchObject({ of: 2, leftOut: {} });
      expect(deliveryTo('noord.main')).toMatchObject({ of: 2, leftOut: {} });
      expect(transferView(world, transfer, 'sender')).toMatchObject({ instances: 1, reports: 1 });
      const tag = world.tagging.of(deliveryTo('west.pacs') ?? never());
      const sent = [await tag(0), await tag(1)];
      expect(sent.map(({ instance }) => instance.derivedFrom)).toEqual([null, 1]);
      // It says itself whose it is, so it is tagged like any other.
      expect(sent[1]?.edits.some(({ insert }) => Buffer.from(insert).includes('NLMINBIZA'))).toBe(true);
    });

    it('holds a report when it does not tell to which of several studies it belongs', async () => {
      await world.mailbox('west.pacs', stow);
      const [one] = slices(1);
      const [other] = slices(1, { seed: 901 });
      const bytes = writePackage({
        parts: [
          { data: one?.bytes ?? pdf },
          { data: other?.bytes ?? pdf },
          { data: pdf, headers: ['Content-Type: application/pdf'] },
        ],
      });
      expect(await send(bytes, filetype, ['west.pacs'])).toMatchObject({
        state: 'held',
        studies: 2,
        reasons: ['REPORT_UNPLACED'],
      });
    });

    it('makes a PDF of a structured report for who asks for it, and sends the report along', async () => {
      await world.mailbox('west.pdf', { by: 'pull' }, { srAsPdf: true });
      const { bytes: report } = generateObject({ kind: 'basic-text-sr', seed: 900, bsnIn: 'retired-1000' });
      const transfer = await send(report, 'application/dicom', ['west.pdf', 'noord.main']);
      expect(transfer).toMatchObject({ state: 'ready', instances: 2, derived: 1 });
      expect(deliveryTo('west.pdf')).toMatchObject({ of: 2 });
      expect(deliveryTo('noord.main')).toMatchObject({ of: 1 });
    });

    it('does not make the same instance anew each time with other UIDs', async () => {
      await world.mailbox('west.pdf', { by: 'pull' }, { srAsPdf: true });
      const { bytes: report } = generateObject({ kind: 'basic-text-sr', seed: 900 });
      const first = items(await send(report, 'application/dicom', ['west.pdf']))[1];
      settled.length = 0;
      const second = items(await send(report, 'application/dicom', ['west.pdf']))[1];
      expect(first?.sopInstanceUid).toMatch(/^2\.25\./);
      expect(second?.sha256).toEqual(first?.sha256);
    });
  });

  describe('of a patient whose BSN becomes known late', () => {
    const patient = { bsn: '999990019', bsnStatus: 'verified' } as const;

    it('tags what was queued without it, and needs no other upload', async () => {
      const [slice] = slices(1, { bsnIn: 'none' });
      const transfer = await send(slice?.bytes ?? pdf, 'application/dicom');
      expect(transfer.reasons).toEqual(['BSN_MISSING']);
      const mailboxes: string[] = [];
      const changed = await world.transfers.attachBsn(zuid, transfer.id, patient, (tx, now) => {
        mailboxes.push(...world.deliveries.retag(tx, now));
      });
      expect(changed.reasons).toEqual([]);
      expect(mailboxes).toEqual(['noord.main']);
      const [delivery] = [...world.state.list(keys.deliveries)];
      const { edits } = await world.tagging.of(delivery?.value ?? never())(0);
      expect(edits.some(({ insert }) => Buffer.from(insert).includes('999990019'))).toBe(true);
      expect(world.recordBytes().includes('999990019')).toBe(false);
    });

    it('takes the same once more, and refuses another', async () => {
      const [slice] = slices(1, { bsnIn: 'none' });
      const { id } = await send(slice?.bytes ?? pdf, 'application/dicom');
      const attach = (bsn: string) =>
        world.transfers.attachBsn(zuid, id, { ...patient, bsn }, () => undefined);
      await attach('999990019');
      await attach('999990019');
      await expect(attach('999990007')).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_BSN_DIFFERS' });
    });
  });

  it('refuses more studies in one transfer than its limit, counting the last one too', async () => {
    const studies = Array.from({ length: transferLimits.studiesMax + 1 }, (_, at) =>
      slices(1, { seed: 1000 + at }),
    );
    const parts = studies.map(([slice]) => ({ data: slice?.bytes ?? pdf }));
    const transfer = await send(
      writePackage({ parts }),
      'multipart/related; type="application/dicom"; boundary=B',
    );
    expect(transfer.reasons).toContain('LIMIT_EXCEEDED');
    expect(transfer.studies).toBe(transferLimits.studiesMax);
  });
});

function never(): never {
  throw new Error('it is not there');
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}
