import { PackageBroken } from './fault.ts';
import { parseMediaType } from './media-type.ts';
import { DICOM, isBoundary } from './multipart.ts';

/** What an upload holds: a package with this boundary, or one instance. */
export type Format =
  | { readonly kind: 'multipart'; readonly boundary: string }
  | { readonly kind: 'instance' };

/** Known, and for a later issue; the sentence ends `cannot be taken yet`. */
const NOT_YET: ReadonlyMap<string, string> = new Map([
  ['application/zip', 'a ZIP archive'],
  ['application/x-zip-compressed', 'a ZIP archive'],
  ['application/pdf', 'a PDF document on its own'],
  ['text/xml', 'an XML document on its own'],
  ['application/xml', 'an XML document on its own'],
  ['text/plain', 'a text on its own'],
]);

function notYet(what: string): PackageBroken {
  return new PackageBroken(
    'UNSUPPORTED',
    0,
    `${what} cannot be taken yet: send a package of DICOM instances`,
  );
}

/**
 * What the sender declares; undefined when that says nothing, and the bytes have to tell.
 *
 * @throws PackageBroken for a format that is known and not taken
 */
export function declaredFormat(filetype: string | null): Format | undefined {
  const declared = filetype === null ? undefined : parseMediaType(filetype);
  if (declared === undefined) return undefined;
  if (declared.type === DICOM) return { kind: 'instance' };
  const later = NOT_YET.get(declared.type);
  if (later !== undefined) throw notYet(later);
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

/** Tab, line ends, and what is no control character in ASCII; UTF-8 and Latin-1 are text too. */
function isText(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0x7f : byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

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
  const group = text.slice(0, 2);
  if (DATASET_STARTS.has(group)) return { kind: 'instance' };
  if (text.startsWith('%PDF-')) throw notYet('a PDF document on its own');
  if (text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06')) throw notYet('a ZIP archive');
  if (/^(?:\xef\xbb\xbf)?\s*<[?!A-Za-z]/.test(text)) throw notYet('an XML document on its own');
  if (head.every(isText)) throw notYet('a text on its own');
  throw new PackageBroken('UNSUPPORTED', 0, 'the upload is neither a package nor a DICOM instance');
}
