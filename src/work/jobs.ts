import type { Edit } from '../dicom/edit.ts';
import type { DicomErrorCode } from '../dicom/error.ts';
import type { Identity } from '../dicom/identity.ts';
import type { Scan } from '../dicom/scan.ts';
import type { FileRange } from '../storage/storage.ts';

/** An instance to look at: its bytes, laid end to end. */
export interface InspectJob {
  readonly ranges: readonly FileRange[];
}

/** Why an instance cannot be accepted as it is. Holds no value of it. */
export interface InspectionFault {
  /** INSPECTION_FAILED: the inspection itself failed at these bytes, which is a fault of ours. */
  readonly code: DicomErrorCode | 'INSPECTION_FAILED';
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
  /** With a scan: the head is good and the rest is not whole. */
  readonly error?: InspectionFault;
}

/** An instance as a receiver gets it. The edits may hold the BSN: never store or log them. */
export interface DigestJob {
  readonly ranges: readonly FileRange[];
  readonly edits: readonly Edit[];
}

export interface Digest {
  readonly sha256: Uint8Array;
  /** As ZIP has it (ISO 3309), unsigned. */
  readonly crc32: number;
  readonly bytes: number;
}

/** Bytes for a worker: where they lie in a file, or themselves where an edit inserts them. */
export type Piece = FileRange | Uint8Array;

/** What is done with the bytes of one instance. */
export type Kind = 'inspect' | 'digest';

export type Result = Inspection | Digest;
export type ResultOf<K extends Kind> = K extends 'inspect' ? Inspection : Digest;

/** One instance for one task; `bytes` are those of all pieces. */
export interface Work {
  readonly bytes: number;
  readonly pieces: readonly Piece[];
}

/** What goes to a worker. Plain data; pixel data never does. */
export type Task =
  | { readonly do: 'warm' }
  | { readonly do: 'batch'; readonly kind: Kind; readonly batch: readonly Work[] }
  | { readonly do: 'open'; readonly chain: number; readonly kind: Kind; readonly bytes: number }
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
