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

const ESC = 0x1b;
const ascii = fc.uint8Array({ max: 0x7f, maxLength: 64 }).filter((bytes) => !bytes.includes(ESC));

describe('text that is ASCII', () => {
  it('reads the same in every character set, however long it is', () => {
    fc.assert(
      fc.property(ascii, fc.constantFrom(...sets), (bytes, set) => {
        const text = String.fromCharCode(...bytes);
        const rest = '-'.repeat(65);
        const long = Uint8Array.from(Buffer.from(text + rest, 'latin1'));
        expect(decodeText(bytes, set)).toBe(text);
        expect(decodeText(long, set)).toBe(text + rest);
      }),
      { numRuns: 1000 },
    );
  });
});
