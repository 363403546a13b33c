import { stat } from 'node:fs/promises';
import { isReportType } from '../study/report.ts';
import type { Contents } from './contents.ts';
import { InputRefused } from './errors.ts';
import { digestOf } from './file-bytes.ts';
import { inspectedItems } from './inspected-items.ts';
import { unreadable } from './inspection.ts';
import { instanceFault, reportFault } from './sendable.ts';

/** A ZIP that is sent as it is. */
export interface ListedArchive {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  /** Of the ZIP itself. */
  readonly sha256: string;
}

/**
 * Adds what is in a ZIP, as the exchange finds it: the manifest is of its entries, unpacked. What goes to no
 * receiver the exchange names itself, by the same rules. `onBytes` is told of twice its bytes. Throws
 * InputRefused when it cannot be read.
 */
export async function gatherArchive(
  contents: Contents,
  path: string,
  force: boolean,
  onBytes: (bytes: number) => void,
): Promise<ListedArchive> {
  const archive = await identify(path, onBytes);
  for await (const item of inspectedItems(path, onBytes)) {
    const source = { path: `${path}: ${item.entry ?? ''}`, mtimeMs: archive.mtimeMs };
    if (item.is === 'instance') {
      const { scan, bytes, sha256 } = item.inspection;
      const fault = instanceFault(item.inspection, force);
      if (fault !== undefined) contents.refuse(source.path, fault);
      else if (scan !== undefined) contents.addInstance({ ...source, bytes, sha256, scan });
    } else if (item.is === 'report') {
      const { mediaType, bytes, sha256 } = item.inspection;
      const fault = reportFault(item.inspection);
      if (fault !== undefined) contents.refuse(source.path, fault);
      else if (isReportType(mediaType)) contents.addReport({ ...source, bytes, sha256, mediaType });
    } else if (item.is === 'broken') {
      contents.refuse(path, `${item.fault.reason}. Make the ZIP again, or unpack it and send the folder`);
    }
  }
  return archive;
}

/** Another ZIP of the same files is another upload: half of one and half of the other would be neither. */
async function identify(path: string, onBytes: (bytes: number) => void): Promise<ListedArchive> {
  try {
    const { size, mtimeMs } = await stat(path);
    const sha256 = await digestOf(path, onBytes);
    if (sha256 === undefined) throw new InputRefused(`${path} is not there any more`);
    return { path, bytes: size, mtimeMs, sha256 };
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
}
