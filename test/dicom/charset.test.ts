import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../src/dicom/charset.ts';

const sets = [
  '',
  'ISO_IR 192',
  'GB18030',
  'GBK',
  '\\ISO 2022 IR 87',
  'ISO 2022 IR 13\\ISO 2022 IR 87',
].concat('13 100 101 109 110 126 127 138 144 148 166 203'.split(' ').map((set) => `ISO_IR ${set}`));

const printable = fc.uint8Array({ min: 0x20, max: 0x7e, maxLength: 64 });
const ascii = fc.uint8Array({ max: 0x7f, maxLength: 64 });

describe('text that is ASCII', () => {
  it('reads the same in every character set, however long it is', () => {
    fc.assert(
      fc.property(printable, fc.constantFrom(...sets), (bytes, set) => {
        expect(decodeText(bytes, set)).toBe(String.fromCharCode(...bytes));
        expectSameWhenLong(bytes, set);
      }),
      { numRuns: 1000 },
    );
  });

  it('reads the same however long it is when it holds control characters, whatever a decoder makes of those', () => {
    fc.assert(fc.property(ascii, fc.constantFrom(...sets), expectSameWhenLong), { numRuns: 1000 });
  });
});

/** Short values are read in another way than long ones. */
function expectSameWhenLong(bytes: Uint8Array, set: string): void {
  const rest = '-'.repeat(65);
  const long = Uint8Array.from([...Buffer.from(rest), ...bytes]);
  expect(decodeText(long, set)).toBe(rest + decodeText(bytes, set));
}
