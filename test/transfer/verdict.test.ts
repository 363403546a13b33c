import { describe, expect, it } from 'vitest';
import { identify } from '../../src/dicom/identity.ts';
import { scan } from '../../src/dicom/scan.ts';
import type { ReasonCode } from '../../src/transfer/reasons.ts';
import { type Read, reasonsOf, verdictOf } from '../../src/transfer/verdict.ts';
import { type Built, ct, part10 } from '../dicom/builder.ts';

function read(more: readonly Built[], fault?: string): Read {
  const bytes = part10(ct(more), 'explicit-le');
  const found = scan(bytes, bytes.byteLength);
  if ('need' in found) throw new Error('the whole instance is there');
  return { scan: found, identity: identify(bytes, found), fault };
}

const issued: Built[] = [
  { tag: 0x00100020, vr: 'LO', value: '999990019' },
  { tag: 0x00100021, vr: 'LO', value: 'NLMINBIZA' },
];
const another: Built = {
  tag: 0x00081120,
  vr: 'SQ',
  items: [[{ tag: 0x00100020, vr: 'LO', value: '77' }]],
};

describe('what there is to say of one object', () => {
  it.each<readonly [string, readonly Built[], readonly ReasonCode[]]>([
    ['nothing of an ordinary one', [], []],
    ['nothing of one with a BSN', issued, []],
    ['two BSNs', [...issued, { tag: 0x00101000, vr: 'LO', value: '999990020' }], ['BSN_CONFLICT']],
    ['a BSN that is none', [{ tag: 0x00100021, vr: 'LO', value: 'NLMINBIZA' }], ['BSN_INVALID']],
    ['somebody else', [another], ['NESTED_IDENTITY']],
    ['a private class', [{ tag: 0x00080016, vr: 'UI', value: '1.3.12.2.1107.5.9.1' }], ['SOP_CLASS_UNKNOWN']],
    ['an odd UID', [{ tag: 0x0020000d, vr: 'UI', value: '1.02' }], ['UID_INVALID']],
    ['an odd character set', [{ tag: 0x00080005, vr: 'CS', value: 'UTF-8' }], ['CHARSET_UNKNOWN']],
  ])('is %s', (_, more, codes) => {
    expect(reasonsOf(read(more))).toEqual(codes);
    expect(verdictOf(codes)).toBe(codes.includes('BSN_CONFLICT') ? 'held' : 'accepted');
  });

  it('begins with what is wrong with its bytes, and that it is unreadable when nobody knows the code', () => {
    expect(reasonsOf(read([another], 'TRUNCATED'))).toEqual(['TRUNCATED', 'NESTED_IDENTITY']);
    expect(reasonsOf(read([], 'MALFORMED'))).toEqual(['UNREADABLE']);
    expect(reasonsOf(read([], 'INFLATED_TOO_LARGE'))).toEqual(['INFLATED_TOO_LARGE']);
    const unread = { scan: undefined, identity: undefined };
    expect(reasonsOf({ ...unread, fault: 'NOT_DICOM' })).toEqual(['NOT_DICOM']);
    expect(reasonsOf({ ...unread, fault: 'SYNTAX_LIES' })).toEqual(['SYNTAX_LIES', 'UNREADABLE']);
  });

  it('is as bad as the worst of it', () => {
    expect(verdictOf([])).toBe('accepted');
    expect(verdictOf(['SOP_CLASS_UNKNOWN', 'UID_INVALID', 'CHARSET_UNKNOWN'])).toBe('accepted');
    expect(verdictOf(['NESTED_IDENTITY', 'CHECKSUM_DIFFERS'])).toBe('held');
    expect(verdictOf(['TRUNCATED', 'REPORT_UNREADABLE'])).toBe('rejected');
  });
});
