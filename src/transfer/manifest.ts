import type { InstanceRecord, ListedReport, ManifestRecord } from '../state/records.ts';

/** A SOP Instance UID (up to 64 characters, zeros behind), SHA-256 (32), and length (8, a double). */
const uidBytes = 64;
const sha256At = uidBytes;
const bytesAt = sha256At + 32;
const entryBytes = bytesAt + 8;

/** What the schema of the request lets through. */
const listable = /^[0-9.]{1,64}$/;

/** One listed instance. */
export interface ManifestEntry {
  readonly sopInstanceUid: string;
  readonly bytes: number;
  readonly sha256: Uint8Array;
}

/**
 * What a manifest lists, in one piece of 104 bytes an instance, in the order of the UIDs: it is looked up
 * as it is stored. As objects 100,000 of them take 40 MB, for every transfer that is being checked.
 */
export class Manifest {
  readonly entries: Uint8Array;
  readonly #table: Buffer;
  readonly #reports: ReadonlyMap<string, ListedReport>;

  constructor({ entries, reports }: Pick<ManifestRecord, 'entries' | 'reports'>) {
    this.entries = entries;
    this.#reports = new Map(reports.map((report) => [report.sha256, report]));
    this.#table = Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength);
  }

  /** Of instances in any order, no UID twice. */
  static of(instances: readonly ManifestEntry[]): Manifest {
    const table = Buffer.alloc(instances.length * entryBytes);
    const sorted = instances.toSorted((a, b) => (a.sopInstanceUid < b.sopInstanceUid ? -1 : 1));
    for (const [number, { sopInstanceUid, bytes, sha256 }] of sorted.entries()) {
      const at = number * entryBytes;
      table.write(sopInstanceUid, at, uidBytes, 'latin1');
      table.set(sha256, at + sha256At);
      table.writeDoubleBE(bytes, at + bytesAt);
    }
    return new Manifest({ entries: table, reports: [] });
  }

  get count(): number {
    return this.entries.byteLength / entryBytes;
  }

  /** Whether an instance is listed, and is the one that is meant. */
  compare({ sopInstanceUid, bytes, sha256 }: ManifestEntry): 'equal' | 'different' | 'not-listed' {
    const at = this.#find(sopInstanceUid);
    if (at === undefined) {
      return 'not-listed';
    }
    const isEqual =
      this.#table.readDoubleBE(at + bytesAt) === bytes &&
      this.#table.compare(sha256, 0, sha256.byteLength, at + sha256At, at + bytesAt) === 0;
    return isEqual ? 'equal' : 'different';
  }

  /** Reports have no UID: one is listed by its content, as what it is. */
  compareReport({ sha256, bytes, report }: InstanceRecord): 'equal' | 'not-listed' {
    const listed = this.#reports.get(Buffer.from(sha256).toString('hex'));
    const isListed = listed?.bytes === bytes && listed.mediaType === report?.mediaType;
    return isListed ? 'equal' : 'not-listed';
  }

  /** Where the entry of a UID begins. */
  #find(sopInstanceUid: string): number | undefined {
    // An object may say anything, a zero or another letter at the end of its UID too.
    if (!listable.test(sopInstanceUid)) {
      return undefined;
    }
    const uid = Buffer.alloc(uidBytes);
    uid.write(sopInstanceUid, 'latin1');
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * entryBytes;
      const order = this.#table.compare(uid, 0, uidBytes, at, at + uidBytes);
      if (order === 0) {
        return at;
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return undefined;
  }
}
