import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openS3Storage, type S3Options, type S3Storage } from '../../../src/storage/s3.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import type { Place } from '../../storage/s3-subject.ts';
import { silent } from '../engine.ts';
import type { Store } from './cases.ts';

/** Small enough that each upload has some. */
const segmentBytes = 512 * 1024;

/** A bucket with a spool wherever an engine has its data. Close it when no engine uses it any more. */
export class S3Store implements Store {
  readonly name = 'S3';
  readonly #place: Place;
  readonly #secrets: string;
  readonly #prefixes = new Map<string, string>();
  readonly #open = new Set<S3Storage>();

  private constructor(place: Place, secrets: string) {
    this.#place = place;
    this.#secrets = secrets;
  }

  static async of(place: Place): Promise<S3Store> {
    const secrets = await mkdtemp(join(tmpdir(), 'sluis-s3-secrets-'));
    const { accessKeyId = 'test', secretAccessKey = 'test' } = place;
    await writeFile(join(secrets, 's3.json'), JSON.stringify({ accessKeyId, secretAccessKey }), {
      mode: 0o600,
    });
    return new S3Store(place, secrets);
  }

  async openStorage(folder: string): Promise<Storage> {
    // The same folder comes back to its own objects.
    const prefix = this.#prefixes.get(folder) ?? `case-${this.#prefixes.size.toString()}/`;
    this.#prefixes.set(folder, prefix);
    const options: S3Options = {
      folder,
      endpoint: this.#place.endpoint,
      region: this.#place.region ?? 'us-east-1',
      bucket: this.#place.bucket,
      prefix,
      forcePathStyle: true,
      credentialsFile: join(this.#secrets, 's3.json'),
      requestChecksumCalculation: 'WHEN_SUPPORTED',
      responseChecksumValidation: 'WHEN_SUPPORTED',
      spoolBytesMax: 1024 * segmentBytes,
      segmentBytes,
      offloadRetryMs: 10,
      log: silent,
    };
    const storage = await openS3Storage(options);
    await storage.start();
    this.#open.add(storage);
    return storage;
  }

  async close(): Promise<void> {
    for (const storage of this.#open) {
      await storage.stop(AbortSignal.timeout(2_000));
    }
    await rm(this.#secrets, { recursive: true, force: true });
  }
}
