import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CountedEdit, differenceOutside } from './differ.ts';
import { DEFLATED_LE, fileMeta } from './study/part10.ts';

const FUZZ_MS = Number(process.env.FUZZ_SECONDS ?? 2) * 1000;
const bounded = { interruptAfterTimeLimit: FUZZ_MS, numRuns: 100_000, markInterruptAsFailure: false };

/** An original, and what stands between its kept parts now: the edits follow from both. */
const edited = fc.array(
  fc.record({
    kept: fc.uint8Array({ maxLength: 9 }),
    removed: fc.nat(4),
    inserted: fc.uint8Array({ maxLength: 5 }),
  }),
  { minLength: 1, maxLength: 4 },
);

function build(parts: readonly { kept: Uint8Array; removed: number; inserted: Uint8Array }[]) {
  const original: Buffer[] = [];
  const output: Buffer[] = [];
  const edits: CountedEdit[] = [];
  let at = 0;
  for (const { kept, removed, inserted } of parts) {
    original.push(Buffer.from(kept), Buffer.alloc(removed, 0xee));
    output.push(Buffer.from(kept), Buffer.from(inserted));
    edits.push({ at: at + kept.byteLength, remove: removed, insert: inserted.byteLength });
    at += kept.byteLength + removed;
  }
  return { original: Buffer.concat(original), output: Buffer.concat(output), edits };
}

describe('the differ', () => {
  it('finds nothing outside the edits that were made', () => {
    fc.assert(
      fc.property(edited, (parts) => {
        const { original, output, edits } = build(parts);
        expect(differenceOutside(original, output, { edits })).toBeUndefined();
      }),
      bounded,
    );
  });

  it('finds each byte that changed outside of them, and where', () => {
    fc.assert(
      fc.property(edited, fc.nat(), fc.integer({ min: 1, max: 255 }), (parts, which, flip) => {
        const { original, output, edits } = build(parts);
        const outside = parts.flatMap(({ kept }, index) => {
          const before = parts.slice(0, index);
          const start = before.reduce(
            (sum, part) => sum + part.kept.byteLength + part.inserted.byteLength,
            0,
          );
          return [...kept.keys()].map((at) => start + at);
        });
        const at = outside[which % Math.max(1, outside.length)];
        if (at === undefined) return;
        output[at] = (output[at] ?? 0) ^ flip;
        expect(differenceOutside(original, output, { edits })).toMatch(
          new RegExp(`not byte ${at.toString()} of the output`),
        );
      }),
      bounded,
    );
  });

  const one = { at: 2, remove: 1, insert: 2 };
  it.each([
    ['an output that is longer', 'abXYdef!', [one], /behind the edits/],
    ['an output that is shorter', 'abXYd', [one], /behind the edits/],
    ['edits that overlap', 'abXYdef', [one, { at: 2, remove: 0, insert: 0 }], /not behind/],
    ['an edit behind the end', 'abcdef', [{ at: 9, remove: 0, insert: 0 }], /ends before/],
    ['an edit that reaches beyond the end', 'abcd', [{ at: 4, remove: 9, insert: 0 }], /beyond/],
    ['an edit that counts backwards', 'abcdef', [{ at: 2, remove: -1, insert: -1 }], /count/],
    ['a change without an edit', 'abcdeF', [], /without an edit/],
  ] as [string, string, CountedEdit[], RegExp][])('refuses %s', (_, output, edits, reason) => {
    expect(differenceOutside(Buffer.from('abcdef'), Buffer.from(output), { edits })).toMatch(reason);
  });

  describe('of a deflated file', () => {
    const meta = fileMeta('1.2', '1.2.3', DEFLATED_LE);
    const file = (dataset: string, level = 6): Buffer =>
      Buffer.concat([meta, deflateRawSync(Buffer.from(dataset), { level })]);
    const edits = [{ at: meta.byteLength + 2, remove: 1, insert: 2 }];

    it('counts in the inflated dataset', () => {
      const list = { edits, reencoded: true };
      expect(differenceOutside(file('abcdef', 9), file('abXYdef', 0), list)).toBeUndefined();
      expect(differenceOutside(file('abcdef'), file('abXYdeF'), list)).toMatch(/byte/);
    });

    it('refuses a stream that does not inflate, and an edit of the file meta', () => {
      const list = { edits, reencoded: true };
      const broken = Buffer.concat([meta, Buffer.alloc(20, 0xff)]);
      expect(differenceOutside(file('abcdef'), broken, list)).toMatch(/does not inflate/);
      const inMeta = { edits: [{ at: 140, remove: 0, insert: 0 }], reencoded: true };
      expect(differenceOutside(file('abcdef'), file('abcdef', 0), inMeta)).toMatch(/file meta/);
    });
  });
});
