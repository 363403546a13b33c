import { describe, expect, it } from 'vitest';
import { isKnownVr, readHeader, vrCode, wholeHeader } from '../../src/dicom/element.ts';
import { DicomError } from '../../src/dicom/error.ts';
import { Window } from '../../src/dicom/window.ts';

const VRS =
  'AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV';

describe('a value representation', () => {
  it('is known when PS3.5 has it, and of all other pairs of bytes none is', () => {
    const known = Array.from({ length: 0x10000 }, (_, vr) => vr).filter(isKnownVr);
    expect(known).toEqual(VRS.split(' ').map(vrCode));
  });
});

describe('an element at the end of a window', () => {
  // (0010,0020) LO "ID01"
  const element = Uint8Array.from([0x10, 0, 0x20, 0, 0x4c, 0x4f, 4, 0, 0x49, 0x44, 0x30, 0x31]);

  it('has a whole header exactly when it can be read without an error', () => {
    for (let bytes = 0; bytes <= element.byteLength; bytes += 1) {
      const window = new Window(element.subarray(0, bytes), bytes);
      const whole = wholeHeader(window, 0, 'explicit-le');
      if (bytes === element.byteLength) expect(whole).toEqual(readHeader(window, 0, 'explicit-le'));
      else {
        expect(whole).toBeUndefined();
        expect(() => readHeader(window, 0, 'explicit-le')).toThrow(DicomError);
      }
    }
  });
});
