import { crc32, deflateRawSync } from 'node:zlib';

/** Fields of a local header or of a record of the directory that are written as they are given, right or wrong. */
export interface ZipFields {
  readonly flags?: number;
  readonly method?: number;
  readonly crc32?: number;
  /** Compressed. */
  readonly compressed?: number;
  readonly bytes?: number;
  readonly name?: string | Buffer;
  /** Of the local header; in the directory alone. */
  readonly offset?: number;
  readonly extra?: Buffer;
}

export interface ZipFile {
  readonly name: string | Buffer;
  readonly data: Uint8Array;
  /** Deflated unless it is said. */
  readonly stored?: boolean;
  /** Sizes and CRC stand in a descriptor behind the data, as writers do that cannot go back. */
  readonly streamed?: boolean;
  /** Sizes and offset stand in ZIP64 fields, though they would fit. */
  readonly zip64?: boolean;
  /** What stands in place of the compressed data. */
  readonly raw?: Uint8Array;
  readonly local?: ZipFields;
  readonly central?: ZipFields;
}

export interface ZipOptions {
  readonly comment?: Buffer;
  /** Between the entries and the directory. */
  readonly gap?: Buffer;
  readonly zip64?: boolean;
  /** Fields of the end, written as they are given. */
  readonly end?: {
    readonly entries?: number;
    readonly disk?: number;
    readonly directoryBytes?: number;
    readonly directoryStart?: number;
  };
}

const UTF8 = 0x0800;
const STREAMED = 0x0008;

/** An archive by the letter of APPNOTE 6.3.10; with fields given to it, one that lies. */
export function writeZip(files: readonly ZipFile[], options: ZipOptions = {}): Buffer {
  const chunks: Buffer[] = [];
  const records: Buffer[] = [];
  let at = 0;
  const put = (chunk: Buffer): void => {
    chunks.push(chunk);
    at += chunk.byteLength;
  };
  for (const file of files) {
    const { data, stored = false, streamed = false, zip64 = false } = file;
    const compressed = Buffer.from(file.raw ?? (stored ? data : deflateRawSync(data)));
    const fields: Required<Omit<ZipFields, 'extra'>> = {
      flags: UTF8 | (streamed ? STREAMED : 0),
      method: stored ? 0 : 8,
      crc32: crc32(data),
      compressed: compressed.byteLength,
      bytes: data.byteLength,
      name: file.name,
      offset: at,
    };
    const blank = streamed ? { crc32: 0, compressed: 0, bytes: 0 } : {};
    put(localHeader({ ...fields, ...blank, ...file.local }, zip64));
    put(compressed);
    if (streamed) put(numbers([0x08074b50, 4], [fields.crc32, 4], [fields.compressed, 4], [fields.bytes, 4]));
    records.push(directoryRecord({ ...fields, ...file.central }, zip64));
  }
  if (options.gap !== undefined) put(options.gap);
  const directoryStart = at;
  for (const record of records) put(record);
  const directoryBytes = at - directoryStart;
  put(end({ entries: files.length, disk: 0, directoryBytes, directoryStart, ...options.end }, at, options));
  return Buffer.concat(chunks);
}

function localHeader(fields: Required<Omit<ZipFields, 'extra'>> & ZipFields, zip64: boolean): Buffer {
  const { flags, method, bytes, compressed } = fields;
  const name = Buffer.from(fields.name);
  const extra = fields.extra ?? (zip64 ? zip64Extra([bytes, compressed]) : Buffer.alloc(0));
  return Buffer.concat([
    numbers([0x04034b50, 4], [45, 2], [flags, 2], [method, 2], [0, 4], [fields.crc32, 4]),
    numbers([zip64 ? 0xffffffff : compressed, 4], [zip64 ? 0xffffffff : bytes, 4]),
    numbers([name.byteLength, 2], [extra.byteLength, 2]),
    name,
    extra,
  ]);
}

function directoryRecord(fields: Required<Omit<ZipFields, 'extra'>> & ZipFields, zip64: boolean): Buffer {
  const { flags, method, bytes, compressed, offset } = fields;
  const name = Buffer.from(fields.name);
  const extra = fields.extra ?? (zip64 ? zip64Extra([bytes, compressed, offset]) : Buffer.alloc(0));
  return Buffer.concat([
    numbers([0x02014b50, 4], [45, 2], [45, 2], [flags, 2], [method, 2], [0, 4], [fields.crc32, 4]),
    numbers([zip64 ? 0xffffffff : compressed, 4], [zip64 ? 0xffffffff : bytes, 4]),
    numbers([name.byteLength, 2], [extra.byteLength, 2], [0, 2], [0, 2], [0, 2], [0, 4]),
    numbers([zip64 ? 0xffffffff : offset, 4]),
    name,
    extra,
  ]);
}

interface End {
  readonly entries: number;
  readonly disk: number;
  readonly directoryBytes: number;
  readonly directoryStart: number;
}

function end(
  { entries, disk, directoryBytes, directoryStart }: End,
  at: number,
  options: ZipOptions,
): Buffer {
  const { comment = Buffer.alloc(0), zip64 = false } = options;
  const long = Buffer.concat([
    numbers([0x06064b50, 4], [44, 8], [45, 2], [45, 2], [disk, 4], [0, 4], [entries, 8], [entries, 8]),
    numbers([directoryBytes, 8], [directoryStart, 8]),
    numbers([0x07064b50, 4], [0, 4], [at, 8], [1, 4]),
  ]);
  const short = numbers(
    [0x06054b50, 4],
    [zip64 ? 0xffff : disk, 2],
    [zip64 ? 0xffff : 0, 2],
    [zip64 ? 0xffff : entries, 2],
    [zip64 ? 0xffff : entries, 2],
    [zip64 ? 0xffffffff : directoryBytes, 4],
    [zip64 ? 0xffffffff : directoryStart, 4],
    [comment.byteLength, 2],
  );
  return Buffer.concat([zip64 ? long : Buffer.alloc(0), short, comment]);
}

function zip64Extra(sizes: readonly number[]): Buffer {
  return numbers([1, 2], [sizes.length * 8, 2], ...sizes.map((size): [number, number] => [size, 8]));
}

/** Little endian, each with its bytes. */
function numbers(...fields: readonly (readonly [value: number, bytes: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([value, bytes]) => {
      const field = Buffer.alloc(8);
      field.writeBigUInt64LE(BigInt(value));
      return field.subarray(0, bytes);
    }),
  );
}
