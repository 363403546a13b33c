import { inflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { InstanceRecord } from '../../src/state/records.ts';
import { composeInstance, readSegments, segmentsBytes, storedInstance } from '../../src/study/composing.ts';
import { transferView } from '../../src/transfer/views.ts';
import { smallPdf } from '../support/study/documents.ts';
import { DEFLATED_LE } from '../support/study/part10.ts';
import { writeZip } from '../support/zip.ts';
import { poolOf } from '../work/support.ts';
import { multipart, openSending, packageOf, type Sending, slices } from './sending.ts';
import { transferLimits } from './world.ts';

const pdf = smallPdf();

const pool = await poolOf({ workers: 1 });

describe('what is examined of an upload', () => {
  let world: Sending;
  beforeEach(async () => {
    world = await openSending(pool);
  });
  afterEach(() => world.close());

  const bytesOf = async ({ extents, bytes }: InstanceRecord): Promise<Buffer> =>
    collect(world.storage.read(extents, 0, bytes));

  it('takes the instances and reports of a ZIP archive and tells its sender what it set aside', async () => {
    const [stored, packed] = slices(2);
    const archive = writeZip([
      { name: 'DICOM/Jansen/1.dcm', data: stored?.bytes ?? pdf, stored: true },
      { name: 'DICOM/Jansen/2.dcm', data: packed?.bytes ?? pdf },
      { name: 'verslag.pdf', data: pdf },
      { name: 'viewer/start.exe', data: Buffer.from('MZ viewer') },
      { name: 'Thumbs.db', data: Buffer.from('thumbs') },
    ]);
    const transfer = await world.send(archive, 'application/zip');
    expect(transfer).toMatchObject({ state: 'ready', instances: 3, reports: 1, setAside: 2, studies: 1 });
    const found = world.items(transfer);
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

  const concatenated = slices(3, { bytesPerInstance: 20_000 }).map(({ bytes }) => bytes);
  const [one = pdf, two = pdf, three = pdf] = concatenated;
  it.each([
    ['package', multipart, packageOf(slices(3, { bytesPerInstance: 20_000 }), ['application/pdf', pdf])],
    [
      'archive',
      'application/zip',
      writeZip([
        { name: '1.dcm', data: one, stored: true },
        { name: '2.dcm', data: two },
        { name: '3.dcm', data: three, stored: true },
        { name: '4.pdf', data: pdf },
      ]),
    ],
    ['instance', 'application/dicom', Buffer.from(one)],
  ])('finds the same in a concatenated %s, wherever its uploads end', async (_, filetype, bytes) => {
    const whole = await world.send(bytes, filetype);
    const size = Math.ceil(bytes.byteLength / 7);
    const parts = await Promise.all(
      Array.from({ length: 7 }, async (_, at) => {
        const part = bytes.subarray(at * size, (at + 1) * size);
        const { object } = await world.store(part);
        return { upload: `part-${at.toString()}`, object, bytes: part.byteLength };
      }),
    );
    const content = { of: 'parts', parts, header: null } as const;
    const transfer = await world.send(bytes, filetype, undefined, { content });
    const { state, reasons, instances, reports } = whole;
    expect(transfer).toMatchObject({ state, reasons, instances, reports });
    expect(state).toBe('ready');
    const found = world.items(transfer);
    expect(found.map(({ sha256 }) => sha256)).toEqual(world.items(whole).map(({ sha256 }) => sha256));
    expect(await Promise.all(found.map(bytesOf))).toEqual(await Promise.all(world.items(whole).map(bytesOf)));
    expect(Math.max(...found.map(({ extents }) => extents.length))).toBeGreaterThan(1);
  });

  it('holds an entry that is not the one its CRC-32 tells', async () => {
    const [slice] = slices(1);
    const data = slice?.bytes ?? pdf;
    const archive = writeZip([
      { name: '1.dcm', data, stored: true, local: { crc32: 1 }, central: { crc32: 1 } },
    ]);
    expect(await world.send(archive, 'application/zip')).toMatchObject({
      state: 'held',
      reasons: ['CHECKSUM_DIFFERS'],
    });
  });

  it('unpacks a deflated dataset once; its receiver gets the original, or a patched head and the rest', async () => {
    const [slice] = slices(1, { transferSyntaxUid: DEFLATED_LE });
    const bytes = Buffer.from(slice?.bytes ?? '');
    const transfer = await world.send(bytes, 'application/dicom');
    expect(transfer).toMatchObject({ state: 'ready', reasons: [] });
    const [item] = world.items(transfer);
    expect(item?.sopInstanceUid).toBe(slice?.sopInstanceUid);
    expect(item?.inflated?.bytes).toBeGreaterThan(bytes.byteLength);
    expect(world.objectsOnDisk()).toHaveLength(1);
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
    const transfer = await world.send(archive, 'application/zip');
    expect(transfer.state).toBe('held');
    expect(transfer.reasons).toContain('CHECKSUM_DIFFERS');
    expect(world.objectsOnDisk()).toHaveLength(1);
    expect([...world.state.list(keys.derivedObjects)].map(({ value }) => value)).toEqual(['kept']);
  });

  it('rejects a report that is not what its type says, and holds the rest', async () => {
    const bytes = packageOf(slices(1), ['application/pdf', Buffer.from('no pdf at all')]);
    const transfer = await world.send(bytes, multipart);
    expect(transfer).toMatchObject({ state: 'held', reasons: ['REPORT_UNREADABLE'] });
  });

  it('refuses more studies in one transfer than its limit, counting the last one too', async () => {
    const studies = Array.from({ length: transferLimits.studiesMax + 1 }, (_, at) =>
      slices(1, { seed: 1000 + at }),
    );
    const transfer = await world.send(packageOf(studies.flat()), multipart);
    expect(transfer.reasons).toContain('LIMIT_EXCEEDED');
    expect(transfer.studies).toBe(transferLimits.studiesMax);
  });
});

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}
