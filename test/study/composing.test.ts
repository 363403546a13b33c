import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Edit, growth } from '../../src/dicom/edit.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { openDiskStorage } from '../../src/storage/disk.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import {
  type Composed,
  Composition,
  composedBytes,
  composeInstance,
  readSegments,
  type StoredInstance,
  segmentsBytes,
} from '../../src/study/composing.ts';
import { CompositionChanged } from '../../src/study/errors.ts';
import { PackageLayout } from '../../src/study/layout.ts';
import { packageType } from '../../src/study/multipart.ts';
import { fuzz, temporaryFolder, walkThrough } from './support.ts';

const storage = await openDiskStorage(await temporaryFolder());
const stored = randomBytes(100_000);
const objects = ['first', 'second'] as ObjectId[];
for (const [index, object] of objects.entries()) {
  await storage.create(object);
  const writer = await storage.open(object, 0);
  await writer.write(stored.subarray(index * 50_000, (index + 1) * 50_000), 0);
  await writer.close();
}

/** The bytes [from, to) of `stored`, which lie in two objects. */
function extentsOf(from: number, to: number): Composed['extents'] {
  return objects.flatMap((object, index) => {
    const start = Math.max(0, from - index * 50_000);
    const end = Math.min(50_000, to - index * 50_000);
    return start < end ? [{ object, start, bytes: end - start }] : [];
  });
}

function plain(extents: Composed['extents'], bytes: number): StoredInstance {
  return { extents, bytes, inflated: null, datasetAt: 0 };
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

interface Sample extends Composed {
  readonly expected: Uint8Array;
}

const sample: fc.Arbitrary<Sample> = fc
  .record({
    ends: fc.tuple(fc.nat(100_000), fc.nat(100_000)),
    places: fc.array(fc.tuple(fc.nat(100_000), fc.nat(50), fc.uint8Array({ maxLength: 40 })), {
      maxLength: 5,
    }),
  })
  .map(({ ends, places }) => {
    const [from, to] = [Math.min(...ends), Math.max(...ends)];
    const bytes = to - from;
    const edits: Edit[] = [];
    let free = 0;
    for (const [place, remove, insert] of places.sort(([a], [b]) => a - b)) {
      const at = Math.max(free, Math.min(place, bytes));
      edits.push({ at, remove: Math.min(remove, bytes - at), insert });
      free = at + Math.min(remove, bytes - at);
    }
    const expected = applyEdits(stored.subarray(from, to), edits);
    return { ...plain(extentsOf(from, to), bytes), edits, expected };
  });

function packageOf(bytes: ArrayLike<number>): PackageLayout {
  return new PackageLayout('B', bytes.length, (index) => bytes[index] ?? -1);
}

function compositionOf(samples: readonly Sample[]): Composition {
  const bytes = samples.map((one) => one.bytes + growth(one.edits));
  return new Composition({
    layout: packageOf(bytes),
    bytes,
    instance: (index) => samples[index] ?? Promise.reject(new Error('not there')),
  });
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const rangeOf = (total: number, a: number, b: number): [number, number] => {
  const [start = 0, end = 0] = [a, b].map((part) => Math.floor(part * total)).sort((x, y) => x - y);
  return [start, end];
};

describe('what a receiver gets of an instance', () => {
  it('is what the edits make of the stored bytes, in any range', async () => {
    await fc.assert(
      fc.asyncProperty(sample, share, share, async ({ expected, edits, ...instance }, a, b) => {
        const segments = composeInstance(instance, edits);
        expect(segmentsBytes(segments)).toBe(expected.byteLength);
        expect(composedBytes(instance, edits)).toBe(expected.byteLength);
        const [start, end] = rangeOf(expected.byteLength, a, b);
        const read = await all(readSegments(storage, segments, start, end));
        expect(read.equals(expected.subarray(start, end))).toBe(true);
      }),
      fuzz,
    );
  });

  it('is one stored range where there is nothing to edit', () => {
    const extents = extentsOf(10, 90);
    expect(composeInstance(plain(extents, 80), [])).toEqual([{ from: 'stored', extents, bytes: 80 }]);
  });

  it.each<[string, Edit[]]>([
    [
      'overlap',
      [
        { at: 5, remove: 5, insert: new Uint8Array(1) },
        { at: 9, remove: 1, insert: new Uint8Array(1) },
      ],
    ],
    [
      'go back',
      [
        { at: 5, remove: 0, insert: new Uint8Array(1) },
        { at: 4, remove: 0, insert: new Uint8Array(1) },
      ],
    ],
    ['reach behind the end', [{ at: 79, remove: 2, insert: new Uint8Array(1) }]],
  ])('is never made from edits that %s', (_, edits) => {
    expect(() => composeInstance(plain(extentsOf(10, 90), 80), edits)).toThrow(RangeError);
  });
});

describe('a composition', () => {
  it('reads in any range what it reads as a whole, and the walk finds every instance in it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sample, { minLength: 1, maxLength: 5 }),
        share,
        share,
        async (samples, a, b) => {
          const composition = compositionOf(samples);
          const whole = await all(composition.read(storage, 0, composition.total));
          expect(whole.byteLength).toBe(composition.total);
          const [start, end] = rangeOf(composition.total, a, b);
          expect((await all(composition.read(storage, start, end))).equals(whole.subarray(start, end))).toBe(
            true,
          );
          const { parts, last } = await walkThrough(whole, packageType('B'));
          expect(last.state).toBe('done');
          expect(parts.map((found) => found.start)).toEqual(
            samples.map((_, index) => composition.offsetOf(index)),
          );
          for (const [index, found] of parts.entries()) {
            const expected = Buffer.from(samples[index]?.expected ?? []);
            expect(expected.equals(whole.subarray(found.start, found.start + found.bytes))).toBe(true);
          }
        },
      ),
      fuzz,
    );
  });

  it('asks for an instance only when a read gets to it', async () => {
    const asked: number[] = [];
    const count = 100_000;
    const bytes = new Float64Array(count).fill(1000);
    const composition = new Composition({
      layout: packageOf(bytes),
      bytes,
      instance: (index) => {
        asked.push(index);
        return { ...plain(extentsOf(index % 1000, (index % 1000) + 1000), 1000), edits: [] };
      },
    });
    const at = composition.offsetOf(70_000);
    const read = await all(composition.read(storage, at + 10, at + 20));
    expect(asked).toEqual([70_000]);
    expect(read.equals(stored.subarray(10, 20))).toBe(true);
    expect((await all(composition.read(storage, composition.total - 7, composition.total))).toString()).toBe(
      '--B--\r\n',
    );
    expect(asked).toEqual([70_000]);
  });

  it('stops before the first byte of an instance that is not as long as was announced', async () => {
    const composition = new Composition({
      layout: packageOf([79]),
      bytes: [79],
      instance: () => ({ ...plain(extentsOf(0, 80), 80), edits: [] }),
    });
    const reading = composition.read(storage, composition.offsetOf(0), composition.total);
    await expect(reading.next()).rejects.toBeInstanceOf(CompositionChanged);
  });

  it('refuses ranges and instances that are not there', async () => {
    const composition = compositionOf([]);
    expect(composition.total).toBe('--B--\r\n'.length);
    await expect(all(composition.read(storage, 0, 8))).rejects.toThrow(RangeError);
    expect(() => composition.offsetOf(0)).toThrow(RangeError);
  });
});
