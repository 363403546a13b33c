import { Buffer } from 'node:buffer';
import { PackageLayout, type Run } from './layout.ts';
import { sendChunkBytes } from './limits.ts';
import { DICOM, isBoundary } from './multipart.ts';
import type { ReportType } from './report.ts';
import { SourceFile, type SourceStamp } from './source-file.ts';

interface Planned {
  readonly path: string;
  readonly bytes: number;
  /** When it was last modified, in ms, as it was inspected. Without it, as the plan first sees it. */
  readonly mtimeMs?: number;
}

/** One instance that a sender wants to send. */
export interface PlannedInstance extends Planned {
  readonly sopInstanceUid: string;
}

/** One report; it has no UID, and is known by its content. */
export interface PlannedReport extends Planned {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly mediaType: ReportType;
}

export type PlannedFile = PlannedInstance | PlannedReport;

/** The bytes of an upload, read from where they lie. */
export interface Plan {
  /** Of the whole: the Upload-Length. */
  readonly bytes: number;
  /**
   * The bytes [start, end), straight from the files, in chunks of at most 256 KiB. Each chunk is the
   * receiver's own.
   *
   * Rejects SourceChanged when a file is gone, or has another size or time than when it was planned:
   * half an old and half a new file would be an instance that never was.
   */
  read(start: number, end: number): AsyncGenerator<Uint8Array>;
}

export interface PackagePlan extends Plan {
  readonly boundary: string;
  /** In the order of the package. */
  readonly files: readonly PlannedFile[];
  /** Offset of the data of `files[index]`. */
  offsetOf(index: number): number;
}

/** A boundary that is the same for the same digest, so that an interrupted upload finds its bytes again. */
export function boundaryFor(digest: Uint8Array): string {
  // 160 bits: no instance holds it by chance, and nobody has to scan gigabytes to be sure.
  return `sluis-${Buffer.from(digest.subarray(0, 20)).toString('hex')}`;
}

/**
 * Lays files out as a package, reports behind the instances. The same files give the same bytes in
 * whatever order they are listed and wherever they lie (instances are sorted by SOP Instance UID, reports
 * by SHA-256), so an upload goes on at any byte after a restart without a copy of the package.
 *
 * @throws RangeError for a boundary that is none
 */
export function planPackage(files: readonly PlannedFile[], boundary: string): PackagePlan {
  if (!isBoundary(boundary)) throw new RangeError('the boundary is none (RFC 2046 section 5.1.1)');
  const sorted = [...files].sort(
    (a, b) =>
      Number(isReport(a)) - Number(isReport(b)) || compare(nameOf(a), nameOf(b)) || compare(a.path, b.path),
  );
  const layout = new PackageLayout(
    boundary,
    sorted.length,
    (index) => sorted[index]?.bytes ?? -1,
    (index) => typeOf(sorted[index]),
  );
  const stamps = sorted.map(stampOf);
  return {
    boundary,
    files: sorted,
    bytes: layout.total,
    offsetOf: (index) => layout.dataAt(index),
    read: (start, end) => chunked(layout.runs(start, end), stamps, end - start),
  };
}

/** One file that is an upload as it lies there: an archive. */
export function planFile(file: Planned): Plan {
  const stamps = [stampOf(file)];
  return {
    bytes: file.bytes,
    read: (start, end) => chunked(wholeFile(file.bytes, start, end), stamps, end - start),
  };
}

function* wholeFile(bytes: number, start: number, end: number): Generator<Run> {
  if (!(start >= 0 && start <= end && end <= bytes)) {
    throw new RangeError(`no range from ${start.toString()} to ${end.toString()} of ${bytes.toString()}`);
  }
  yield { of: 'data', index: 0, from: start, to: end, frame: '' };
}

function stampOf({ path, bytes, mtimeMs }: Planned): SourceStamp {
  return { path, bytes, mtimeMs: mtimeMs ?? null };
}

function isReport(file: PlannedFile): file is PlannedReport {
  return 'mediaType' in file;
}

function nameOf(file: PlannedFile): string {
  return isReport(file) ? file.sha256 : file.sopInstanceUid;
}

function typeOf(file: PlannedFile | undefined): string {
  return file !== undefined && isReport(file) ? file.mediaType : DICOM;
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
