import { type FileHandle, open } from 'node:fs/promises';
import type { Identity } from '../dicom/identity.ts';
import type { Scan } from '../dicom/scan.ts';
import { asError, SluisError } from '../ops/error.ts';
import { isOurFault } from '../transfer/finding.ts';
import type { ReasonCode } from '../transfer/reasons.ts';
import { reasonsOf } from '../transfer/verdict.ts';
import { Inspector } from '../work/inspector.ts';
import { type Inspection as Found, isDeflated } from '../work/jobs.ts';
import { InputRefused } from './errors.ts';
import { pieces } from './file-bytes.ts';
import { readInflated } from './inflated.ts';

/** What one instance is. Holds patient data in `identity`: not for printing. */
export interface Inspection {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  /** Hexadecimal; of the bytes as they lie there. */
  readonly sha256: string;
  /** Absent when the head cannot be read. Of a deflated dataset: of its inflated form. */
  readonly scan: Scan | undefined;
  readonly identity: Identity | undefined;
  readonly reasons: readonly ReasonCode[];
  /** Tag, byte and cause of what makes it held or rejected; '' otherwise. */
  readonly detail: string;
}

/**
 * Reads a file once (a deflated one three times), whatever its size in pieces of 1 MiB: scans its head,
 * walks its dataset to the end, hashes all of it. `onBytes` is told of each piece. Bytes that are no DICOM
 * are a result, not an error; throws InputRefused when the file cannot be read or changes meanwhile.
 */
export async function inspectFile(path: string, onBytes: (bytes: number) => void): Promise<Inspection> {
  return await withFile(path, async (file) => {
    const { size, mtimeMs } = await file.stat();
    const inspector = new Inspector(size);
    let read = 0;
    for await (const piece of pieces(file, 0, size)) {
      inspector.feed(piece);
      read += piece.byteLength;
      onBytes(piece.byteLength);
    }
    const found = read === size ? await foundBy(inspector, path, size) : undefined;
    const after = await file.stat();
    if (found === undefined || after.size !== size || after.mtimeMs !== mtimeMs) {
      throw new InputRefused(`${path} is still being written to; run again when it is complete`);
    }
    return { path, bytes: size, mtimeMs, ...judged(found) };
  });
}

async function foundBy(inspector: Inspector, path: string, bytes: number): Promise<Found> {
  const found = inspector.finish();
  return isDeflated(found) ? await readInflated([{ path, start: 0, bytes }]) : found;
}

/** What the exchange would say of it. `isDamaged`: its bytes are not those whose checksum came with them. */
export function judged(inspection: Found, isDamaged = false): Omit<Inspection, 'path' | 'bytes' | 'mtimeMs'> {
  const { scan, identity, sha256, error } = inspection;
  const codes = isOurFault(inspection)
    ? (['INSPECTION_FAILED'] as const)
    : reasonsOf({ scan, identity, fault: error?.code });
  return {
    sha256: Buffer.from(sha256).toString('hex'),
    scan,
    identity,
    reasons: isDamaged ? ['CHECKSUM_DIFFERS', ...codes] : codes,
    detail: detailOf(inspection),
  };
}

function detailOf({ scan, error }: Found): string {
  if (error !== undefined) return `${error.tag} at byte ${error.offset.toString()}: ${error.reason}`.trim();
  if (scan?.sopInstanceUid !== '') return '';
  return `0008,0018 at byte ${scan.datasetAt.toString()}: the dataset from there on has no SOP Instance UID`;
}

/** Opens a file, and says of what goes wrong which file it was. */
export async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    return await use(file);
  } catch (thrown) {
    throw unreadable(path, thrown);
  } finally {
    await file?.close();
  }
}

/** What goes wrong with a file that is read, as an error that names it. */
export function unreadable(path: string, thrown: unknown): SluisError {
  if (thrown instanceof SluisError) return thrown;
  return new InputRefused(`${path} cannot be read: ${asError(thrown).message}`, { cause: thrown });
}
