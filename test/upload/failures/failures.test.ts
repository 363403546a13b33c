import { afterAll, beforeAll, describe } from 'vitest';
import { openDiskStorage } from '../../../src/storage/disk.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { kinds } from '../../http/kinds.ts';
import { S3Double } from '../../support/s3-double.ts';
import { failureCasesOn } from './cases.ts';
import { S3Store } from './s3-store.ts';

describe('uploads survive,', () => {
  let double: S3Double;
  let s3: S3Store;
  beforeAll(async () => {
    double = await S3Double.start();
    s3 = await S3Store.of(double);
  });
  afterAll(async () => {
    await s3.close();
    await double.stop();
  });

  const s3Storage = (folder: string): Promise<Storage> => s3.openStorage(folder);
  failureCasesOn(
    [
      { name: 'disk', openStorage: openDiskStorage },
      { name: 'S3', openStorage: s3Storage },
    ],
    kinds,
  );
});
