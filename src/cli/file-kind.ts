import { basename } from 'node:path';
import { classify } from '../study/classify.ts';
import { PackageBroken } from '../study/fault.ts';
import { type Format, sniffedFormat } from '../study/format.ts';
import { entryStartBytes, sniffBytes } from '../study/limits.ts';
import type { ReportType } from '../study/report.ts';
import { setAsideText } from '../study/set-aside.ts';
import { readFully } from './file-bytes.ts';
import type { FoundFile } from './found-files.ts';
import { withFile } from './inspection.ts';

/** What a file is to who wants to send it. */
export type FileKind =
  | { readonly is: 'instance' }
  | { readonly is: 'report'; readonly mediaType: ReportType }
  /** A ZIP that stood on the command line. */
  | { readonly is: 'archive' }
  | { readonly is: 'other'; readonly why: string };

/** What is a report when a person names it, by how it begins and what it is called. */
const MEANT: readonly (readonly [ReportType, RegExp])[] = [
  ['application/pdf', /./u],
  ['text/xml', /\.xml$/iu],
  ['text/plain', /\.txt$/iu],
];

/**
 * What a file is, by its first bytes and its name: in a folder as the exchange takes an entry of a ZIP.
 * One on the command line is no litter, so that there a `readme.txt` is a report, and a ZIP is one under any name.
 *
 * @param name below the PATH that it was found by, with `/` between folders
 * @throws InputRefused when it cannot be read
 */
export async function kindOf({ path, named, bytes }: FoundFile, name: string): Promise<FileKind> {
  const head = await withFile(path, async (file) => {
    const buffer = Buffer.alloc(Math.min(bytes, entryStartBytes));
    return buffer.subarray(0, await readFully(file, buffer, 0, buffer.byteLength));
  });
  const found = classify(name, bytes, head);
  const format = sniffed(head);
  const isZip = format?.kind === 'archive';
  if (named && isZip && (found.kind !== 'set-aside' || found.why === 'archive')) return { is: 'archive' };
  if (found.kind === 'instance') return { is: 'instance' };
  if (found.kind === 'report') return { is: 'report', mediaType: found.contentType };
  const meant = named ? meantReport(basename(path), format) : undefined;
  if (meant !== undefined) return { is: 'report', mediaType: meant };
  if (found.why !== 'archive') return { is: 'other', why: setAsideText[found.why].en };
  return {
    is: 'other',
    why: `an archive, which is not opened; unpack it${isZip ? ' or send it alone' : ''}`,
  };
}

function meantReport(name: string, format: Format | undefined): ReportType | undefined {
  if (format?.kind !== 'report') return undefined;
  return MEANT.find(([type, called]) => type === format.contentType && called.test(name))?.[0];
}

/** As the exchange takes an upload of which nobody said what it is; undefined for what it does not take. */
function sniffed(head: Uint8Array): Format | undefined {
  try {
    return sniffedFormat(head.subarray(0, sniffBytes));
  } catch (thrown) {
    if (thrown instanceof PackageBroken) return undefined;
    throw thrown;
  }
}
