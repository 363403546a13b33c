import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Watermark } from '../../src/upload/watermark.ts';
import { fuzz } from './engine.ts';

it('never passes a write that has not settled, in whatever order writes settle', () => {
  const steps = fc.array(fc.record({ settle: fc.boolean(), n: fc.nat(9) }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.nat(1000), steps, (from, moves) => {
      const mark = new Watermark(from);
      const open: { start: number; end: number }[] = [];
      let end = from;
      for (const { settle, n } of moves) {
        const write = open[n % Math.max(1, open.length)];
        if (settle && write !== undefined) {
          mark.settle(write.start);
          open.splice(open.indexOf(write), 1);
        } else if (!settle) {
          open.push({ start: end, end: end + n + 1 });
          mark.begin(end, n + 1);
          end += n + 1;
        }
        expect(mark.value).toBe(Math.min(end, ...open.map(({ start }) => start)));
      }
      expect(() => mark.begin(end + 1, 1)).toThrow(RangeError);
    }),
    fuzz,
  );
});
