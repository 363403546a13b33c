/** SHA-256 (32), CRC-32 (4) and length (8, a double) of each instance that a mailbox gets. */
const entryBytes = 44;

export interface DeliveredDigest {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly crc32: number;
  readonly bytes: number;
}

/** The digests of one delivery in one record: 44 bytes an instance. */
export class DigestTable {
  readonly stored: Uint8Array;
  readonly #view: DataView;

  /** A fresh table of so many instances, or a stored one. */
  constructor(of: number | Uint8Array) {
    this.stored = typeof of === 'number' ? new Uint8Array(of * entryBytes) : of;
    this.#view = new DataView(this.stored.buffer, this.stored.byteOffset, this.stored.byteLength);
  }

  get(number: number): DeliveredDigest {
    const at = number * entryBytes;
    return {
      sha256: Buffer.from(this.stored.subarray(at, at + 32)).toString('hex'),
      crc32: this.#view.getUint32(at + 32),
      bytes: this.bytesOf(number),
    };
  }

  /** The length alone, for laying out a package of many. */
  bytesOf(number: number): number {
    return this.#view.getFloat64(number * entryBytes + 36);
  }

  set(number: number, digest: { sha256: Uint8Array; crc32: number; bytes: number }): void {
    const at = number * entryBytes;
    this.stored.set(digest.sha256, at);
    this.#view.setUint32(at + 32, digest.crc32);
    this.#view.setFloat64(at + 36, digest.bytes);
  }
}
