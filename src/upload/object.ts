import { randomBytes } from 'node:crypto';
import type { ObjectId } from '../storage/storage.ts';

const prefix = 'u-';

/** A name for the bytes of a new upload: random, so that it tells nothing and cannot be guessed. */
export function newUploadObject(): ObjectId {
  return `${prefix}${randomBytes(16).toString('hex')}` as ObjectId;
}

/**
 * Whether an object was made by an upload: it lives exactly as long as that upload's record. What
 * others store (derived objects) is named otherwise and is theirs to clean up.
 */
export function isUploadObject(object: ObjectId): boolean {
  return object.startsWith(prefix);
}
