import type { RepresentationDigest, UploadRecord } from '../state/records.ts';
import type { Checksum } from './checksum.ts';

/** What a client says of a new upload; `metadata` is sealed by who asks. */
export interface CreateRequest
  extends Pick<
    UploadRecord,
    'from' | 'to' | 'priority' | 'filetype' | 'transfer' | 'metadata' | 'length' | 'ends'
  > {
  /** An id made by newId, when who asks has to know it before; else one is made. */
  readonly id?: string | undefined;
  /** Of the whole, verified before it counts as received; null: not told. */
  readonly digest: RepresentationDigest | null;
  /** What it is to concatenation (tus 1.0.0); null: nothing. A final upload's length is that of its parts. */
  readonly concat: Concatenation | null;
}

export type Concatenation =
  | { readonly of: 'partial' }
  /** Ids of partial uploads, in order. Some may not be received yet. */
  | {
      readonly of: 'final';
      readonly parts: readonly string[];
      /** The header that said so, for HEAD to tell again. */
      readonly header?: string;
    };

/** A body to append. */
export interface AppendRequest {
  /** Where the client says its body begins. */
  readonly offset: number;
  /** Declares the length of an upload that was created without; must not differ from one that is known. */
  readonly length?: number | undefined;
  /** Of this body: nothing of it counts before it was verified. */
  readonly checksum?: Checksum | undefined;
  /** Upload-Complete of an upload that ends `when-told`: its last byte is this body's. */
  readonly isLast?: boolean | undefined;
}
