import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryItem } from '../../src/cli/answers.ts';
import { ContentWriter, type Missing } from '../../src/cli/content-writer.ts';
import { namedItems } from '../../src/cli/item-names.ts';
import { StudyFolder } from '../../src/cli/study-folder.ts';
import { openTempFolder } from '../support/temp-folder.ts';

const FUZZ_MS = Number(process.env.FUZZ_SECONDS ?? 2) * 1000;

/** Content of instances with gaps between them, as the framing of a package makes them. */
function contentOf(shapes: readonly { gap: number; bytes: number }[]) {
  const items: DeliveryItem[] = [];
  const pieces: Buffer[] = [];
  let at = 0;
  for (const [index, { gap, bytes }] of shapes.entries()) {
    const data = Buffer.alloc(bytes, index + 1);
    data[0] = at % 251;
    pieces.push(Buffer.alloc(gap, 0xee), data);
    const sha256 = createHash('sha256').update(data).digest('hex');
    items.push({
      sopInstanceUid: `1.${index.toString()}`,
      studyInstanceUid: '1',
      offset: at + gap,
      bytes,
      sha256,
    });
    at += gap + bytes;
  }
  return { items, content: Buffer.concat([...pieces, Buffer.alloc(9, 0xee)]) };
}

describe('cutting the content of a delivery into instances', () => {
  it('gets every instance right however the line cuts and slices it', async () => {
    const shape = fc.record({ gap: fc.integer({ min: 0, max: 30 }), bytes: fc.integer({ min: 1, max: 60 }) });
    const shapes = fc.array(shape, { minLength: 1, maxLength: 6 });
    const cuts = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(shapes, cuts, fc.integer({ min: 1, max: 50 }), async (shaped, ends, slice) => {
        const { items: listed, content } = contentOf(shaped);
        const temp = await openTempFolder();
        try {
          const items = await namedItems(temp.path, { transfer: 'none', items: listed });
          const folder = new StudyFolder(temp.path);
          for (const end of [...ends, content.length]) {
            const missing: Missing[] = [];
            for (const item of items) {
              if (
                !(await folder.holds(
                  item,
                  () => undefined,
                  () => undefined,
                ))
              ) {
                missing.push({ item, have: await folder.partBytes(item) });
              }
            }
            const [first] = missing;
            if (first === undefined) break;
            const start = first.item.offset + first.have;
            const writer = new ContentWriter(folder, missing, () => undefined);
            writer.begin(start);
            for (let at = start; at < end; at += slice) {
              await writer.write(Buffer.from(content.subarray(at, Math.min(at + slice, end))));
            }
            await writer.end();
            expect(writer.different).toEqual([]);
          }
          for (const item of items) {
            const expected = content.subarray(item.offset, item.offset + item.bytes);
            expect((await readFile(folder.fileOf(item))).equals(expected)).toBe(true);
          }
          expect(await readdir(temp.file('1'))).toHaveLength(items.length);
        } finally {
          await temp.remove();
        }
      }),
      { interruptAfterTimeLimit: FUZZ_MS, numRuns: 10_000 },
    );
  });
});
