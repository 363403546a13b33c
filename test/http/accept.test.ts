import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { preferred } from '../../src/http/accept.ts';

const both = [
  { name: 'package', type: 'multipart/related', root: 'application/dicom' },
  { name: 'archive', type: 'application/zip' },
] as const;

const chosen = (accept: string | undefined): string => preferred(accept, both)?.name ?? 'nothing';

describe('what a client accepts', () => {
  it.each([
    [undefined, 'package'],
    ['', 'package'],
    ['*/*', 'package'],
    ['application/zip', 'archive'],
    ['Application/ZIP', 'archive'],
    ['application/*', 'archive'],
    ['multipart/*', 'package'],
    ['multipart/related', 'package'],
    ['multipart/related; type="application/dicom"', 'package'],
    ['multipart/related; type=application/dicom; transfer-syntax=*', 'package'],
    ['multipart/related; type="image/jpeg"', 'nothing'],
    ['multipart/related; type="image/jpeg", application/zip;q=0.1', 'archive'],
    ['application/json', 'nothing'],
    ['application/json, */*;q=0.1', 'package'],
    ['application/zip, multipart/related', 'package'],
    ['application/zip, multipart/related;q=0.9', 'archive'],
    ['application/zip;q=0.2, */*;q=0.5', 'package'],
    ['application/zip, */*;q=0.5', 'archive'],
    ['*/*, multipart/related;q=0', 'archive'],
    ['multipart/related;q=0, application/zip;q=0.000', 'nothing'],
    ['application/zip;q=2', 'archive'],
    [' , application/zip , ', 'archive'],
    ['multipart/related; type="image/jpeg,x"; q=1, application/zip', 'archive'],
    ['no type at all', 'package'],
    ['no type at all, application/zip', 'archive'],
  ])('is, for %j, the %s', (accept, name) => {
    expect(chosen(accept)).toBe(name);
  });

  it('is found out whatever the header says', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('multipart/related;="\\, q=0.1*')) }),
        (accept) => {
          chosen(accept);
        },
      ),
    );
  });
});
