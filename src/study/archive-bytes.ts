import { type Entry, RandomAccessReader, ZipFile } from 'yauzl';
import { PackageBroken } from './fault.ts';
import type { Peek } from './peek.ts';

/** What yauzl reads from: a stretch of an upload. */
class ArchiveBytes extends RandomAccessReader {
  readonly #peek: Peek;
  readonly #ahead: number;
  /** What the storage threw: no fault of the archive. */
  failure: Error | undefined;

  constructor(peek: Peek, ahead: number) {
    super();
    this.#peek = peek;
    this.#ahead = ahead;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#peek.at(position, length, Math.max(length, this.#ahead)).then(
      (bytes) => {
        if (bytes.byteLength < length) return callback(new Error('read beyond the end'));
        buffer.set(bytes.subarray(0, length), offset);
        callback(null);
      },
      (thrown: unknown) => {
        this.failure = thrown instanceof Error ? thrown : new Error('a read failed', { cause: thrown });
        callback(this.failure);
      },
    );
  }
}

/** An archive opened at one of the records of its central directory. */
export interface Directory {
  readonly zip: ZipFile;
  /** What was thrown while the archive was read, as a fault of it; what the storage threw, as it is. */
  readonly broken: (thrown: unknown, at: number) => Error;
}

/**
 * yauzl over the bytes of an upload up to `peek.published`, which is where data of entries has to end.
 *
 * It neither decodes names (it would refuse some of them, with the name in the message) nor looks for
 * the end of the archive (it takes the first it finds): see archive-end.ts.
 */
export function openArchive(peek: Peek, ahead: number, cursor: number, entries: number): Directory {
  const reader = new ArchiveBytes(peek, ahead);
  const zip = new ZipFile(reader, cursor, peek.published, entries, '', false, true, false, true);
  const broken = (thrown: unknown, at: number): Error => {
    if (reader.failure !== undefined) return reader.failure;
    if (thrown instanceof PackageBroken) return thrown;
    // Its messages may hold names, so none is passed on.
    return thrown instanceof Error && thrown.message.includes('encryption')
      ? encrypted(at)
      : new PackageBroken('MALFORMED', at, 'an entry of the archive cannot be read');
  };
  return { zip, broken };
}

function encrypted(at: number): PackageBroken {
  return new PackageBroken('UNSUPPORTED', at, 'the archive is encrypted: send it without a password');
}

/** Flags of APPNOTE 4.4.4 under which the bytes of an entry are not what its method says. */
const ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
const PATCH = 0x0020;
export const UNREADABLE = ENCRYPTED | PATCH;
const STORED = 0;
const DEFLATED = 8;

/**
 * How the data of an entry is kept.
 *
 * @throws PackageBroken for anything but stored and deflated, and for what is encrypted
 */
export function methodOf({
  compressionMethod,
  generalPurposeBitFlag,
  relativeOffsetOfLocalHeader: at,
}: Pick<Entry, 'compressionMethod' | 'generalPurposeBitFlag' | 'relativeOffsetOfLocalHeader'>):
  | 'stored'
  | 'deflated' {
  if ((generalPurposeBitFlag & ENCRYPTED) !== 0) throw encrypted(at);
  if ((generalPurposeBitFlag & PATCH) === 0) {
    if (compressionMethod === STORED) return 'stored';
    if (compressionMethod === DEFLATED) return 'deflated';
  }
  throw new PackageBroken(
    'UNSUPPORTED',
    at,
    'an entry of the archive is compressed in another way than deflate (Windows does so above 2 GiB): send it stored',
  );
}
