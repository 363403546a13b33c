import { describe, expect, it } from 'vitest';
import { computable, uploadChecksum } from './digests.ts';

describe('checksums to send', () => {
  it('are those of the published check values', () => {
    // CRC catalogue: the check value of "123456789". SHA-1 of "hello world" is tus 1.0.0's own example.
    const digits = Buffer.from('123456789');
    expect(uploadChecksum('crc32', digits)).toBe(
      `crc32 ${Buffer.from('cbf43926', 'hex').toString('base64')}`,
    );
    expect(uploadChecksum('crc32c', digits)).toBe(
      `crc32c ${Buffer.from('e3069283', 'hex').toString('base64')}`,
    );
    expect(uploadChecksum('sha1', Buffer.from('hello world'))).toBe('sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=');
    expect([computable('sha512'), computable('crc64nvme')]).toEqual([true, false]);
  });
});
