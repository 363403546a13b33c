import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideBsn } from '../../src/dicom/bsn.ts';
import { bsnInPid3 } from '../../src/dicom/pid3.ts';
import { ANNA, BERT, bounded } from './support.ts';

const OID = '2.16.840.1.113883.2.4.6.3';
const anna = { value: ANNA, source: 'pid-3', confidence: 'issuer' };

describe('PID-3', () => {
  it.each([
    ['with a leading zero that is there', '021622401^^^NLMINBIZA^NNNLD', '021622401'],
    ['with a leading zero that is not', '21622401^^^NLMINBIZA^NNNLD', '021622401'],
    ['with spaces', ` ${ANNA} ^^^ NLMINBIZA ^NNNLD`, ANNA],
    ['with an assigning facility and dates', `${ANNA}^^^NLMINBIZA^NNNLD^ZUID^20200101^20300101`, ANNA],
    ['with a type that says something else', `${ANNA}^^^NLMINBIZA^MR`, ANNA],
    ['with the OID where a name belongs', `${ANNA}^^^${OID}^NNNLD`, ANNA],
    ['with the OID as XDS has it', `${ANNA}^^^&${OID}&ISO`, ANNA],
    ['with the triplet escaped', `${ANNA}^^^NLMINBIZA\\T\\${OID}\\T\\ISO^NNNLD`, ANNA],
    ['with hexadecimal digits', '\\X393939393930303139\\^^^NLMINBIZA', ANNA],
    ['with a check digit beside all nine', `${ANNA}^9^M11^NLMINBIZA`, ANNA],
  ])('%s names the BSN', (_, pid3, value) => {
    expect(bsnInPid3(pid3)).toEqual([{ ...anna, value }]);
  });

  it.each([
    ['empty', ''],
    ['deleted', '""'],
    ['of other numbers', '4711^^^ADT1^MR~ZD12345678^^^ZorgDomein^VN'],
    ['of a number that fails the 11-proof', '999940003^^^NLMINBIZA^NNNLD'],
    ['of nine zeros', '000000000^^^NLMINBIZA^NNNLD'],
    ['of ten digits', '0021622401^^^NLMINBIZA^NNNLD'],
    ['of a number with a separator in it', `99999\\T\\0019^^^NLMINBIZA^NNNLD`],
    // The ninth digit may be the 2, and then a zero in front of the eight is somebody else.
    ['of eight digits with a check digit beside them', '21622401^2^M11^NLMINBIZA^NNNLD'],
    ['of broken escape sequences', '\\X9\\\\E^^^NLMINBIZA\\^NNNLD'],
  ])('%s names none', (_, pid3) => {
    expect(bsnInPid3(pid3)).toEqual([]);
  });

  it('decides the same whatever the order of its repetitions', () => {
    const repetitions = [`${ANNA}^^^NLMINBIZA^NNNLD`, `${BERT}^^^ADT1^MR`, '4711^^^ADT1^PI', '^^^NLMINBIZA'];
    fc.assert(
      fc.property(fc.shuffledSubarray(repetitions, { minLength: 4 }), (order) => {
        expect(decideBsn(bsnInPid3(order.join('~')))).toEqual({ bsn: ANNA });
      }),
      { numRuns: 24 },
    );
  });

  it('is a conflict with two numbers that claim to be it, and none with one that is there twice', () => {
    const claim = (number: string): string => `${number}^^^NLMINBIZA^NNNLD`;
    expect(decideBsn(bsnInPid3(`${claim(ANNA)}~${claim(BERT)}`))).toEqual({ conflict: true });
    expect(bsnInPid3(`${claim(ANNA)}~${claim(ANNA)}`)).toEqual([anna]);
  });

  it('proves nothing when it is longer than any list of identifiers', () => {
    const claim = `${ANNA}^^^NLMINBIZA^NNNLD`;
    expect(bsnInPid3(`${claim}~`.repeat(500).padEnd(15_000, '~'))).toEqual([anna]);
    expect(bsnInPid3(`${claim}~`.repeat(500).padEnd(15_001, '~'))).toEqual([]);
  });

  it('gives an answer for any text', () => {
    const piece = fc.constantFrom(
      '~',
      '^',
      '&',
      '\\',
      '\\T\\',
      ANNA,
      'NLMINBIZA',
      OID,
      '\\X41\\',
      ' ',
      '\u{1f642}',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        for (const { value, source } of bsnInPid3(pieces.join(''))) {
          expect([value, source]).toEqual([ANNA, 'pid-3']);
        }
      }),
      { ...bounded, interruptAfterTimeLimit: 500 },
    );
  });
});
