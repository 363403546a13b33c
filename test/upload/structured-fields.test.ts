import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  byteSequenceOf,
  readBoolean,
  readByteDictionary,
  readCount,
} from '../../src/upload/structured-fields.ts';
import { fuzz } from './engine.ts';

/** What a peer may put behind an item. */
const parameters = [
  '',
  ';a',
  ';a=1',
  '; a=-1.5;b="x\\"y"',
  ';a=tok/en:x',
  ';a=:aGk=:',
  ';a=?0',
  ';a=@1659578233',
  ';a=%"f%c3%bc"',
  ';*a.b-c_1',
];

describe('an Item that is a Boolean', () => {
  it('is ?1 or ?0, with any parameters', () => {
    for (const parameter of parameters) {
      expect([parameter, readBoolean(`?1${parameter}`), readBoolean(` ?0${parameter} `)]).toEqual([
        parameter,
        true,
        false,
      ]);
    }
  });

  it.each([
    '',
    '?',
    '1',
    '?2',
    '?T',
    'true',
    '?1?0',
    '?1, ?0',
    '?1 ?0',
    '?1;',
    '?1;A',
    '?1 ;a',
    '?1;a=',
    '?1;a= 1',
    '?1;a="x',
    '?1;a=(1)',
    '\t?1',
    '?1\0',
    '"?1"',
    ':?1:',
  ])('is not %j', (text) => expect(readBoolean(text)).toBeUndefined());
});

describe('an Item that is an Integer', () => {
  it('has up to 15 digits, which stay exact', () => {
    expect(readCount('0')).toBe(0);
    expect(readCount('007')).toBe(7);
    expect(readCount('999999999999999')).toBe(999_999_999_999_999);
    for (const parameter of parameters) {
      expect([parameter, readCount(` 42${parameter} `)]).toEqual([parameter, 42]);
    }
    fc.assert(
      fc.property(
        fc.nat({ max: Number.MAX_SAFE_INTEGER }).map((n) => n % 10 ** 15),
        (count) => {
          expect(readCount(String(count))).toBe(count);
        },
      ),
      fuzz,
    );
  });

  it.each([
    '',
    '-1',
    '-0',
    '+1',
    '1.0',
    '1e3',
    '0x1',
    '1 2',
    '1,2',
    '1, 1',
    '1'.repeat(16),
    '"1"',
    '١',
    '1;',
    '1;=1',
  ])('is not %j', (text) => expect(readCount(text)).toBeUndefined());
});

describe('a Dictionary of Byte Sequences', () => {
  const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,10}$/);
  const bytes = fc.uint8Array({ maxLength: 64 });

  it('gives back what was written, whatever stands between the members and behind them', () => {
    const member = fc.record({
      key,
      bytes,
      parameter: fc.constantFrom(...parameters),
      comma: fc.constantFrom(',', ', ', ' \t,\t '),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(member, { selector: (one) => one.key, minLength: 1, maxLength: 5 }),
        (members) => {
          const text = members
            .map(
              (one, at) =>
                `${at === 0 ? '' : one.comma}${one.key}=${byteSequenceOf(one.bytes)}${one.parameter}`,
            )
            .join('');
          const read = readByteDictionary(text) ?? new Map<string, Uint8Array>();
          expect([...read.keys()]).toEqual(members.map((one) => one.key));
          for (const one of members) {
            expect(Buffer.from(read.get(one.key) ?? []).equals(one.bytes)).toBe(true);
          }
        },
      ),
      fuzz,
    );
  });

  it('has the last value of a key that comes twice, and may be empty', () => {
    expect([...(readByteDictionary('a=:AA==:, b=:AQ==:, a=:Ag==:') ?? [])]).toEqual([
      ['a', Buffer.from([2])],
      ['b', Buffer.from([1])],
    ]);
    expect(readByteDictionary('')?.size).toBe(0);
    expect(readByteDictionary('  ')?.size).toBe(0);
  });

  it.each([
    'a',
    'a=',
    'a=1',
    'a="AA=="',
    'a=?1',
    'a=:AA==',
    'a=AA==:',
    'a=:A A=:',
    'a=:AA-_:',
    'A=:AA==:',
    'a =:AA==:',
    'a= :AA==:',
    'a=:AA==:,',
    ',a=:AA==:',
    'a=:AA==:,,b=:AA==:',
    'a=:AA==: b=:AA==:',
    'a=:AA==:x',
    'a=(:AA==:)',
    '1=:AA==:',
    'a=:AA==:;',
    '\ta=:AA==:',
  ])('is not %j', (text) => expect(readByteDictionary(text)).toBeUndefined());

  it('is read to its end, whatever the text: a pattern that backtracks for ever would hang here', () => {
    const nasty = fc.array(
      fc.constantFrom(
        'a',
        '=',
        ':',
        ';',
        '"',
        '\\',
        ',',
        ' ',
        '?',
        '1',
        '-',
        '.',
        '%',
        '*',
        'AA==',
        ';a="',
        ';a=:',
        'é',
        '\0',
      ),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(nasty, (pieces) => {
        const text = pieces.join('');
        readBoolean(text);
        readCount(text);
        readByteDictionary(text);
      }),
      fuzz,
    );
    for (const text of [
      `?1${';a'.repeat(8000)}!`,
      `?1${';a="x"'.repeat(2500)}"`,
      `a=:${'A'.repeat(16_000)}`,
    ]) {
      expect(readBoolean(text) ?? readByteDictionary(text)).toBeUndefined();
    }
  });
});
