import { isText, type ReportType } from './report.ts';
import type { SetAside } from './set-aside.ts';
import { readProlog } from './xml-prolog.ts';

/** What a file is taken for. */
export type Classified =
  | { readonly kind: 'instance' }
  | { readonly kind: 'report'; readonly contentType: ReportType }
  | { readonly kind: 'set-aside'; readonly why: SetAside };

const INSTANCE: Classified = { kind: 'instance' };

function report(contentType: ReportType): Classified {
  return { kind: 'report', contentType };
}

function aside(why: SetAside): Classified {
  return { kind: 'set-aside', why };
}

/** Names that say DICOM by themselves: what is none in there is a broken instance. */
const DICOM_NAME = /\.(?:dcm|dcm30|dicom|ima)$/i;
/** Names as modalities give them on discs (IM000001) and as archives do (the UID, perhaps behind a modality). */
const DICOM_LIKE_NAME =
  /^(?:(?:i|im|img|image|sr|pr|ct|mr|cr|dx|us|xa|mg|nm|pt|se)[-_]?\d{1,12}|(?:[a-z]{2,4}[._-]?)?[0-2](?:\.\d{1,39}){4,})$/i;
const DIRECTORY_NAME = /^dicomdir(?:\.dcm)?$/i;

const SYSTEM_NAME = /^(?:\._.*|\.ds_store|thumbs\.db|ehthumbs(?:_vista)?\.db|desktop\.ini|\.directory)$/i;
const SYSTEM_FOLDER =
  /(?:^|\/)(?:__macosx|\.spotlight-v100|\.trashes|\.fseventsd|\$recycle\.bin|system volume information)\//i;

const VIEWER_FOLDER = /\.app\//i;
const VIEWER_NAME =
  /\.(?:exe|dll|inf|jar|com|bat|cmd|vbs|ps1|sh|msi|sys|ocx|ico|cur|html?|xhtml|css|m?js|map|json|chm|hlp|class|so|dylib|properties|ini|cfg|conf|config|manifest|plist|nib|swf|[ot]tf|woff2?|xslt?|xsd|dtd|lnk|url|pdb|mui|lng|qm)$/i;
/** What stands beside a viewer for people to read. */
const VIEWER_TEXT =
  /^(?:read[-_ ]?me|lees[-_ ]?mij|licen[cs]e|licentie|autorun|index|version|changelog|copying|copyright|notice|eula|third[-_ ]?party)/i;
const VIEWER_MANUAL =
  /^(?:read[-_ ]?me|lees[-_ ]?mij|licen[cs]e|licentie|eula|manual|user[-_ ]?(?:guide|manual)|(?:gebruikers)?handleiding)/i;

const PICTURE_NAME =
  /\.(?:jpe?g|jp2|png|gif|bmp|tiff?|webp|heic|svg|avi|mp4|m4v|mov|mpe?g|wmv|mkv|wav|mp3)$/i;
const DOCUMENT_NAME = /\.(?:docx?|dotx?|rtf|od[tsp]|xlsx?|pptx?|csv|xml|md|log|hl7|eml|msg|pages)$/i;
const ARCHIVE_NAME = /\.(?:zip|rar|7z|gz|tgz|tar|bz2|xz|cab|iso)$/i;
/** What is no PDF in there is a broken report. */
const PDF_NAME = /\.pdf$/i;
const TEXT_NAME = /\.txt$/i;

/** Beginnings that settle it where the rest is no text, whatever the name is; Latin-1. */
const BEGINNINGS: readonly (readonly [string, SetAside])[] = [
  ['\0\x05\x16\x07', 'system-file'],
  ['\0\x05\x16\0', 'system-file'],
  ['MZ', 'viewer'],
  ['\x7fELF', 'viewer'],
  ['\xca\xfe\xba\xbe', 'viewer'],
  ['\xcf\xfa\xed\xfe', 'viewer'],
  ['PK\x03\x04', 'archive'],
  ['PK\x05\x06', 'archive'],
  ['\x1f\x8b', 'archive'],
  ['Rar!', 'archive'],
  ['7z\xbc\xaf', 'archive'],
  ['\xff\xd8\xff', 'picture'],
  ['\x89PNG', 'picture'],
  ['GIF8', 'picture'],
  ['II*\0', 'picture'],
  ['MM\0*', 'picture'],
  ['\xd0\xcf\x11\xe0', 'document'],
];

/**
 * What a file of an archive is, by its first bytes and its name. A preamble with DICM is DICOM under any
 * name; what is DICOM by its name alone stays an instance, so that a broken one is held and does not get
 * lost; and whatever else is no report is set aside and said to the sender, and fails nothing.
 *
 * @param name with `/` between folders; never kept, never a path
 * @param bytes of the whole file
 * @param head its first bytes, up to entryStartBytes; undefined when they cannot be inflated
 */
export function classify(name: string, bytes: number, head: Uint8Array | undefined): Classified {
  const base = name.slice(name.lastIndexOf('/') + 1);
  const text = latin1(head ?? new Uint8Array(0));
  if (text.startsWith('DICM', 128)) return isDirectory(base, text) ? aside('directory-record') : INSTANCE;
  if (DIRECTORY_NAME.test(base)) return aside('directory-record');
  if (SYSTEM_NAME.test(base) || SYSTEM_FOLDER.test(name)) return aside('system-file');
  const beginning = head?.every(isText)
    ? undefined
    : BEGINNINGS.find(([start]) => text.startsWith(start))?.[1];
  if (beginning === 'system-file') return aside(beginning);
  if (DICOM_NAME.test(base)) return INSTANCE;
  if (bytes === 0 && !DICOM_LIKE_NAME.test(base) && !PDF_NAME.test(base)) return aside('empty');
  const byName = nameSays(name, base);
  if (head === undefined) return unreadable(base) ?? byName ?? INSTANCE;
  if (VIEWER_FOLDER.test(name)) return aside('viewer');
  // A Word document and a program in Java are archives too.
  if (beginning === 'archive' && byName?.kind === 'set-aside') return byName;
  if (beginning !== undefined) return aside(beginning);
  const found = contentSays(base, head, text) ?? byName;
  if (found !== undefined) return found;
  if (beginsDataset(head, bytes) || DICOM_LIKE_NAME.test(base)) return INSTANCE;
  return aside(VIEWER_TEXT.test(base) && head.every(isText) ? 'viewer' : 'unknown');
}

/** A report by its name that cannot be inflated: as a report it is held, and does not get lost. */
function unreadable(base: string): Classified | undefined {
  if (PDF_NAME.test(base)) return report('application/pdf');
  if (/\.xml$/i.test(base)) return report('text/xml');
  return TEXT_NAME.test(base) && !VIEWER_TEXT.test(base) ? report('text/plain') : undefined;
}

/** By what only a name can tell. */
function nameSays(name: string, base: string): Classified | undefined {
  if (VIEWER_FOLDER.test(name) || VIEWER_NAME.test(base)) return aside('viewer');
  if (PICTURE_NAME.test(base)) return aside('picture');
  if (ARCHIVE_NAME.test(base)) return aside('archive');
  return DOCUMENT_NAME.test(base) ? aside('document') : undefined;
}

function contentSays(base: string, head: Uint8Array, text: string): Classified | undefined {
  if (PDF_NAME.test(base) || text.startsWith('%PDF-')) {
    return VIEWER_MANUAL.test(base) ? aside('viewer') : report('application/pdf');
  }
  if (/^(?:\xef\xbb\xbf)?\s*<[?!A-Za-z]/.test(text)) return markup(base, head, text);
  if (!TEXT_NAME.test(base)) return undefined;
  if (!head.every(isText)) return aside('document');
  return VIEWER_TEXT.test(base) ? aside('viewer') : report('text/plain');
}

function markup(base: string, head: Uint8Array, text: string): Classified {
  if (VIEWER_NAME.test(base) || /<(?:!doctype\s+)?html[\s>]/i.test(text)) return aside('viewer');
  const prolog = readProlog(head);
  const isCda = 'root' in prolog && /^(?:.*:)?ClinicalDocument$/.test(prolog.root);
  return isCda ? report('text/xml') : aside('document');
}

/**
 * True for a dataset without preamble (PS3.5 section 7.1): an element of group 0002 or 0008 with a VR, in either byte
 * order, or one without (implicit, little endian) for whose length there is room.
 */
function beginsDataset(head: Uint8Array, bytes: number): boolean {
  if (head.byteLength < 8) return false;
  const first = new DataView(head.buffer, head.byteOffset, 8);
  const group = first.getUint16(0, true);
  if (/^[A-Z]{2}$/.test(latin1(head.subarray(4, 6)))) return group === 2 || group === 8 || group === 0x0800;
  return group === 8 && first.getUint32(4, true) + 8 <= bytes;
}

/** Media Storage Directory Storage, the SOP class of a DICOMDIR (PS3.10 section 8.6). */
const DIRECTORY_CLASS = '1.2.840.10008.1.3.10';

/** The class stands in the file meta (PS3.10 section 7.1), which is explicit and little endian always. */
function isDirectory(base: string, text: string): boolean {
  if (DIRECTORY_NAME.test(base)) return true;
  const at = text.indexOf('\x02\0\x02\0UI', 132);
  return (
    at >= 0 && text.slice(at + 8, at + 8 + text.charCodeAt(at + 6)).replace(/[\0 ]+$/, '') === DIRECTORY_CLASS
  );
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
