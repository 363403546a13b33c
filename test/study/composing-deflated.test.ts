import { randomBytes } from 'node:crypto';
import { createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../src/dicom/edit.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { openDiskStorage } from '../../src/storage/disk.ts';
import type { Extent, ObjectId } from '../../src/storage/storage.ts';
import {
  composedBytes,
  composeInstance,
  lendPieces,
  readSegments,
  type StoredInstance,
  segmentsBytes,
} from '../../src/study/composing.ts';
import { PieceReader } from '../../src/work/piece-reader.ts';
import { fuzz, temporaryFolder } from './support.ts';

/** Preamble and file meta; its length is even, as that of all elements. */
const META_BYTES = 150;
const BLOCK = 65_535;

const storage = await openDiskStorage(await temporaryFolder());

async function stored(name: string, bytes: Uint8Array): Promise<Extent> {
  const object = name as ObjectId;
  await storage.create(object);
  const writer = await storage.open(object, 0);
  await writer.write(bytes, 0);
  await writer.close();
  return { object, start: 0, bytes: bytes.byteLength };
}

const head = randomBytes(META_BYTES + 3 * BLOCK);
const headExtent = await stored('head', head);
const original = randomBytes(1000);
const originalExtent = await stored('original', original);
const tails = await Promise.all(
  [0, 1, 3, 50_000].map(async (bytes) => {
    const content = Buffer.alloc(bytes, 'beelden');
    return {
      content,
      extent: await stored(`tail-${bytes.toString()}`, deflateRawSync(content, { level: 1 })),
    };
  }),
);

interface Sample {
  readonly instance: StoredInstance;
  /** With the dataset inflated. */
  readonly inflated: Buffer;
  readonly edits: readonly Edit[];
}

/** Lengths of the dataset's head around those of a block. */
const headBytes = fc.constantFrom(0, 1, 2, 5000, BLOCK - 30, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK);
const sample: fc.Arbitrary<Sample> = fc
  .record({
    bytes: headBytes,
    tail: fc.constantFrom(...tails),
    places: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(50), fc.nat(60)), {
      maxLength: 4,
    }),
  })
  .map(({ bytes, tail, places }) => {
    const to = META_BYTES + bytes;
    const edits: Edit[] = [];
    let free = META_BYTES;
    for (const [share, remove, insert] of places.sort(([a], [b]) => a - b)) {
      const at = Math.max(free, META_BYTES + Math.floor(share * bytes));
      edits.push({ at, remove: Math.min(remove, to - at), insert: Buffer.alloc(insert, 'BSN') });
      free = at + Math.min(remove, to - at);
    }
    return {
      instance: {
        extents: [originalExtent],
        bytes: original.byteLength,
        inflated: { head: { ...headExtent, bytes: to }, tail: tail.extent },
        datasetAt: META_BYTES,
      },
      inflated: Buffer.concat([head.subarray(0, to), tail.content]),
      edits,
    };
  });

async function read(
  segments: Parameters<typeof readSegments>[1],
  start: number,
  end: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readSegments(storage, segments, start, end)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Inflates, and says how much of the stream that took. */
async function inflateAll(stream: Uint8Array): Promise<{ bytes: Buffer; consumed: number }> {
  const engine = createInflateRaw();
  engine.end(stream);
  const chunks: Buffer[] = [];
  for await (const chunk of engine) chunks.push(chunk as Buffer);
  return { bytes: Buffer.concat(chunks), consumed: engine.bytesWritten };
}

describe('what a receiver gets of a deflated instance', () => {
  it('inflates to what the edits make of its inflated form, behind an unchanged file meta', async () => {
    await fc.assert(
      fc.asyncProperty(sample, async ({ instance, inflated, edits }) => {
        fc.pre(edits.length > 0);
        const segments = composeInstance(instance, edits);
        const whole = await read(segments, 0, segmentsBytes(segments));
        const { bytes, consumed } = await inflateAll(whole.subarray(META_BYTES));
        const expected = applyEdits(inflated, edits);
        expect(whole.subarray(0, META_BYTES).equals(head.subarray(0, META_BYTES))).toBe(true);
        expect(bytes.equals(expected.subarray(META_BYTES))).toBe(true);
        // One stream, padded to an even length and no further.
        expect(whole.byteLength % 2).toBe(0);
        const padding = whole.subarray(META_BYTES + consumed);
        expect([[], [0]]).toContainEqual([...padding]);
      }),
      fuzz,
    );
  });

  it('has its length known beforehand, and any range is that of the whole', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(sample, share, share, async ({ instance, edits }, a, b) => {
        const segments = composeInstance(instance, edits);
        const total = segmentsBytes(segments);
        expect(composedBytes(instance, edits)).toBe(total);
        const [start = 0, end = 0] = [a, b].map((one) => Math.floor(one * total)).sort((x, y) => x - y);
        const whole = await read(segments, 0, total);
        expect((await read(segments, start, end)).equals(whole.subarray(start, end))).toBe(true);
      }),
      fuzz,
    );
  });

  it('is the original, byte for byte, when nothing is edited', async () => {
    const [one] = fc.sample(sample, 1);
    if (one === undefined) throw new Error('fast-check made nothing');
    expect(composeInstance(one.instance, [])).toEqual([
      { from: 'stored', extents: [originalExtent], bytes: original.byteLength },
    ]);
    expect(composedBytes(one.instance, [])).toBe(original.byteLength);
  });

  it('is the same for two dialects but for their edits: both come from one stored head and tail', async () => {
    const instance = {
      extents: [originalExtent],
      bytes: original.byteLength,
      inflated: { head: { ...headExtent, bytes: META_BYTES + 1000 }, tail: tails[3]?.extent ?? headExtent },
      datasetAt: META_BYTES,
    };
    const inflated = await Promise.all(
      ['one', 'another'].map(async (dialect) => {
        const segments = composeInstance(instance, [{ at: 500, remove: 0, insert: Buffer.from(dialect) }]);
        return inflateRawSync((await read(segments, 0, segmentsBytes(segments))).subarray(META_BYTES));
      }),
    );
    const [one, another] = inflated.map((bytes) => bytes.toString('latin1'));
    expect(one?.replace('one', 'another')).toBe(another);
  });

  it('may have its file meta edited too, which stays outside of the stream', async () => {
    const instance = {
      extents: [],
      bytes: 0,
      inflated: { head: { ...headExtent, bytes: META_BYTES + 10 }, tail: tails[0]?.extent ?? headExtent },
      datasetAt: META_BYTES,
    };
    const edits = [{ at: 140, remove: 2, insert: Buffer.from('abcd') }];
    const segments = composeInstance(instance, edits);
    const whole = await read(segments, 0, segmentsBytes(segments));
    expect(composedBytes(instance, edits)).toBe(whole.byteLength);
    expect(whole.toString('latin1', 138, 146)).toBe(
      `${head.toString('latin1', 138, 140)}abcd${head.toString('latin1', 142, 144)}`,
    );
    expect(
      inflateRawSync(whole.subarray(META_BYTES + 2)).equals(head.subarray(META_BYTES, META_BYTES + 10)),
    ).toBe(true);
  });

  it.each<[string, Edit]>([
    ['behind the head', { at: META_BYTES + 8, remove: 4, insert: Buffer.alloc(0) }],
    ['from the file meta into the dataset', { at: META_BYTES - 2, remove: 4, insert: Buffer.alloc(0) }],
  ])('is never made from an edit that reaches %s', (_, edit) => {
    const instance = {
      extents: [],
      bytes: 0,
      inflated: { head: { ...headExtent, bytes: META_BYTES + 10 }, tail: tails[0]?.extent ?? headExtent },
      datasetAt: META_BYTES,
    };
    expect(() => composeInstance(instance, [edit])).toThrow(RangeError);
  });

  it('is the same in pieces for a worker', async () => {
    const reader = new PieceReader();
    await fc.assert(
      fc.asyncProperty(sample, async ({ instance, edits }) => {
        const segments = composeInstance(instance, edits);
        const chunks: Buffer[] = [];
        await lendPieces(storage, [segments], (lent) => {
          reader.read(lent.flat(), (chunk) => chunks.push(Buffer.from(chunk)));
          return Promise.resolve([]);
        });
        const whole = await read(segments, 0, segmentsBytes(segments));
        expect(Buffer.concat(chunks).equals(whole)).toBe(true);
      }),
      { numRuns: 50 },
    );
    reader.close();
  });
});
