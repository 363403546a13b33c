import { createHash } from 'node:crypto';
import type { RepresentationDigest, UploadRecord } from '../state/records.ts';
import type { Storage } from '../storage/storage.ts';
import { extentsOf } from './extents.ts';

/** Computes a digest of all bytes of an upload. */
export type DigestOf = (
  upload: UploadRecord,
  algorithm: RepresentationDigest['algorithm'],
) => Promise<Uint8Array>;

/** By reading it, in pieces, so that others have their turn. */
export function digestOf(storage: Pick<Storage, 'read'>): DigestOf {
  return async (upload, algorithm) => {
    const hash = createHash(algorithm === 'sha-256' ? 'sha256' : 'sha512');
    for await (const chunk of storage.read(extentsOf(upload), 0, upload.offset)) {
      hash.update(chunk);
    }
    return hash.digest();
  };
}
