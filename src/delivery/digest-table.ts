import { entryName, entryNameBytes, type ItemName, mediaTypeOf } from './entry-names.ts';

/** SHA-256 (32), CRC-32 (4), length (8, a double), kind (1), study, series and number (4 each). */
const crc32At = 32;
const bytesAt = crc32At + 4;
const kindAt = bytesAt + 8;
const studyAt = kindAt + 1;
const seriesAt = studyAt + 4;
const numberAt = seriesAt + 4;
const entryBytes = numberAt + 4;

export interface DeliveredDigest {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly crc32: number;
  readonly bytes: number;
}

/** Names and digests of the items of one delivery, by their positions, in one record: 57 bytes an item. */
export class DigestTable {
  readonly stored: Uint8Array;
  readonly #view: DataView;

  /** A fresh table of so many items, or a stored one. */
  constructor(of: number | Uint8Array) {
    this.stored = typeof of === 'number' ? new Uint8Array(of * entryBytes) : of;
    this.#view = new DataView(this.stored.buffer, this.stored.byteOffset, this.stored.byteLength);
  }

  get(position: number): DeliveredDigest {
    const at = position * entryBytes;
    return {
      sha256: Buffer.from(this.stored.subarray(at, at + crc32At)).toString('hex'),
      crc32: this.crc32Of(position),
      bytes: this.bytesOf(position),
    };
  }

  /** The length alone, for laying out a package of many. */
  bytesOf(position: number): number {
    return this.#view.getFloat64(position * entryBytes + bytesAt);
  }

  crc32Of(position: number): number {
    return this.#view.getUint32(position * entryBytes + crc32At);
  }

  /** `application/dicom`, or the media type of a report. */
  mediaTypeOf(position: number): string {
    return mediaTypeOf({ kind: this.#view.getUint8(position * entryBytes + kindAt) });
  }

  /** What it is called in an archive. */
  nameOf(position: number): string {
    return entryName(this.#name(position));
  }

  nameBytesOf(position: number): number {
    return entryNameBytes(this.#name(position));
  }

  setName(position: number, { kind, study, series, number }: ItemName): void {
    const at = position * entryBytes;
    this.#view.setUint8(at + kindAt, kind);
    this.#view.setUint32(at + studyAt, study);
    this.#view.setUint32(at + seriesAt, series);
    this.#view.setUint32(at + numberAt, number);
  }

  setDigest(position: number, digest: { sha256: Uint8Array; crc32: number; bytes: number }): void {
    const at = position * entryBytes;
    this.stored.set(digest.sha256, at);
    this.#view.setUint32(at + crc32At, digest.crc32);
    this.#view.setFloat64(at + bytesAt, digest.bytes);
  }

  #name(position: number): ItemName {
    const at = position * entryBytes;
    return {
      kind: this.#view.getUint8(at + kindAt),
      study: this.#view.getUint32(at + studyAt),
      series: this.#view.getUint32(at + seriesAt),
      number: this.#view.getUint32(at + numberAt),
    };
  }
}
