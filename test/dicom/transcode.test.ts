import { describe, expect, it } from 'vitest';
import { rewritten } from '../../src/dicom/transcode.ts';

const evened = (element: Uint8Array) => rewritten(element, 'explicit-le', 'explicit-le');

/** Explicit little endian: tag, VR, a short or long length, value. */
function element(
  group: number,
  number: number,
  vr: string,
  value: Uint8Array,
  length = value.byteLength,
): Buffer {
  const isLong = ['SQ', 'UN', 'OB'].includes(vr);
  const head = Buffer.alloc(isLong ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  if (isLong) head.writeUInt32LE(length, 8);
  else head.writeUInt16LE(length, 6);
  return Buffer.concat([head, value]);
}

function item(value: Uint8Array): Buffer {
  const head = Buffer.from('feff00e000000000', 'hex');
  head.writeUInt32LE(value.byteLength, 4);
  return Buffer.concat([head, value]);
}

const sequenceEnd = Buffer.from('feffdde000000000', 'hex');
const lo = (value: string): Buffer => element(0x0010, 0x0020, 'LO', Buffer.from(value));

describe('an element that is written anew', () => {
  it('keeps its bytes when nothing is wrong with it, and leaves those it was given alone', () => {
    const given = element(0x0010, 0x1002, 'SQ', item(lo('4711')));
    const before = Buffer.from(given);
    expect(Buffer.from(evened(given) ?? '')).toEqual(before);
    const odd = lo('123');
    evened(odd);
    expect(odd).toEqual(lo('123'));
  });

  it.each([
    ['a text with a space', 'LO', ' '],
    ['a UID with a NUL', 'UI', '\0'],
    ['bytes with a NUL', 'OB', '\0'],
  ])('pads %s', (_, vr, pad) => {
    const given = element(0x0010, 0x0020, vr, Buffer.from('123'));
    expect(Buffer.from(evened(given) ?? '')).toEqual(element(0x0010, 0x0020, vr, Buffer.from(`123${pad}`)));
  });

  it('pads what stands in items, and corrects the lengths around it', () => {
    const given = element(0x0010, 0x1002, 'SQ', item(lo('123')));
    expect(Buffer.from(evened(given) ?? '')).toEqual(element(0x0010, 0x1002, 'SQ', item(lo('123 '))));
  });

  it('gives a UN of undefined length its length', () => {
    const content = item(Buffer.concat([Buffer.from('1000200004000000', 'hex'), Buffer.from('4711')]));
    const given = element(0x0010, 0x1002, 'UN', Buffer.concat([content, sequenceEnd]), 0xffffffff);
    expect(Buffer.from(evened(given) ?? '')).toEqual(element(0x0010, 0x1002, 'UN', content));
  });

  it('leaves fragments as they are, whatever their bytes look like', () => {
    const fragments = Buffer.concat([item(Buffer.alloc(0)), item(Buffer.from('odd')), sequenceEnd]);
    const given = element(0x0010, 0x1003, 'OB', fragments, 0xffffffff);
    expect(Buffer.from(evened(given) ?? '')).toEqual(given);
  });

  it('pads inside the items of a sequence that implicit VR does not name, and not behind them', () => {
    const implicit = (number: number, value: Uint8Array): Buffer => {
      const head = Buffer.alloc(8);
      head.writeUInt16LE(0x0010, 0);
      head.writeUInt16LE(number, 2);
      head.writeUInt32LE(value.byteLength, 4);
      return Buffer.concat([head, value]);
    };
    const of = (text: string): Buffer => implicit(0x1002, item(implicit(0x0020, Buffer.from(text))));
    expect(Buffer.from(rewritten(of('123'), 'implicit-le', 'implicit-le') ?? '')).toEqual(of('123 '));
  });

  it('cannot be written when its short length has no room for the padding', () => {
    expect(evened(element(0x0010, 0x0020, 'LO', Buffer.alloc(65_535, 0x41)))).toBeUndefined();
  });
});
