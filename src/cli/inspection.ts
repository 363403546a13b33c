import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { DatasetWalk } from '../dicom/completeness.ts';
import { DicomError } from '../dicom/error.ts';
import { type Identity, identify } from '../dicom/identity.ts';
import { IDENTITY_BYTES } from '../dicom/limits.ts';
import { type Scan, scan } from '../dicom/scan.ts';
import { asError } from '../ops/error.ts';
import type { ReasonCode } from '../transfer/reasons.ts';
import { reasonsOf } from '../transfer/verdict.ts';
import { InputRefused } from './errors.ts';
import { pieces, readFully } from './file-bytes.ts';

/** What one file is. Holds patient data in `identity`: not for printing. */
export interface Inspection {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Absent when the head cannot be read. */
  readonly scan: Scan | undefined;
  readonly identity: Identity | undefined;
  readonly reasons: readonly ReasonCode[];
  /** Tag, byte and cause of what makes it held or rejected; '' otherwise. */
  readonly detail: string;
}

/**
 * Reads a file once, whatever its size in pieces of 1 MiB: scans its head, walks its dataset to the
 * end, hashes all of it. `onBytes` is told of each piece. Bytes that are no DICOM are a result, not an
 * error; throws InputRefused when the file cannot be read or changes meanwhile.
 */
export async function inspectFile(path: string, onBytes: (bytes: number) => void): Promise<Inspection> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    return await inspectOpened(file, path, onBytes);
  } catch (thrown) {
    if (thrown instanceof InputRefused) throw thrown;
    throw new InputRefused(`${path} cannot be read: ${asError(thrown).message}`, { cause: thrown });
  } finally {
    await file?.close();
  }
}

async function inspectOpened(
  file: FileHandle,
  path: string,
  onBytes: (bytes: number) => void,
): Promise<Inspection> {
  const { size, mtimeMs } = await file.stat();
  const head = await readHead(file, size);
  const walk = head.scan === undefined ? undefined : new DatasetWalk(head.scan, size);
  const hash = createHash('sha256');
  const take = (piece: Uint8Array): void => {
    hash.update(piece);
    walk?.feed(piece);
    onBytes(piece.length);
  };
  take(head.window);
  for await (const piece of pieces(file, head.window.length, size)) take(piece);

  const after = await file.stat();
  if (after.size !== size || after.mtimeMs !== mtimeMs) {
    throw new InputRefused(`${path} is still being written to; run again when it is complete`);
  }
  const end = walk?.end();
  const identity = head.scan === undefined ? undefined : identify(head.window, head.scan);
  const fault = head.fault ?? (end?.complete === false ? end : undefined);
  return {
    path,
    bytes: size,
    mtimeMs,
    sha256: hash.digest('hex'),
    scan: head.scan,
    identity,
    reasons: reasonsOf({ scan: head.scan, identity, fault: fault?.code }),
    detail:
      fault === undefined ? '' : `${fault.tag} at byte ${fault.offset.toString()}: ${fault.reason}`.trim(),
  };
}

interface Head {
  /** The first bytes, as many as the scan wanted. */
  readonly window: Uint8Array;
  readonly scan: Scan | undefined;
  readonly fault: DicomError | undefined;
}

async function readHead(file: FileHandle, size: number): Promise<Head> {
  // As the exchange begins, so that both find the same.
  for (let wanted = Math.min(IDENTITY_BYTES, size); ; ) {
    const buffer = Buffer.allocUnsafe(wanted);
    const window = buffer.subarray(0, await readFully(file, buffer, 0, wanted));
    try {
      const found = scan(window, size);
      if (!('need' in found)) return { window, scan: found, fault: undefined };
      // A file that shrank meanwhile would ask for the same bytes for ever; the stat afterwards names it.
      if (window.length < wanted) return { window, scan: undefined, fault: undefined };
      wanted = found.need;
    } catch (thrown) {
      if (!(thrown instanceof DicomError)) throw thrown;
      return { window, scan: undefined, fault: thrown };
    }
  }
}
