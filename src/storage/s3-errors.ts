import { StorageDamaged, StorageUnreachable } from './errors.ts';
import type { SegmentName } from './segments.ts';

/** 404, by any of its names. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && ['NotFound', 'NoSuchKey', 'NoSuchUpload'].includes(error.name);
}

/** What S3 says of a segment that it does not have, or has less of than is asked for. */
export function damaged(name: SegmentName): (error: unknown) => never {
  return (error) => {
    if (isMissing(error) || (error instanceof Error && error.name === 'InvalidRange')) {
      throw new StorageDamaged(`S3 does not have segment ${name}, or not all of it`, { object: name }, error);
    }
    throw error;
  };
}

/** Names what is not an answer about an object. */
export async function reached<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw unreachable(error);
  }
}

export function unreachable(error: unknown): Error {
  if (error instanceof StorageDamaged || error instanceof StorageUnreachable) {
    return error;
  }
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode ?? 0;
  return new StorageUnreachable({ reason: String(name ?? ''), status }, error);
}
