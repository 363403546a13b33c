import { createHash } from 'node:crypto';
import type { Listing } from './contents.ts';

/** What the sender wants done with what he sends, as POST /v1/transfers takes it. */
export interface Order {
  readonly from: string;
  /** Sorted, each once. */
  readonly to: readonly string[];
  readonly priority: string;
  readonly remark: string;
}

export interface Manifest {
  readonly instances: readonly {
    readonly sopInstanceUid: string;
    readonly bytes: number;
    readonly sha256: string;
  }[];
  readonly reports: readonly {
    readonly sha256: string;
    readonly bytes: number;
    readonly mediaType: string;
  }[];
}

export function manifestOf({ instances, reports }: Listing): Manifest {
  return {
    instances: instances.map(({ sopInstanceUid, bytes, sha256 }) => ({ sopInstanceUid, bytes, sha256 })),
    reports: reports.map(({ sha256, bytes, mediaType }) => ({ sha256, bytes, mediaType })),
  };
}

/** What the package's boundary is made of: the same files are the same bytes on the line. */
export function digestOf(manifest: Manifest): Uint8Array {
  return createHash('sha256').update(JSON.stringify(manifest)).digest();
}

/**
 * The Idempotency-Key of a sending: the same order for the same files is the same transfer, so that
 * a run after a kill finds it without a file of its own. Without the BSN, on purpose: nine digits can be
 * found from a hash, and a header may end up in a proxy's log.
 *
 * @param archive the SHA-256 of the ZIP in which they are sent; null for a package of our own
 */
export function keyOf(
  { from, to, priority, remark }: Order,
  manifest: Manifest,
  archive: string | null,
): string {
  const sent = archive === null ? [manifest] : [manifest, archive];
  return hex(JSON.stringify([from, to, priority, remark, ...sent]));
}

/** The key of the sending that comes after one that has ended (--again). Follows from it, so it resumes too. */
export function keyAfter(key: string, ended: string): string {
  return hex(`${key} ${ended}`);
}

function hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
