import { describe } from 'vitest';
import { S3Double } from '../support/s3-double.ts';
import { openS3Subject } from './s3-subject.ts';
import { storageContract } from './storage.contract.ts';

describe.each([
  ['that keeps what S3 has for a while', {}],
  ['that keeps nothing of what S3 has', { spoolBytesMax: 1 }],
])('S3 storage %s', (_, options) => {
  storageContract('as every storage', async () => {
    const s3 = await S3Double.start({ pageMax: 2 });
    const subject = await openS3Subject(s3, options);
    return {
      ...subject,
      close: async () => {
        await subject.close();
        await s3.stop();
      },
    };
  });
});
