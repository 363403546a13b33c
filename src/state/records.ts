/**
 * What is stored. Every record is kept as [version, record]; a change of shape raises the version of
 * the schema and adds a migration (migrations/index.ts). Absent values are null, never undefined.
 * Sealed fields are AES-256-GCM under the key file (access/key-ring.ts): what may name a person.
 */
import type { Dialect } from '../dicom/dialect.ts';
import type { ForeignElement } from '../dicom/foreign.ts';
import type { Issuer, PatientIdPolicy } from '../dicom/patch.ts';
import type { Scan } from '../dicom/scan.ts';
import type { Extent, ObjectId } from '../storage/storage.ts';
import type { SetAside } from '../study/set-aside.ts';

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
  /** What (0010,0021) says of its Patient IDs that come without an issuer; null: its id. */
  readonly issuerOfPatientId: string | null;
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
  readonly patientId: PatientIdPolicy;
  readonly nestedIdentity: NestedIdentityPolicy;
  /** Structured reports come as PDF too. */
  readonly srAsPdf: boolean;
  readonly excludeSopClasses: readonly string[];
  readonly excludeModalities: readonly string[];
}

/** What a mailbox wants done with another person's number in a nested or private sequence. */
export type NestedIdentityPolicy = 'keep-and-flag' | 'strip' | 'hold';

/** What a mailbox never gets, by SOP Class UID (0008,0016) and by Modality (0008,0060). */
export interface ObjectFilter {
  readonly sopClasses: readonly string[];
  readonly modalities: readonly string[];
}

export interface ApiKeyRecord {
  readonly id: string;
  readonly organization: string;
  readonly name: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
}

/** Where the bytes of an upload lie: in an object of its own, or in those of the uploads that it concatenates. */
export type UploadContent =
  | { readonly of: 'object'; readonly object: ObjectId }
  | {
      readonly of: 'parts';
      readonly parts: readonly UploadPart[];
      /** Upload-Concat as it came: HEAD tells it again. Null when the parts were told otherwise. */
      readonly header: string | null;
    };

/** A partial upload that a final one concatenates. */
export interface UploadPart {
  readonly upload: string;
  readonly object: ObjectId;
  /** Null until it is received. */
  readonly bytes: number | null;
}

/** A digest of RFC 9530. */
export interface RepresentationDigest {
  readonly algorithm: 'sha-256' | 'sha-512';
  readonly value: Uint8Array;
}

export interface UploadRecord {
  readonly id: string;
  readonly organization: string;
  /** Id of the API key that made it. */
  readonly creator: string;
  readonly content: UploadContent;
  /** A partial upload (tus 1.0.0, Concatenation): belongs to no transfer until a final one takes it in. */
  readonly isPartial: boolean;
  /** Upload-Length; null while deferred. */
  readonly length: number | null;
  /** `at-length`: with its last byte (tus). `when-told`: with the request that says so (Upload-Complete: ?1). */
  readonly ends: 'at-length' | 'when-told';
  /** What the sender says of the whole (Repr-Digest): it is not received before that was verified. */
  readonly digest: RepresentationDigest | null;
  /** CRC-32 of the recorded bytes behind the last whole block of the ledger (keys.blocks); null: it has none. */
  readonly blockCrc: number | null;
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
  /** `verifying`: every byte is there, and `digest` is being held against them. */
  readonly state: 'receiving' | 'verifying' | 'received';
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

/**
 * A deflated dataset, inflated once into a derived object (PS3.5 annex A.5): its first bytes as they are
 * behind preamble and file meta, and what follows deflated anew, so that the head can be patched.
 */
export interface Inflated {
  /** Preamble, file meta and the first bytes of the dataset, inflated; every edit lies in here. */
  readonly head: Extent;
  /** What follows them, as one raw deflate stream of its own. */
  readonly tail: Extent;
  /** Bytes of the whole instance with its dataset inflated. */
  readonly bytes: number;
}

/** A document that travels with the images: not an instance. */
export interface ReportFacts {
  readonly mediaType: string;
  readonly origin: 'part' | 'zip';
}

/** One item of a transfer: a DICOM instance, or a report. */
export interface InstanceRecord {
  readonly upload: string;
  /** null for a part that is not DICOM or can't be read. Of a deflated dataset: of its inflated form. */
  readonly scan: Scan | null;
  readonly sopInstanceUid: string;
  readonly extents: readonly Extent[];
  readonly bytes: number;
  readonly sha256: Uint8Array;
  /** CRC-32 as ZIP has it (ISO 3309), of all bytes; null where an earlier version did not compute it. */
  readonly crc32: number | null;
  readonly report: ReportFacts | null;
  readonly inflated: Inflated | null;
  /** Top-level elements that hold another person's identity. */
  readonly foreign: readonly ForeignElement[];
  /** Number of the item it was made from here; null for what was sent. */
  readonly derivedFrom: number | null;
  readonly verdict: 'accepted' | 'held' | 'rejected';
  readonly reasons: readonly string[];
  /** Why, in words without patient data: tag, offset and cause. */
  readonly detail: string | null;
  /** HMAC of Patient ID and issuer: instances of one patient have the same. */
  readonly patientMac: string | null;
  /** What else is said of the patient; null for what is no instance, or says nothing. */
  readonly demographics: DemographicMacs | null;
}

/** HMACs: equal for equal values and else without meaning. null for what is not given. */
export interface DemographicMacs {
  readonly birthDate: string | null;
  /** Of M or F alone. */
  readonly sex: string | null;
  /** One for each word of the name, case and diacritics folded; a bounded number. */
  readonly names: readonly string[];
}

/** A report as the manifest lists it. */
export interface ListedReport {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType: string;
}

/** An entry of a ZIP archive that is neither an instance nor a report; its sender gets a list of them. */
export interface SetAsideRecord {
  /** The entry's name, which may name a person. */
  readonly name: Sealed;
  readonly why: SetAside;
  readonly bytes: number;
}

/** What a transfer holds of one study. */
export interface StudyRecord {
  readonly instances: number;
  readonly bytes: number;
}

/** What a sender says belongs to a transfer. It alone decides what complete means. */
export interface ManifestRecord {
  /** In one piece, see transfer/manifest.ts. */
  readonly entries: Uint8Array;
  readonly reports: readonly ListedReport[];
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
  /** Items found so far, and their bytes: instances, `reports` and what was `derived` from them here. */
  readonly instances: number;
  readonly bytes: number;
  readonly reports: number;
  readonly studies: number;
  /** Items made here from others, such as the PDF of an SR; null until it is decided what is to be made. */
  readonly derived: number | null;
  /** Entries of archives that were set aside. */
  readonly setAside: number;
  /** Items the sealed manifest lists; null before it is sealed. */
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
  readonly version: 2;
  readonly dialect: Dialect;
  /** The BSN to write, sealed as `bsn`; null when none was known. */
  readonly bsn: Sealed | null;
  /** Of the sending organization: for Patient IDs that come without one. */
  readonly issuer: Issuer | null;
  readonly patientId: PatientIdPolicy;
  readonly nestedIdentity: NestedIdentityPolicy;
  readonly filter: ObjectFilter;
  /** DT, UTC: what records of changed values say, at every retry the same. */
  readonly modifiedAt: string;
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
  /** Items the receiver holds by its own answer. */
  readonly delivered: number;
  readonly of: number;
  /** Of those items, as they are stored. */
  readonly bytes: number;
  /** What was sent and this mailbox does not get: how many, by SOP Class UID; reports by media type. */
  readonly leftOut: Readonly<Record<string, number>>;
  /** Items that it got as they were sent though the recipe changes them: how many, by why (dicom/patch.ts). */
  readonly untagged: Readonly<Record<string, number>>;
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
