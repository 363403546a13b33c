import type { PackageFault } from './fault.ts';
import type { SetAside } from './set-aside.ts';

/** What a part is taken for: a DICOM instance, a document, or something that nobody is sent. */
export type PartKind = 'instance' | 'report' | 'set-aside';

/** What an archive says of one of its entries. */
export interface ZipEntry {
  readonly method: 'stored' | 'deflated';
  /** When it is inflated. Claimed: whoever inflates it holds it to this number. */
  readonly bytes: number;
  /** Of the inflated bytes, as ISO 3309 has it. Claimed. */
  readonly crc32: number;
  /** Patient data, as hospitals name files: seal it, never log it, never make a path of it. */
  readonly name: string;
}

/** One part of a package: where its data lies in the upload. Of an archive's entry, as it is compressed. */
export interface Part {
  readonly start: number;
  readonly bytes: number;
  /** Without parameters, in lower case. */
  readonly contentType: string;
  readonly kind: PartKind;
  /** An entry of an archive, or a part of a package (also the one that is a whole upload). */
  readonly origin: 'part' | 'zip';
  /** null for what does not come out of an archive. */
  readonly entry: ZipEntry | null;
  /** null for what is not set aside. */
  readonly why: SetAside | null;
}

/** A part whose data is on its way; `bytes` is null while nobody knows how many. */
export interface OpenPart {
  readonly start: number;
  readonly bytes: number | null;
  readonly contentType: string;
  readonly kind: PartKind;
}

/**
 * How far the walk over an upload's package has come. Plain data: it goes into a record as it is, and
 * from it the walk goes on after a restart.
 */
export interface PackageWalk {
  readonly filetype: string | null;
  readonly stage:
    | 'format'
    /** The upload is one item. */
    | 'whole'
    | 'archive'
    | 'preamble'
    | 'headers'
    | 'content'
    | 'epilogue'
    | 'done'
    | 'broken';
  /** '' until it is known. */
  readonly boundary: string;
  /** Where the walk goes on: a byte, or in an archive an entry by its number. Never goes back. */
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
