import { afterAll, beforeAll, describe } from 'vitest';
import { openDiskStorage } from '../../src/storage/disk.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { failureCases } from '../upload/failures/cases.ts';
import { S3Store } from '../upload/failures/s3-store.ts';
import { foreignClients } from './uploads.ts';

const kinds = ['uws', 'node-http'] as const;

describe.each(kinds)('on disk, with %s,', (kind) => {
  foreignClients({ name: 'disk', openStorage: openDiskStorage }, kind);
});

describe('on a real S3 server', () => {
  let server: S3Server;
  let s3: S3Store;
  beforeAll(async () => {
    server = await startS3Server();
    s3 = await S3Store.of(server);
  });
  afterAll(async () => {
    await s3?.close();
    await server?.stop();
  });

  const openStorage = (folder: string): Promise<Storage> => s3.openStorage(folder);
  describe.each(kinds)('with %s,', (kind) => {
    foreignClients({ name: 'S3', openStorage }, kind);
    failureCases({ name: 'S3', openStorage }, kind);
  });
});
