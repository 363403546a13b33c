import type { PackageFault } from './fault.ts';

/** One part of a package: where its data lies in the upload. */
export interface Part {
  readonly start: number;
  readonly bytes: number;
  /** Without parameters, in lower case. */
  readonly contentType: string;
}

/** A part whose data is on its way; `bytes` is null while nobody knows how many. */
export interface OpenPart {
  readonly start: number;
  readonly bytes: number | null;
  readonly contentType: string;
}

/**
 * How far the walk over an upload's package has come. Plain data: it goes into a record as it is, and
 * from it the walk goes on after a restart.
 */
export interface PackageWalk {
  readonly filetype: string | null;
  readonly stage: 'format' | 'instance' | 'preamble' | 'headers' | 'content' | 'epilogue' | 'done' | 'broken';
  /** '' until it is known. */
  readonly boundary: string;
  /** Where the walk goes on; never goes back. */
  readonly at: number;
  /** The part in which the walk stands; what is published of it can be read ahead of its end. */
  readonly open: OpenPart | null;
  /** Parts found so far. */
  readonly parts: number;
  readonly fault: PackageFault | null;
}

export interface WalkStep {
  readonly walk: PackageWalk;
  /** Parts that are published whole and, in a package, followed by the delimiter they have to be. */
  readonly parts: readonly Part[];
  readonly state: 'more' | 'done' | 'broken';
  /** Why, when `broken`. */
  readonly fault?: PackageFault;
}

/** A walk at the first byte of an upload that was declared as `filetype` (null: not declared). */
export function beginWalk(filetype: string | null): PackageWalk {
  return { filetype, stage: 'format', boundary: '', at: 0, open: null, parts: 0, fault: null };
}

/** True for a walk that was kept in a record. */
export function isPackageWalk(value: unknown): value is PackageWalk {
  return (
    typeof value === 'object' && value !== null && 'stage' in value && 'boundary' in value && 'open' in value
  );
}
