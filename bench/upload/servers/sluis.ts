/** Ours: the engine, its tus dialect and the listener as the exchange puts them together, without transfers behind. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { authorizer, createApiKey } from '../../../src/access/api-keys.ts';
import { listen } from '../../../src/http/listen.ts';
import { httpCounts } from '../../../src/http/metrics.ts';
import { type Log, openLog } from '../../../src/ops/log.ts';
import { State } from '../../../src/state/state.ts';
import { openDiskStorage } from '../../../src/storage/disk.ts';
import type { S3Options } from '../../../src/storage/s3-options.ts';
import type { Storage, StorageLoad } from '../../../src/storage/storage.ts';
import { type UploadSettings, uploadDefaults } from '../../../src/upload/limits.ts';
import { tusHandler, uploadsPath } from '../../../src/upload/tus.ts';
import { Uploads } from '../../../src/upload/uploads.ts';
import { answerQuestions } from '../../lib/helper.ts';
import { seed } from '../seed.ts';
import type { Target } from '../target.ts';

export interface SluisOptions {
  readonly folder: string;
  readonly settings: Partial<UploadSettings>;
  /** Uploads that are known from before. */
  readonly known: number;
  /** Where objects go from the spool; null leaves them on the disk. */
  readonly s3: Pick<S3Options, 'endpoint' | 'region' | 'bucket' | 'credentialsFile'> | null;
}

const POLL_MS = 5;

let end: () => Promise<unknown> = async () => undefined;
let offloading: () => StorageLoad | undefined = () => undefined;

async function start({ folder, settings, known, s3 }: SluisOptions): Promise<Target> {
  mkdirSync(folder, { recursive: true });
  const log = openLog('warn');
  const state = await State.open(join(folder, 'state'));
  const storage = await storageIn(join(folder, 'storage'), s3, log);
  const token = await state.commit((tx) =>
    createApiKey(tx, { organization: 'bench', name: 'bench', days: 1 }),
  );
  await seed(state, known);
  const uploads = new Uploads({
    state,
    storage,
    log,
    // Who measures a thousand uploads is one organization, and its disk may be fuller than a hospital's.
    settings: {
      ...uploadDefaults,
      reserveBytes: 0,
      openMax: 1_000_000,
      inFlightShareMax: 1,
      watermarks: { bulk: 1, routine: 1, urgent: 1, acute: 1 },
      ...settings,
    },
    hooks: {
      claims: () => undefined,
      received: () => undefined,
      published: () => undefined,
      terminable: () => undefined,
      expirable: () => true,
      expired: () => undefined,
      priorityOf: () => 'routine',
    },
  });
  await uploads.resumeAfterStart();
  const handler = tusHandler({
    uploads,
    authorize: authorizer(state),
    seal: (bytes) => bytes,
    unseal: (sealed) => sealed,
    log,
  });
  const listener = await listen({ host: '127.0.0.1', port: 0, listener: 'uws', log, handler });
  end = async () => {
    await Promise.all([uploads.stop(), listener.stop(AbortSignal.timeout(1000))]);
    await state.close();
  };
  return { port: listener.port, base: uploadsPath, token };
}

async function storageIn(folder: string, s3: SluisOptions['s3'], log: Log): Promise<Storage> {
  if (s3 === null) return openDiskStorage(folder);
  const { openS3Storage } = await import('../../../src/storage/s3.ts');
  const storage = await openS3Storage({
    ...s3,
    folder,
    prefix: '',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_SUPPORTED',
    responseChecksumValidation: 'WHEN_SUPPORTED',
    spoolBytesMax: SPOOL_BYTES,
    log,
  });
  await storage.start();
  offloading = () => storage.load;
  return storage;
}

const SPOOL_BYTES = 8 * 1024 ** 3;

/** Resolves when S3 has everything that was settled. */
async function offloaded(): Promise<void> {
  for (;;) {
    const load = offloading();
    if (load === undefined || load.waiting + load.underWay === 0) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

answerQuestions({ start, counts: () => httpCounts, offloaded }, () => end());
