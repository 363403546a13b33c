import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import type { Log } from '../ops/log.ts';

type Checksums = 'WHEN_SUPPORTED' | 'WHEN_REQUIRED';

export interface S3Options {
  /** On a disk of this machine, of the spool in it: what is acknowledged lies there first. */
  readonly folder: string;
  /** Null takes that of AWS. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly forcePathStyle: boolean;
  /** JSON with accessKeyId and secretAccessKey; null takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. */
  readonly credentialsFile: string | null;
  /** Some servers do not know the checksums that the SDK adds by itself. */
  readonly requestChecksumCalculation: Checksums;
  readonly responseChecksumValidation: Checksums;
  readonly spoolBytesMax: number;
  readonly log: Log;
  /** For tests: smaller than the 64 MiB that never change. */
  readonly segmentBytes?: number;
  readonly partBytes?: number;
  readonly offloadRetryMs?: number;
  readonly removeRetryMs?: number;
  readonly silenceMs?: number;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const word = z.string().min(1).max(4096);
const credentials = z.object({
  accessKeyId: word,
  secretAccessKey: word,
  sessionToken: word.exactOptional(),
});

/** From the file, or else the environment. The message of what it throws has nothing of a secret. */
export async function credentialsOf(file: string | null, env = process.env): Promise<Credentials> {
  if (file === null) {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
    if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
      throw new Error('S3 wants storage.s3.credentialsFile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
    }
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
    };
  }
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    throw new Error(`others can read ${file} (mode ${(mode & 0o777).toString(8)}): chmod 600 it`);
  }
  const text = await readFile(file, 'utf8');
  try {
    return credentials.parse(JSON.parse(text));
  } catch {
    // A parser shows what it could not read.
    throw new Error(`${file}: expected JSON with accessKeyId and secretAccessKey`);
  }
}
