/**
 * The whole key space of the exchange's LMDB on one page. Each table is a named database of its own;
 * keys are ordered-binary tuples, so a prefix lists in order. Ids are UUIDv7: they sort by time.
 */
import type {
  ApiKeyRecord,
  DeliveryRecord,
  FollowRecord,
  IdempotencyRecord,
  InstanceRecord,
  MailboxRecord,
  ManifestRecord,
  OrganizationRecord,
  SetAsideRecord,
  StudyRecord,
  TransferRecord,
  UploadRecord,
} from './records.ts';

export type KeyPart = string | number;
export type Key = KeyPart | readonly KeyPart[];

/** A table's name in the environment and the type of its records. */
export interface Table<K extends Key, V> {
  readonly name: string;
  /** Never set: carries the types. */
  readonly types?: { readonly key: K; readonly value: V };
}

const table = <K extends Key, V>(name: string): Table<K, V> => ({ name });

export const keys = {
  /**
   * 'schema' → number of the last migration; 'key-check' → look-up value that only the right key file makes;
   * 'storage-known' → 1 once the storage beside these records was looked through
   */
  meta: table<string, string | number>('meta'),

  /** organization id → record */
  organizations: table<string, OrganizationRecord>('organizations'),
  /** mailbox id → record */
  mailboxes: table<string, MailboxRecord>('mailboxes'),
  /** SHA-256 of the token, hex → record */
  apiKeys: table<string, ApiKeyRecord>('api-keys'),

  /** upload id → record */
  uploads: table<string, UploadRecord>('uploads'),
  /** partial upload → the final ones that refer to its object, which lives as long as one of them or its own record */
  finalsOf: table<string, readonly string[]>('finals-of'),
  /** [upload, row] → CRC-32 (4 bytes each, big endian) of its blocks, `blocksPerRow` in a row (upload/ledger.ts) */
  blocks: table<readonly [string, number], Uint8Array>('blocks'),
  /** upload id → when it was received: written in that very commit, removed when its transfer has taken note */
  outbox: table<string, number>('outbox'),
  /** upload id → how far its content is known */
  follows: table<string, FollowRecord>('follows'),

  /** transfer id → record */
  transfers: table<string, TransferRecord>('transfers'),
  /** [organization, transfer] → role: whose lists a transfer is in */
  transfersOf: table<readonly [string, string], 'sender' | 'receiver'>('transfers-of'),
  /** [organization, HMAC of the Idempotency-Key] → what it made */
  idempotency: table<readonly [string, string], IdempotencyRecord>('idempotency'),
  /** transfer id → sealed manifest */
  manifests: table<string, ManifestRecord>('manifests'),
  /** [transfer, number] → instance; numbers count from 0 in the order they were found */
  instances: table<readonly [string, number], InstanceRecord>('instances'),
  /** [transfer, name of an item (state/item-name.ts)] → number: of the first that came under it */
  instanceNumbers: table<readonly [string, string], number>('instance-numbers'),
  /** [transfer, SOP Instance UID, SHA-256 hex] → number: what else came under the UID, with other content */
  twins: table<readonly [string, string, string], number>('twins'),
  /** [transfer, Study Instance UID] → what it holds of that study */
  studies: table<readonly [string, string], StudyRecord>('studies'),
  /** [transfer, number] → an entry of an archive that was set aside */
  setAside: table<readonly [string, number], SetAsideRecord>('set-aside'),
  /** [transfer, object] → whether an item refers to the derived object, or it is only being made */
  derivedObjects: table<readonly [string, string], 'making' | 'kept'>('derived-objects'),

  /** delivery id → record */
  deliveries: table<string, DeliveryRecord>('deliveries'),
  /** [transfer, delivery] → mailbox */
  deliveriesOf: table<readonly [string, string], string>('deliveries-of'),
  /** [mailbox, priority rank, delivery] → 1: what a lane still has to do, in order */
  lanes: table<readonly [string, number, string], number>('lanes'),
  /** The same → 1: those of them that are not offered, which for a pulled mailbox are to be prepared */
  unoffered: table<readonly [string, number, string], number>('unoffered'),
  /** delivery id → which items of the transfer it holds (delivery/selection.ts); absent: all */
  selections: table<string, Uint8Array>('selections'),
  /** delivery id → one byte per item, by its position in the delivery (delivery/ledger.ts) */
  ledgers: table<string, Uint8Array>('ledgers'),
  /** delivery id → name, digests and length of each item as this mailbox gets it (delivery/digest-table.ts) */
  digests: table<string, Uint8Array>('digests'),
} as const;
