import { describe, expect, it } from 'vitest';
import { rangeOf } from '../../../src/http/range.ts';

describe('a Range header over 100 bytes', () => {
  it.each([
    ['bytes=0-', { start: 0, end: 100 }],
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=10-19', { start: 10, end: 20 }],
    ['bytes=99-99', { start: 99, end: 100 }],
    ['bytes=90-1000', { start: 90, end: 100 }],
    ['bytes=-1', { start: 99, end: 100 }],
    ['bytes=-100', { start: 0, end: 100 }],
    ['bytes=-1000', { start: 0, end: 100 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=100-200', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=20-10', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,5-6', undefined],
    ['bytes=a-b', undefined],
    ['bytes=0x10-', undefined],
    ['bytes=1.5-', undefined],
    ['bytes=-5-', undefined],
    ['items=0-1', undefined],
    ['0-1', undefined],
    ['', undefined],
    [undefined, undefined],
    [`bytes=${'9'.repeat(16)}-`, undefined],
  ])('%j means %j', (header, range) => {
    expect(rangeOf(header, 100)).toEqual(range);
  });

  it('has no satisfiable range over nothing', () => {
    expect(rangeOf('bytes=0-', 0)).toBe('unsatisfiable');
  });
});
