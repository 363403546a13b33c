import { Buffer } from 'node:buffer';
import { PackageLayout, type Run } from './layout.ts';
import { sendChunkBytes } from './limits.ts';
import { isBoundary } from './multipart.ts';
import { SourceFile, type SourceStamp } from './source-file.ts';

/** One file that a sender wants to send. */
export interface PlannedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sopInstanceUid: string;
  /** When it was last modified, in ms, as it was inspected. Without it, as the plan first sees it. */
  readonly mtimeMs?: number;
}

export interface PackagePlan {
  readonly boundary: string;
  /** In the order of the package. */
  readonly files: readonly PlannedFile[];
  /** Of the whole package: the Upload-Length. */
  readonly bytes: number;
  /** Offset of the data of `files[index]`. */
  offsetOf(index: number): number;
  /**
   * The bytes [start, end) of the package, straight from the files, in chunks of at most 256 KiB. Each
   * chunk is the receiver's own.
   *
   * Rejects SourceChanged when a file is gone, or has another size or time than when it was planned:
   * half an old and half a new file would be an instance that never was.
   */
  read(start: number, end: number): AsyncGenerator<Uint8Array>;
}

/** A boundary that is the same for the same digest, so that an interrupted upload finds its bytes again. */
export function boundaryFor(digest: Uint8Array): string {
  // 160 bits: no instance holds it by chance, and nobody has to scan gigabytes to be sure.
  return `sluis-${Buffer.from(digest.subarray(0, 20)).toString('hex')}`;
}

/**
 * Lays files out as a package. The same files give the same bytes in whatever order they are listed
 * (they are sorted by SOP Instance UID, then path), so an upload goes on at any byte after a restart
 * without a copy of the package.
 *
 * @throws RangeError for a boundary that is none
 */
export function planPackage(files: readonly PlannedFile[], boundary: string): PackagePlan {
  if (!isBoundary(boundary)) throw new RangeError('the boundary is none (RFC 2046 section 5.1.1)');
  const sorted = [...files].sort(
    (a, b) => compare(a.sopInstanceUid, b.sopInstanceUid) || compare(a.path, b.path),
  );
  const layout = new PackageLayout(boundary, sorted.length, (index) => sorted[index]?.bytes ?? -1);
  const stamps = sorted.map(
    ({ path, bytes, mtimeMs }): SourceStamp => ({ path, bytes, mtimeMs: mtimeMs ?? null }),
  );
  return {
    boundary,
    files: sorted,
    bytes: layout.total,
    offsetOf: (index) => layout.dataAt(index),
    read: (start, end) => chunked(layout.runs(start, end), stamps, end - start),
  };
}

/** By code unit, not by locale: another machine has to come to the same order. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Fills chunks with runs, so that headers and small files do not become small writes. */
async function* chunked(
  runs: Iterable<Run>,
  stamps: readonly SourceStamp[],
  bytes: number,
): AsyncGenerator<Uint8Array> {
  let left = bytes;
  let chunk = Buffer.allocUnsafeSlow(Math.min(left, sendChunkBytes));
  let filled = 0;
  const source = new SourceFile();
  try {
    for (const { of, index, from, to, frame } of runs) {
      for (let at = from; at < to; ) {
        const take = Math.min(to - at, chunk.byteLength - filled);
        const into = chunk.subarray(filled, filled + take);
        if (of === 'frame') into.write(frame.slice(at, at + take), 'latin1');
        else await source.read(stamps, index, into, at);
        at += take;
        filled += take;
        if (filled < chunk.byteLength) continue;
        // The last look at the file comes before the chunk that ends in it is out of our hands.
        await source.verify();
        yield chunk;
        left -= filled;
        filled = 0;
        chunk = Buffer.allocUnsafeSlow(Math.min(left, sendChunkBytes));
      }
    }
  } finally {
    await source.close();
  }
}
