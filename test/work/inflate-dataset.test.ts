import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LEGACY_1000, NL_2010, PATIENTID_BSN } from '../../src/dicom/dialect.ts';
import type { Edit } from '../../src/dicom/edit.ts';
import { identify } from '../../src/dicom/identity.ts';
import { IDENTITY_BYTES } from '../../src/dicom/limits.ts';
import { applyEdits, patch, patchNeeds } from '../../src/dicom/patch.ts';
import { scan } from '../../src/dicom/scan.ts';
import type { FileRange } from '../../src/storage/storage.ts';
import { composeInstance, type Segment } from '../../src/study/composing.ts';
import { inflate } from '../../src/work/inflate.ts';
import type { InflateJob, InflateResult } from '../../src/work/jobs.ts';
import { PieceReader } from '../../src/work/piece-reader.ts';
import { type Built, ct, dataset, part10 } from '../dicom/builder.ts';
import { samples, samplesAreHere } from '../dicom/samples.ts';
import { DEFLATED, type DeflatedFile, deflatedDataset, deflatedFile, inflateAll } from './deflated-files.ts';
import { poolOf, Scratch, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const BSN = '999990019';
const folder = await temporaryFolder();
const pool = await poolOf({ workers: 2 });

const scratch = new Scratch(folder);

async function jobOf(bytes: Uint8Array, limits: Partial<InflateJob> = {}): Promise<InflateJob> {
  // In two places, and not at the beginning of a file.
  const cut = Math.min(bytes.byteLength, 300);
  const first = await scratch.fileOf(
    Buffer.concat([Buffer.alloc(7, 1), bytes.subarray(0, cut), Buffer.alloc(5, 2)]),
  );
  const second = await scratch.fileOf(bytes.subarray(cut));
  const ranges = [{ ...first, start: 7, bytes: cut }, second];
  return { of: 'dataset', ranges, into: scratch.into, bytesMax: 1024 * MIB, ratioMax: 200, ...limits };
}

async function inflated(bytes: Uint8Array, limits: Partial<InflateJob> = {}): Promise<InflateResult> {
  return pool.inflate(await jobOf(bytes, limits));
}

/** Pixels that do not deflate to nothing. */
const pixels = (bytes: number): Built => ({ tag: 0x7fe00010, vr: 'OW', value: randomBytes(bytes) });
/** Content of a structured report, behind which no element stands. */
const content = (bytes: number): Built => ({
  tag: 0x0040a730,
  vr: 'SQ',
  items: [[{ tag: 0x0040a160, vr: 'UT', value: Buffer.alloc(bytes, 'Geen afwijkingen. ') }]],
});
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What a receiver gets with these edits, from the derived file alone. */
function composed({ inflated: parts, inspection }: InflateResult, edits: readonly Edit[]): Buffer {
  if (parts === undefined) throw new Error('nothing was inflated');
  const { headBytes, tailBytes } = parts;
  const head = { path: scratch.into, start: 0, bytes: headBytes };
  const tail = { path: scratch.into, start: headBytes, bytes: tailBytes };
  const datasetAt = inspection.scan?.datasetAt ?? 0;
  return bytesOf(composeInstance({ extents: [], bytes: 0, inflated: { head, tail }, datasetAt }, edits));
}

function bytesOf(segments: readonly Segment<FileRange>[]): Buffer {
  const chunks: Buffer[] = [];
  const reader = new PieceReader();
  const pieces = segments.flatMap<FileRange | Uint8Array>((segment) =>
    segment.from === 'insert' ? [segment.insert] : segment.extents,
  );
  reader.read(pieces, (chunk) => chunks.push(Buffer.from(chunk)));
  reader.close();
  return Buffer.concat(chunks);
}

/** Who changes what was sent: then what is replaced is recorded behind the identifiers too. */
const record = { modifiedAt: '20260101120000', modifyingSystem: 'SLUIS', source: '' };

/** The edits that write a BSN into the inflated form, as each dialect does it, and take out whom they may. */
function editsOf({ inspection }: InflateResult, whole: Buffer): (readonly Edit[])[] {
  const { scan: found, identity } = inspection;
  if (found === undefined) throw new Error('the head was not read');
  const needs = patchNeeds(found);
  const seen = needs && whole.subarray(needs.start, needs.end);
  const foreign = identity?.foreign.filter(({ tag }) => (tag >>> 16) % 2 === 1) ?? [];
  return [NL_2010, LEGACY_1000, PATIENTID_BSN].map((dialect) => {
    const { edits, refused } = patch(found, { dialect, bsn: BSN, record, foreign }, seen);
    expect(refused).toBeNull();
    return edits;
  });
}

/** Everything that has to hold of an instance that was inflated. */
async function expectInflated(result: InflateResult, { bytes, inflated: whole, datasetAt }: DeflatedFile) {
  const { inspection, inflated: parts } = result;
  const expected = scan(whole, whole.byteLength, 'inflated');
  if ('need' in expected) throw new Error('the whole instance is there');
  expect(inspection.scan).toEqual(expected);
  expect(inspection.identity).toEqual(identify(whole, expected));
  expect([hex(inspection.sha256), inspection.crc32]).toEqual([sha256(bytes), crc32(bytes)]);
  expect(parts?.bytes).toBe(whole.byteLength);
  expect(parts?.headBytes).toBeGreaterThanOrEqual(Math.min(whole.byteLength, IDENTITY_BYTES));

  const derived = await readFile(scratch.into);
  const headBytes = parts?.headBytes ?? 0;
  expect(derived.byteLength).toBe(result.bytes);
  expect(result.bytes).toBe(headBytes + (parts?.tailBytes ?? 0));
  expect(derived.subarray(0, headBytes).equals(whole.subarray(0, headBytes))).toBe(true);
  const tail = await inflateAll(derived.subarray(headBytes));
  expect(tail.consumed).toBe(parts?.tailBytes);
  expect(tail.bytes.equals(whole.subarray(headBytes))).toBe(true);

  for (const edits of editsOf(result, whole)) {
    expect(edits.length).toBeGreaterThan(0);
    const sent = composed(result, edits);
    const patched = applyEdits(whole, edits);
    const back = await inflateAll(sent.subarray(datasetAt));
    expect(sent.subarray(0, datasetAt).equals(whole.subarray(0, datasetAt))).toBe(true);
    expect(back.bytes.equals(patched.subarray(datasetAt))).toBe(true);
    expect(sent.byteLength % 2).toBe(0);
  }
}

describe('a deflated dataset', () => {
  it.each<[string, () => DeflatedFile]>([
    ['smaller than a head', () => deflatedFile(ct())],
    ['of a slice', () => deflatedFile(ct([pixels(512 * 1024)]))],
    ['that is exactly one window', () => deflatedDataset(windowFull())],
    [
      'that is one byte more than a window',
      () => deflatedDataset(Buffer.concat([windowFull(), Buffer.alloc(1)])),
    ],
    ['of 20 MiB', () => deflatedFile(ct([pixels(20 * MIB)]))],
    ['wrapped as zlib does', () => deflatedFile(ct([pixels(200_000)]), { wrapped: true })],
    ['that is only stored', () => deflatedFile(ct([pixels(200_000)]), { level: 0 })],
    ['of JPIP', () => deflatedFile(ct([pixels(200_000)]), { syntax: '1.2.840.10008.1.2.4.95' })],
    ['of JPIP with HTJ2K', () => deflatedFile(ct([pixels(200_000)]), { syntax: '1.2.840.10008.1.2.4.205' })],
    [
      'with a private block in front of the patient',
      () => deflatedFile(ct([{ tag: 0x00091010, vr: 'OB', value: randomBytes(300_000) }, pixels(100_000)])),
    ],
    [
      'of a report, whose content is long and last',
      () => deflatedFile(ct().slice(0, -2).concat(content(300_000))),
    ],
    [
      'with identifiers already',
      () =>
        deflatedFile(
          ct([
            { tag: 0x00100000, vr: 'UL', value: Buffer.alloc(4) },
            { tag: 0x00101002, vr: 'SQ', items: [[{ tag: 0x00100020, vr: 'LO', value: 'ABC' }]], open: true },
            pixels(150_000),
          ]),
        ),
    ],
  ])('%s becomes a head that can be patched and a tail that is deflated anew', async (_, make) => {
    const file = make();
    const result = await inflated(file.bytes);
    expect(result.inspection.error).toBeUndefined();
    await expectInflated(result, file);
  });

  it.each([1, 3, 8])('may have %d bytes behind its stream, and any number of zeros', async (count) => {
    const file = deflatedFile(ct([pixels(200_000)]));
    for (const padding of [Buffer.alloc(count, 7), Buffer.alloc(count * 100_000)]) {
      const bytes = Buffer.concat([file.bytes, padding]);
      const result = await inflated(bytes);
      expect(result.inspection.error).toBeUndefined();
      await expectInflated(result, { ...file, bytes });
    }
  });

  it('has another person in it, who can be taken out', async () => {
    const sequence: Built = {
      tag: 0x00331010,
      vr: 'SQ',
      items: [
        [
          { tag: 0x00100020, vr: 'LO', value: 'ANOTHER' },
          { tag: 0x00331011, vr: 'OB', value: randomBytes(90_000) },
        ],
      ],
    };
    const file = deflatedFile(ct([{ tag: 0x00330010, vr: 'LO', value: 'TEST' }, sequence, pixels(100_000)]));
    const result = await inflated(file.bytes);
    expect(result.inspection.identity?.foreign).toHaveLength(1);
    await expectInflated(result, file);
  });

  it('is walked to its end: offsets of what is wrong are in the inflated form', async () => {
    const plain = dataset(ct([pixels(200_000)]), 'explicit-le').subarray(0, -100);
    const file = deflatedDataset(plain);
    const result = await inflated(file.bytes);
    expect(result.inspection.error).toMatchObject({ code: 'TRUNCATED', tag: '7FE0,0010' });
    await expectInflated(result, file);
  });

  it('takes the place of what the file held, whose mode stays', async () => {
    await writeFile(scratch.into, Buffer.alloc(3 * MIB, 9));
    const file = deflatedFile(ct());
    await expectInflated(await inflated(file.bytes), file);
    expect((await stat(scratch.into)).mode & 0o777).toBe(0o600);
  });

  it('can be inflated without a pool', async () => {
    const file = deflatedFile(ct([pixels(300_000)]));
    await expectInflated(await inflate(await jobOf(file.bytes)), file);
  });

  it.runIf(samplesAreHere)('of a public sample becomes what it was made from', async () => {
    const sample = samples().find(({ name }) => name === 'image_dfl.dcm');
    if (sample === undefined) throw new Error('the sample is not there');
    const result = await inflated(sample.bytes);
    expect(result.inspection.error).toBeUndefined();
    const datasetAt = result.inspection.scan?.datasetAt ?? 0;
    const { bytes } = await inflateAll(sample.bytes.subarray(datasetAt));
    const whole = Buffer.concat([sample.bytes.subarray(0, datasetAt), bytes]);
    await expectInflated(result, { bytes: sample.bytes, inflated: whole, datasetAt });
  });
});

/** A dataset that together with its file meta is as long as what is looked at. */
function windowFull(): Buffer {
  const empty = dataset(ct([pixels(0)]), 'explicit-le').byteLength;
  const meta = part10([], 'explicit-le', DEFLATED).byteLength;
  return dataset(ct([pixels(IDENTITY_BYTES - meta - empty)]), 'explicit-le');
}

describe('a deflated dataset that is broken', () => {
  const file = deflatedFile(ct([pixels(500_000)]));
  const at = file.datasetAt;

  async function expectNothing(result: InflateResult, bytes: Uint8Array): Promise<void> {
    expect(result).toMatchObject({ bytes: 0, inspection: { scan: undefined, identity: undefined } });
    expect(result.inflated).toBeUndefined();
    expect(result.inspection.error?.reason).toMatch(/\w/);
    expect([hex(result.inspection.sha256), result.inspection.crc32]).toEqual([sha256(bytes), crc32(bytes)]);
    expect((await stat(scratch.into)).size).toBe(0);
  }

  it.each([1, 100, 3000, 250_000])('keeps what there is when it ends %d bytes too early', async (missing) => {
    const bytes = file.bytes.subarray(0, -missing);
    const result = await inflated(bytes);
    expect(result.inspection.error).toMatchObject({ code: 'TRUNCATED', tag: '', offset: bytes.byteLength });
    const whole = file.inflated.subarray(0, result.inflated?.bytes);
    expect(whole.byteLength).toBeGreaterThan(file.inflated.byteLength - missing - 65_536);
    await expectInflated(result, { bytes, inflated: whole, datasetAt: at });
  });

  it.each<[string, (bytes: Buffer) => Buffer, string, number]>([
    ['ends in its head', (bytes) => bytes.subarray(0, at + 40), 'TRUNCATED', at + 40],
    ['has no dataset', (bytes) => bytes.subarray(0, at), 'TRUNCATED', at],
    [
      'is noise',
      (bytes) => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(9000, 0xff)]),
      'MALFORMED',
      at,
    ],
    [
      'has noise behind it',
      (bytes) => Buffer.concat([bytes, Buffer.alloc(200, 7)]),
      'MALFORMED',
      file.bytes.byteLength,
    ],
    [
      'is not deflated, whatever its file meta says',
      () => part10(ct([pixels(200_000)]), 'explicit-le', DEFLATED),
      'SYNTAX_LIES',
      at,
    ],
  ])('is refused with a place when it %s', async (_, change, code, offset) => {
    const bytes = change(file.bytes);
    const result = await inflated(bytes);
    expect(result.inspection.error).toMatchObject({ code, offset });
    await expectNothing(result, bytes);
  });

  it('is refused when the checksum of its wrapping is not that of its bytes', async () => {
    const bytes = deflatedFile(ct([pixels(200_000)]), { wrapped: true }).bytes;
    bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.byteLength - 1);
    const result = await inflated(bytes);
    expect(result.inspection.error).toMatchObject({ code: 'MALFORMED' });
    await expectNothing(result, bytes);
  });

  it('is refused when what was deflated is no dataset', async () => {
    for (const content of ['Geachte collega', '']) {
      const { bytes } = deflatedDataset(Buffer.from(content));
      const result = await inflated(bytes);
      expect(result.inspection.error?.code).toMatch(/^(SYNTAX_LIES|TRUNCATED|MALFORMED)$/);
      await expectNothing(result, bytes);
    }
  });

  it.each<[string, Partial<InflateJob>, number]>([
    ['by the bytes it may have', { bytesMax: MIB }, 2 * MIB],
    ['by its ratio', { ratioMax: 50 }, 32 * MIB],
  ])('is a bomb %s', async (_, limits, zeros) => {
    const bytes = deflatedFile(ct([{ tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(zeros) }])).bytes;
    expect(zeros / bytes.byteLength).toBeGreaterThan(800);
    const result = await inflated(bytes, limits);
    expect(result.inspection.error).toMatchObject({ code: 'INFLATED_TOO_LARGE', tag: '' });
    await expectNothing(result, bytes);
  });

  it('is no bomb while it is small, whatever its ratio', async () => {
    const zeros = deflatedFile(ct([{ tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(10 * MIB) }]));
    await expectInflated(await inflated(zeros.bytes, { ratioMax: 50 }), zeros);
  });

  it('is not looked for behind file meta that goes on in what cannot be read', async () => {
    const { bytes, datasetAt } = deflatedFile(ct());
    // (0002,0660) with a value representation that does not exist.
    const more = Buffer.from([2, 0, 0x60, 6, 0xa7, 0x7d, 0x9f, 0xcf]);
    const { inspection, ...rest } = await inflated(Buffer.concat([bytes.subarray(0, datasetAt), more]));
    expect(inspection.error).toMatchObject({ code: 'MALFORMED', tag: '0002,0660', offset: datasetAt });
    expect(rest).toEqual({ bytes: 0 });
  });

  it('of an instance that is not deflated at all is a mistake of the caller', async () => {
    await expect(inflated(part10(ct(), 'explicit-le'))).rejects.toMatchObject({
      code: 'SLUIS_WORK_FAILED',
      facts: { cause: 'RangeError' },
    });
  });
});
