import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../src/ops/log.ts';
import { openS3Storage, type S3Options, type S3Storage } from '../../src/storage/s3.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { SEGMENT, type Subject } from './storage.contract.ts';

export interface Place {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

export interface S3Subject extends Subject {
  /** It is started. */
  readonly storage: S3Storage;
  /** Of the spool. */
  readonly folder: string;
  /** As it was opened. */
  readonly options: S3Options;
  reopen(): Promise<S3Storage>;
}

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let subjects = 0;

/** A storage with small segments in a bucket, with a spool and a prefix of its own. */
export async function openS3Subject(place: Place, options: Partial<S3Options> = {}): Promise<S3Subject> {
  const folder = await openTempFolder('sluis-spool');
  const credentialsFile = folder.file('s3.json');
  const { accessKeyId = 'test', secretAccessKey = 'test' } = place;
  await writeFile(credentialsFile, JSON.stringify({ accessKeyId, secretAccessKey }), { mode: 0o600 });
  const all: S3Options = {
    folder: folder.file('storage'),
    endpoint: place.endpoint,
    region: place.region ?? 'us-east-1',
    bucket: place.bucket,
    prefix: `own/${(subjects++).toString()}-`,
    forcePathStyle: true,
    credentialsFile,
    requestChecksumCalculation: 'WHEN_SUPPORTED',
    responseChecksumValidation: 'WHEN_SUPPORTED',
    spoolBytesMax: 1024 * SEGMENT,
    segmentBytes: SEGMENT,
    offloadRetryMs: 10,
    log: silent,
    ...options,
  };
  const open = async (): Promise<S3Storage> => {
    const storage = await openS3Storage(all);
    await storage.start();
    return storage;
  };
  const storage = await open();
  let last = storage;
  return {
    storage,
    folder: join(all.folder, 'spool'),
    options: all,
    moved: () =>
      until(
        () => last.load.waiting + last.load.underWay === 0,
        () => last.load,
      ),
    reopen: async () => {
      await last.stop(AbortSignal.abort());
      last = await open();
      return last;
    },
    close: async () => {
      await last.stop(AbortSignal.timeout(2_000));
      await folder.remove();
    },
  };
}
