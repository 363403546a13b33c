import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBsn, normalizeBsn } from '../../src/dicom/bsn.ts';
import { bounded } from './support.ts';

/** The weights 9 to 2 as sums of sums, from the digits of a number alone: nothing here is like the code. */
function addsUp(number: number): boolean {
  let sum = 0;
  let sums = 0;
  for (let place = 100_000_000; place >= 10; place /= 10) {
    sum += Math.floor(number / place) % 10;
    sums += sum;
  }
  return number > 0 && (sums + sum - (number % 10)) % 11 === 0;
}

describe('a BSN', () => {
  it.each(['999990019', '999990020', '999990007', '999999990', '111222333', '123456782'])(
    '%s passes',
    (text) => {
      expect(isBsn(text)).toBe(true);
    },
  );

  it.each([
    ['999940003', 'fails the 11-proof'],
    ['562632643', 'fails the 11-proof'],
    ['000000000', 'passes the sum and is nobody'],
    ['99999001', 'has eight digits'],
    ['9999900190', 'has ten digits'],
    ['99999001a', 'has a letter'],
    ['९९९९९००१९', 'has digits of another script'],
    ['', 'is empty'],
  ])('%s is refused: %s', (text) => {
    expect(isBsn(text)).toBe(false);
  });

  it('gets its leading zero and loses spaces, and nothing else is forgiven', () => {
    expect(normalizeBsn(' 999990019 ')).toBe('999990019');
    expect(normalizeBsn('21622401')).toBe('021622401');
    expect(normalizeBsn('00000000')).toBeUndefined();
    expect(normalizeBsn('9999.90.019')).toBeUndefined();
    expect(normalizeBsn('999 990 019')).toBeUndefined();
  });

  it('is decided as by another way to add it up, over a million numbers', () => {
    const start = fc.integer({ min: 0, max: 999_999_999 });
    fc.assert(
      fc.property(start, (first) => {
        let passing = 0;
        for (let index = 0; index < 100_000; index++) {
          // A prime step, so that every digit changes all the time.
          const number = (first + index * 104_395_303) % 1_000_000_000;
          const text = number.toString().padStart(9, '0');
          if (isBsn(text) !== addsUp(number)) expect.fail(`${text} is judged in two ways`);
          if (isBsn(text)) passing += 1;
        }
        expect(passing).toBeGreaterThan(9_000);
        expect(passing).toBeLessThan(9_200);
      }),
      { numRuns: 10 },
    );
  });

  it('is no longer one when any single digit is misread', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10_000_000, max: 999_999_999 }).map((n) => n.toString().padStart(9, '0')),
        fc.nat(8),
        fc.integer({ min: 1, max: 9 }),
        (text, place, shift) => {
          fc.pre(isBsn(text));
          const digit = (Number(text.charAt(place)) + shift) % 10;
          expect(isBsn(`${text.slice(0, place)}${digit.toString()}${text.slice(place + 1)}`)).toBe(false);
        },
      ),
      { ...bounded, interruptAfterTimeLimit: 500, maxSkipsPerRun: 1000 },
    );
  });
});
