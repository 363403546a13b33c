import type { DicomErrorCode } from '../dicom/error.ts';
import type { Identity } from '../dicom/identity.ts';
import type { Scan } from '../dicom/scan.ts';
import type { FileRange } from '../storage/storage.ts';
import type { RenderJob, RenderResult } from './render-job.ts';

/** An instance to look at: its bytes, laid end to end. */
export interface InspectJob {
  readonly ranges: readonly FileRange[];
}

/** Why an instance cannot be accepted as it is. Holds no value of it. */
export interface InspectionFault {
  /**
   * INSPECTION_FAILED: the inspection itself failed at these bytes, which is a fault of ours.
   * INFLATED_TOO_LARGE: inflated, it would be more than the job allows; most likely a bomb.
   */
  readonly code: DicomErrorCode | 'INSPECTION_FAILED' | 'INFLATED_TOO_LARGE';
  /** As in `0010,1002`; '' when the fault belongs to no element. */
  readonly tag: string;
  readonly offset: number;
  readonly reason: string;
}

export interface Inspection {
  /** Undefined when the head cannot be read; then `error` says why. */
  readonly scan: Scan | undefined;
  /** Patient data: seal it before it is stored, never log it. */
  readonly identity: Identity | undefined;
  /** Of all bytes, whatever they are. */
  readonly sha256: Uint8Array;
  /** Of all bytes, as ZIP has it (ISO 3309), unsigned. */
  readonly crc32: number;
  /** With a scan: the head is good and the rest is not whole. */
  readonly error?: InspectionFault;
  /** The dataset is deflated: `error` is SYNTAX_UNSUPPORTED until WorkPool.inflate has looked inside. */
  readonly deflated?: true;
}

/** True for what WorkPool.inflate can read and an inspection alone cannot: then its error says nothing against it. */
export function isDeflated({ deflated }: Inspection): boolean {
  return deflated === true;
}

/** Deflated bytes to write out inflated, once. */
export interface InflateJob {
  /** `dataset`: a Part 10 instance with a deflated dataset (PS3.5 annex A.5). `entry`: the data of a ZIP entry. */
  readonly of: 'dataset' | 'entry';
  /** The deflated bytes, laid end to end: of a dataset, the whole instance. */
  readonly ranges: readonly FileRange[];
  /** Path of a file that is there. What it holds gives way. */
  readonly into: string;
  /** The most that the inflated bytes may be. */
  readonly bytesMax: number;
  /** The most inflated bytes for one deflated; counts from `ratioFreeBytes` on. */
  readonly ratioMax: number;
  /** Of an entry: what its archive says of the inflated bytes. Anything else is MALFORMED. */
  readonly crc32?: number;
  readonly bytes?: number;
}

export interface InflateResult {
  /**
   * Of an entry: of the inflated bytes. Of a dataset: scan, identity and faults are of the instance with
   * its dataset inflated (offsets too), the digests of the instance as it was sent.
   */
  readonly inspection: Inspection;
  /** How a dataset lies in the file; undefined for an entry, and when its head cannot be read. */
  readonly inflated?: InflatedParts;
  /** Bytes of the file: 0 when the deflated bytes are broken. Then an entry's digests are of those. */
  readonly bytes: number;
}

/** See Inflated in state/records.ts: the head lies at the file's first byte, the tail behind it. */
export interface InflatedParts {
  readonly headBytes: number;
  readonly tailBytes: number;
  /** Of the whole instance with its dataset inflated. */
  readonly bytes: number;
}

/** Bytes for a worker: where they lie in a file, or themselves where an edit inserts them. */
export type Piece = FileRange | Uint8Array;

/** Bytes as a receiver gets them. What is inserted may be the BSN: never store or log it. */
export interface DigestJob {
  readonly pieces: readonly Piece[];
}

export interface Digest {
  readonly sha256: Uint8Array;
  /** As ZIP has it (ISO 3309), unsigned. */
  readonly crc32: number;
  readonly bytes: number;
}

/** Bytes as they are stored, to be held against what is known of them. */
export interface ChecksumJob {
  readonly ranges: readonly FileRange[];
}

export interface Checksum {
  /** As ZIP has it (ISO 3309), unsigned. */
  readonly crc32: number;
}

interface Results {
  readonly inspect: Inspection;
  readonly digest: Digest;
  readonly checksum: Checksum;
  readonly inflate: InflateResult;
  readonly render: RenderResult;
}

export type Kind = keyof Results;
export type ResultOf<K extends Kind> = Results[K];
export type Result = ResultOf<Kind>;

/** What is done with the bytes of one instance in one pass, whole or as a chain. */
export type PassKind = Exclude<Kind, 'inflate' | 'render'>;

/** One instance for one task; `bytes` are those of all pieces. */
export interface Work {
  readonly bytes: number;
  readonly pieces: readonly Piece[];
}

/** What goes to a worker. Plain data; pixel data never does. */
export type Task =
  | { readonly do: 'warm' }
  | { readonly do: 'batch'; readonly kind: PassKind; readonly batch: readonly Work[] }
  | { readonly do: 'inflate'; readonly job: InflateJob }
  | { readonly do: 'render'; readonly job: RenderJob }
  | { readonly do: 'open'; readonly chain: number; readonly kind: PassKind; readonly bytes: number }
  | { readonly do: 'feed'; readonly chain: number; readonly pieces: readonly Piece[] }
  | { readonly do: 'finish'; readonly chain: number }
  | { readonly do: 'drop'; readonly chain: number };

/** What comes back. A worker answers always; if it does not, it is dead. */
export type Outcome =
  | { readonly ok: true; readonly results: readonly Result[] }
  | { readonly ok: false; readonly failure: Failure };

export type Failure =
  /** The chain is not known: the worker that knew it is gone. */
  | { readonly of: 'chain' }
  /** A file is not there or ends too early. */
  | { readonly of: 'storage'; readonly path: string; readonly asked: number }
  /** There is no room for what was to be written. */
  | { readonly of: 'disk-full'; readonly cause: string }
  /** Anything else, by name or system code. */
  | { readonly of: 'job'; readonly cause: string };

/**
 * Why a chain can be refused though nothing is wrong with it: the heads that its thread has to keep are
 * too much together. An instance that is whole is never refused so, since its first task reads its head.
 */
export const HEADS_TOO_LARGE = 'HEADS_TOO_LARGE';

/** Bytes that a piece stands for. */
export function pieceBytes(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.byteLength : piece.bytes;
}
