import { access, mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderMode, objectMode } from './limits.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * A folder belongs to the kind of storage that it was begun with: the other would find nothing of what is
 * recorded, or clean up what it does not know.
 */
export async function expectKind(folder: string, kind: 'disk' | 's3'): Promise<void> {
  if (kind === 'disk' && (await isThere(join(folder, 'spool')))) {
    throw new Error(
      `${folder} was begun with storage.kind s3: go on with that, or move spool out of it to begin anew`,
    );
  }
  if (kind === 's3' && (await hasFiles(join(folder, 'objects')))) {
    throw new Error(
      `${folder} has objects of storage.kind disk: go on with that, or move objects out of it to begin anew`,
    );
  }
}

/**
 * A spool belongs to the bucket, and the beginning of keys in it, that it was begun with: in front of another, all
 * that is recorded would be missing, and what somebody else keeps there would be cleaned up as left over.
 */
export async function expectBucket(folder: string, { bucket, prefix }: BucketPlace): Promise<void> {
  const spool = join(folder, 'spool');
  const path = join(spool, 'bucket');
  const place = `${bucket}/${prefix}`;
  const begunWith = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return '';
    }
    // What can't be read now must not be taken for a new one, and written over.
    throw error;
  });
  if (begunWith !== '' && begunWith !== place) {
    throw new Error(
      `${folder} was begun with ${begunWith} of S3: go on with that; when all of it was moved to ${place}, write that into ${path}`,
    );
  }
  if (begunWith === '') {
    await mkdir(spool, { recursive: true, mode: folderMode });
    const file = await open(path, 'w', objectMode);
    try {
      await file.writeFile(place);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(spool);
  }
}

interface BucketPlace {
  readonly bucket: string;
  readonly prefix: string;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function hasFiles(objects: string): Promise<boolean> {
  if (!(await isThere(objects))) {
    return false;
  }
  for (const bucket of await readdir(objects)) {
    if ((await readdir(join(objects, bucket))).length > 0) {
      return true;
    }
  }
  return false;
}
