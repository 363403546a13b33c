import { createHash } from 'node:crypto';
import type { Gathered } from './gathering.ts';

/** What the sender wants done with the instances, as POST /v1/transfers takes it. */
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
  readonly reports: readonly never[];
}

export function manifestOf(gathered: readonly Gathered[]): Manifest {
  const instances = gathered.map(({ sopInstanceUid, bytes, sha256 }) => ({ sopInstanceUid, bytes, sha256 }));
  return { instances, reports: [] };
}

/** What the package's boundary is made of: the same instances are the same bytes on the line. */
export function digestOf(manifest: Manifest): Uint8Array {
  return createHash('sha256').update(JSON.stringify(manifest)).digest();
}

/**
 * The Idempotency-Key of a sending: the same order for the same instances is the same transfer, so that
 * a run after a kill finds it without a file of its own. Without the BSN, on purpose: nine digits can be
 * found from a hash, and a header may end up in a proxy's log.
 */
export function keyOf({ from, to, priority, remark }: Order, manifest: Manifest): string {
  return hex(JSON.stringify([from, to, priority, remark, manifest]));
}

/** The key of the sending that comes after one that has ended (--again). Follows from it, so it resumes too. */
export function keyAfter(key: string, ended: string): string {
  return hex(`${key} ${ended}`);
}

function hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
