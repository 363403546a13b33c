import { PackageBroken } from './fault.ts';
import { boundaryCharactersMax, delimiterPaddingMax, partBytesMax } from './limits.ts';
import { parseMediaType } from './media-type.ts';

export const DICOM = 'application/dicom';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DASH = 0x2d;

/** RFC 2046 section 5.1.1: bchars, not ending with a space. */
const BOUNDARY = /^[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]$/;

export function isBoundary(text: string): boolean {
  return text.length <= boundaryCharactersMax && BOUNDARY.test(text);
}

/** The Content-Type of a package with this boundary (PS3.18 section 8.7.1, RFC 2387). */
export function packageType(boundary: string): string {
  return `multipart/related; type="${DICOM}"; boundary=${boundary}`;
}

/** What stands before the `bytes` bytes of a part: delimiter and headers. CRLF follows the data. */
export function partHeader(boundary: string, bytes: number, contentType = DICOM): string {
  return `--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Length: ${bytes.toString()}\r\n\r\n`;
}

/** What stands behind the data of a part. */
export const PART_END = '\r\n';

/** What stands behind the last part. */
export function packageEnd(boundary: string): string {
  return `--${boundary}--\r\n`;
}

/** What a part's headers say. */
export interface PartHeaders {
  /** Without parameters, in lower case. */
  readonly contentType: string;
  /** Content-Length; null when it is not there. */
  readonly bytes: number | null;
}

/** No blanks beside `.*`: who may share them out in many ways tries all of them. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/;
const ONCE: ReadonlySet<string> = new Set(['content-type', 'content-length', 'content-transfer-encoding']);
const PLAIN_ENCODINGS: ReadonlySet<string> = new Set(['binary', '8bit', '7bit']);

/**
 * Reads a block of part headers, without its blank line. A part that names no type is taken for DICOM:
 * that is what `type=` of the package says of it, and the inspection sees what it is.
 *
 * @param at where the block begins in the package, for the fault
 * @throws PackageBroken for anything that two readers could understand in two ways
 */
export function parsePartHeaders(block: Uint8Array, at: number): PartHeaders {
  const malformed = (reason: string): never => {
    throw new PackageBroken('MALFORMED', at, reason);
  };
  if (block.some(isForbidden)) return malformed('the headers of a part hold a control character');
  const fields = new Map<string, string>();
  // Latin-1 maps every byte to one character; folded lines are one line (RFC 5322 section 2.2.3).
  const text = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('latin1');
  for (const line of text === '' ? [] : text.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      return malformed('a line of the headers of a part is no header');
    }
    const key = name.toLowerCase();
    if (ONCE.has(key) && fields.has(key)) return malformed(`a part has the header ${key} twice`);
    fields.set(key, withoutBlanks(value));
  }
  const encoding = fields.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
  if (!PLAIN_ENCODINGS.has(encoding)) {
    throw new PackageBroken('UNSUPPORTED', at, 'a part is not sent as it is but in a transfer encoding');
  }
  const type = parseMediaType(fields.get('content-type') ?? DICOM);
  if (type === undefined) return malformed('the Content-Type of a part cannot be read');
  return { contentType: type.type, bytes: lengthOf(fields.get('content-length'), at) };
}

/** Without blanks at both ends: spaces and tabs, and nothing else. */
function withoutBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  return text.slice(from, to);
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB;
}

/** Control characters other than tab and line ends; a stray CR or LF fails as a line that is no header. */
function isForbidden(byte: number): boolean {
  return (byte < 0x20 && byte !== TAB && byte !== CR && byte !== LF) || byte === 0x7f;
}

function lengthOf(value: string | undefined, at: number): number | null {
  if (value === undefined) return null;
  if (!/^\d{1,19}$/.test(value)) {
    throw new PackageBroken('MALFORMED', at, 'the Content-Length of a part is no number');
  }
  const bytes = Number(value);
  if (bytes > partBytesMax) {
    throw new PackageBroken(
      'TOO_LARGE',
      at,
      `a part is larger than ${(partBytesMax / 1024 ** 3).toString()} GiB`,
    );
  }
  return bytes;
}

export type DelimiterEnd =
  /** A part follows: its headers begin `bytes` behind the boundary. */
  | { readonly kind: 'next'; readonly bytes: number }
  | { readonly kind: 'close'; readonly bytes: number }
  /** Not enough bytes to tell. */
  | { readonly kind: 'more' }
  /** It was no delimiter, only something that begins like one. */
  | { readonly kind: 'none' };

/**
 * What stands behind `--boundary`: `--`, or blanks and a line end. RFC 2046 lets a longer line pass
 * too; we do not, since a nested package may have a boundary that begins with ours.
 */
export function delimiterEnd(behind: Uint8Array): DelimiterEnd {
  const [first, second] = behind;
  if (first === undefined) return { kind: 'more' };
  if (first === DASH) {
    if (second === undefined) return { kind: 'more' };
    return second === DASH ? { kind: 'close', bytes: 2 } : { kind: 'none' };
  }
  let at = 0;
  while (at <= delimiterPaddingMax && isBlank(behind[at])) at += 1;
  if (behind[at] === undefined) return at > delimiterPaddingMax ? { kind: 'none' } : { kind: 'more' };
  if (behind[at] !== CR) return { kind: 'none' };
  if (behind[at + 1] === undefined) return { kind: 'more' };
  return behind[at + 1] === LF ? { kind: 'next', bytes: at + 2 } : { kind: 'none' };
}

/** Bytes behind `--boundary` that are always enough to tell. */
export const DELIMITER_END_BYTES = delimiterPaddingMax + 2;
