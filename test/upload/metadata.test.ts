import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newId } from '../../src/state/ids.ts';
import { HeaderInvalid } from '../../src/upload/errors.ts';
import { parseMetadata } from '../../src/upload/metadata.ts';
import { fuzz } from './engine.ts';

const nothing = { from: null, to: [], priority: null, filetype: null, transfer: null };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const header = (values: Record<string, string>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${base64(value)}`)
    .join(',');

describe('upload metadata', () => {
  it('may be empty', () => {
    expect(parseMetadata('')).toEqual(nothing);
    expect(parseMetadata('  ')).toEqual(nothing);
  });

  it('gives the keys that mean something here', () => {
    const transfer = newId();
    const text = header({
      from: 'a-radiology',
      to: 'b-central, c-cardiology',
      priority: 'acute',
      filetype: 'multipart/related; type="application/dicom"',
      transfer,
    });
    expect(parseMetadata(text)).toEqual({
      from: 'a-radiology',
      to: ['b-central', 'c-cardiology'],
      priority: 'acute',
      filetype: 'multipart/related; type="application/dicom"',
      transfer,
    });
  });

  it.each(['\u200a', '\u00a0', '\u2028', '\ufeff'])('takes no %j of Unicode for a space', (space) => {
    for (const text of [space, `x eA==,${space}y eA==`, `x eA==${space}`]) {
      expect(() => parseMetadata(text)).toThrow(HeaderInvalid);
    }
  });

  it('leaves other keys alone, with or without a value', () => {
    expect(parseMetadata(`filename ${base64('Jansen, P.dcm')},is_confidential,x ,from `)).toEqual(nothing);
  });

  it('keeps of a media type only what tells how a package is read', () => {
    const filetype = 'Multipart/Related; name="Jansen, P.dcm"; boundary=a"b; type="application/dicom"';
    expect(() => parseMetadata(header({ filetype }))).toThrow(HeaderInvalid);
    expect(parseMetadata(header({ filetype: filetype.replace('a"b', '"a\\"b"') })).filetype).toBe(
      'multipart/related; type="application/dicom"; boundary="a\\"b"',
    );
    expect(parseMetadata(header({ filetype: 'application/dicom; name=Jansen' })).filetype).toBe(
      'application/dicom',
    );
  });

  it('refuses a known key with a value that is not allowed, and never repeats the value', () => {
    const bad: Record<string, string>[] = [
      { priority: 'high' },
      { priority: 'ACUTE' },
      { to: 'a,,b' },
      { to: 'a,a' },
      { to: Array.from({ length: 11 }, (_, n) => `m${n}`).join(',') },
      { from: 'a b' },
      { from: '../etc' },
      { filetype: 'dicom' },
      { transfer: '../1' },
      { from: 'x'.repeat(5000) },
    ];
    for (const values of bad) {
      const [value = ''] = Object.values(values);
      expect(() => parseMetadata(header(values)), JSON.stringify(values)).toThrow(HeaderInvalid);
      try {
        parseMetadata(header({ priority: `${value} secret` }));
      } catch (error) {
        expect(String(error)).not.toContain('secret');
      }
    }
  });

  it('refuses what is not pairs of a key and Base64', () => {
    for (const text of [
      'from YQ',
      'from YQ==x',
      'from  YQ==',
      'from YQ== YQ==',
      'from YQ==,from Yg==',
      ',',
      'from YQ==,',
      'é YQ==',
      'from /w==',
      `x ${'A'.repeat(20_000)}`,
    ]) {
      expect(() => parseMetadata(text), text.slice(0, 40)).toThrow(HeaderInvalid);
    }
  });

  it('answers anything with metadata or HeaderInvalid', () => {
    const part = fc.constantFrom('from', 'to', 'priority', ' ', ',', 'YQ==', 'YWN1dGU=', '=', 'é', '\0');
    const text = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (header) => {
        try {
          expect(Object.keys(parseMetadata(header)).sort()).toEqual(Object.keys(nothing).sort());
        } catch (error) {
          expect(error).toBeInstanceOf(HeaderInvalid);
        }
      }),
      fuzz,
    );
  });
});
