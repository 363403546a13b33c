/**
 * What is stored. Every record is kept as [version, record]; a change of shape raises the version of
 * the schema and adds a migration (migrations/index.ts). Absent values are null, never undefined.
 * Sealed fields are AES-256-GCM under the key file (access/key-ring.ts): what may name a person.
 */
import type { Dialect } from '../dicom/dialect.ts';
import type { Scan } from '../dicom/scan.ts';
import type { Extent, ObjectId } from '../storage/storage.ts';

/** Ciphertext made by KeyRing.seal. */
export type Sealed = Uint8Array & { readonly __brand?: 'Sealed' };

/** Milliseconds since 1970, UTC. */
export type Instant = number;

export const priorities = ['acute', 'urgent', 'routine', 'bulk'] as const;
export type Priority = (typeof priorities)[number];

export interface OrganizationRecord {
  readonly id: string;
  readonly name: string;
  readonly place: string;
  readonly kind: 'hospital' | 'clinic' | 'diagnostic-centre';
  /** 8 digits with its zeros; null for who has none. */
  readonly ura: string | null;
}

/** How a mailbox wants to receive. */
export type Receiving =
  | { readonly by: 'pull' }
  | {
      readonly by: 'stow';
      /** The DICOMweb root, for example http://pacs.example/dicom-web */
      readonly url: string;
      /** A file that holds the bearer token, or null. */
      readonly tokenFile: string | null;
    };

export interface MailboxRecord {
  readonly id: string;
  readonly organization: string;
  readonly name: string;
  readonly kind: 'central' | 'decentral';
  readonly specialty: string | null;
  readonly receiving: Receiving;
  /** Name of the BSN dialect. */
  readonly dialect: string;
}

export interface ApiKeyRecord {
  readonly id: string;
  readonly organization: string;
  readonly name: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
}

export interface UploadRecord {
  readonly id: string;
  readonly organization: string;
  /** Id of the API key that made it. */
  readonly creator: string;
  readonly object: ObjectId;
  /** Upload-Length; null while deferred. */
  readonly length: number | null;
  /** Bytes that survive a kill -9 and, in durable mode, a power cut. Never goes back. */
  readonly offset: number;
  /** Fencing number of the last writer; a write under an older one is refused. */
  readonly epoch: number;
  readonly from: string | null;
  readonly to: readonly string[];
  readonly priority: Priority | null;
  readonly filetype: string | null;
  readonly transfer: string | null;
  /** The Upload-Metadata header as it came. */
  readonly metadata: Sealed | null;
  readonly state: 'receiving' | 'received';
  readonly createdAt: Instant;
  readonly lastByteAt: Instant;
}

/** How far the follower of an upload has come; from here it goes on after a restart. */
export interface FollowRecord {
  /** The walk of the package, see study/package.ts. */
  readonly walk: unknown;
  /** Instances found so far in this upload. */
  readonly instances: number;
  readonly state: 'following' | 'done' | 'broken';
}

export interface InstanceRecord {
  readonly upload: string;
  /** null for a part that is not DICOM or can't be read. */
  readonly scan: Scan | null;
  readonly sopInstanceUid: string;
  readonly extents: readonly Extent[];
  readonly bytes: number;
  readonly sha256: Uint8Array;
  readonly verdict: 'accepted' | 'held' | 'rejected';
  readonly reasons: readonly string[];
  /** Why, in words without patient data: tag, offset and cause. */
  readonly detail: string | null;
  /** HMAC of Patient ID and issuer: instances of one patient have the same. */
  readonly patientMac: string | null;
}

/** What a sender says belongs to a transfer. It alone decides what complete means. */
export interface ManifestRecord {
  /** In one piece, see transfer/manifest.ts. */
  readonly entries: Uint8Array;
  readonly sealedAt: Instant;
}

export const transferStates = [
  'receiving',
  'checking',
  'held',
  'rejected',
  'ready',
  'delivering',
  'delivered',
  'failed',
  'recalled',
  'expired',
] as const;
export type TransferState = (typeof transferStates)[number];

export interface TransferRecord {
  readonly id: string;
  readonly organization: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly priority: Priority;
  readonly state: TransferState;
  readonly reasons: readonly string[];
  /** Numbers of the first instances that have a reason of their own; known when it is decided. */
  readonly problems: readonly number[];
  /** TransferDetails as JSON: remark, intended reader, what the sender said of the patient. */
  readonly details: Sealed;
  /** The BSN that recipes refer to: the sender's, or the first an object states; null when none was found. */
  readonly bsn: Sealed | null;
  readonly uploads: readonly string[];
  /** True when a plain upload made it: then what the upload holds is the manifest. */
  readonly selfManifest: boolean;
  /** Instances found so far, and their bytes. */
  readonly instances: number;
  readonly bytes: number;
  /** Instances the sealed manifest lists; null before it is sealed. */
  readonly expected: number | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export interface IdempotencyRecord {
  readonly transfer: string;
  /** HMAC of the request's body: the same key with another body is refused. */
  readonly body: string;
  readonly at: Instant;
}

/** Frozen when a delivery is queued: what its mailbox gets. */
export interface Recipe {
  readonly version: 1;
  readonly dialect: Dialect;
}

export const deliveryStates = [
  'queued',
  'sending',
  'delivered',
  'partial',
  'failed',
  'recalled',
  'confirmed',
] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export interface DeliveryRecord {
  readonly id: string;
  readonly transfer: string;
  readonly mailbox: string;
  readonly priority: Priority;
  readonly recipe: Recipe;
  readonly state: DeliveryState;
  /** Instances the receiver holds by its own answer. */
  readonly delivered: number;
  readonly of: number;
  /** For a pulled mailbox: true when its digests are computed and it is in the inbox. */
  readonly offered: boolean;
  readonly attempts: number;
  readonly nextAttemptAt: Instant;
  /** Since when nothing got through; null when the last attempt brought something, or none was made. */
  readonly failingSince: Instant | null;
  /** The last attempt's outcome in words and code, without patient data. */
  readonly lastOutcome: string | null;
  readonly queuedAt: Instant;
  readonly updatedAt: Instant;
}
