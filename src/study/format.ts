import { PackageBroken } from './fault.ts';
import { parseMediaType } from './media-type.ts';
import { DICOM, isBoundary } from './multipart.ts';
import { isReportType, isText } from './report.ts';

/** What an upload holds: a package with this boundary, an archive, or one item. */
export type Format =
  | { readonly kind: 'multipart'; readonly boundary: string }
  | { readonly kind: 'archive' }
  | { readonly kind: 'instance' }
  | { readonly kind: 'report'; readonly contentType: string };

const ARCHIVES: ReadonlySet<string> = new Set(['application/zip', 'application/x-zip-compressed']);

/**
 * What the sender declares; undefined when that says nothing, and the bytes have to tell.
 *
 * @throws PackageBroken for a package of another kind
 */
export function declaredFormat(filetype: string | null): Format | undefined {
  const declared = filetype === null ? undefined : parseMediaType(filetype);
  if (declared === undefined) return undefined;
  if (declared.type === DICOM) return { kind: 'instance' };
  if (ARCHIVES.has(declared.type)) return { kind: 'archive' };
  if (isReportType(declared.type)) return { kind: 'report', contentType: declared.type };
  if (!declared.type.startsWith('multipart/')) return undefined;
  const root = parseMediaType(declared.parameters.get('type') ?? DICOM)?.type;
  if (declared.type !== 'multipart/related' || root !== DICOM) {
    throw new PackageBroken('UNSUPPORTED', 0, `a package is multipart/related with type="${DICOM}"`);
  }
  const boundary = declared.parameters.get('boundary');
  if (boundary === undefined) return undefined;
  if (!isBoundary(boundary)) {
    throw new PackageBroken('MALFORMED', 0, 'the declared boundary is none (RFC 2046 section 5.1.1)');
  }
  return { kind: 'multipart', boundary };
}

/** A dataset without preamble: group 0002 or 0008 in little endian, 0008 in big endian. */
const DATASET_STARTS: ReadonlySet<string> = new Set(['\x02\x00', '\x08\x00', '\x00\x08']);

/**
 * What the first bytes look like.
 *
 * @param head the first sniffBytes of the upload, or all of it
 * @throws PackageBroken when they look like nothing that is taken
 */
export function sniffedFormat(head: Uint8Array): Format {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  if (text === '') throw new PackageBroken('EMPTY', 0, 'the upload is empty');
  if (text.startsWith('DICM', 128)) return { kind: 'instance' };
  const boundary = /^(?:\r\n)?--([^\r\n]*?)[ \t]*\r\n/.exec(text)?.[1];
  if (boundary !== undefined && isBoundary(boundary)) return { kind: 'multipart', boundary };
  if (DATASET_STARTS.has(text.slice(0, 2))) return { kind: 'instance' };
  if (text.startsWith('%PDF-')) return { kind: 'report', contentType: 'application/pdf' };
  if (text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06')) return { kind: 'archive' };
  if (/^(?:\xef\xbb\xbf)?\s*<[?!A-Za-z]/.test(text)) return { kind: 'report', contentType: 'text/xml' };
  if (head.every(isText)) return { kind: 'report', contentType: 'text/plain' };
  throw new PackageBroken(
    'UNSUPPORTED',
    0,
    'the upload is neither a package nor a DICOM instance nor a report',
  );
}
