import type { ReportFault } from './report.ts';

/** What stands before the content of an XML document. */
export interface Prolog {
  readonly charset: 'utf-8' | 'windows-1252';
  /** The name of the root element, with its prefix. */
  readonly root: string;
}

/** Encodings of which the markup is ASCII, so that it can be read here as it is. */
const CHARSETS: ReadonlyMap<string, Prolog['charset']> = new Map([
  ['utf-8', 'utf-8'],
  ['us-ascii', 'utf-8'],
  ['iso-8859-1', 'windows-1252'],
  ['windows-1252', 'windows-1252'],
]);

const DECLARATION = /^<\?xml\s[^<>]*\?>/;
const ENCODING = /\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']/;
/** The start of an element: its name, and something that ends a name. */
const ROOT = /^<([\p{L}_:][\p{L}\p{N}_:.-]{0,255})[\s/>]/u;

/**
 * Reads up to the root element of an XML document (XML 1.0, 2.8): declaration, comments, instructions.
 *
 * A DOCTYPE is refused in whatever form: none of ours is valid against one, and it is where entities
 * come from that grow without end, or that a receiver's parser fetches from somewhere. Nothing is expanded here.
 *
 * @param head the first bytes of the document, enough to hold the start of its root
 */
export function readProlog(head: Uint8Array): Prolog | ReportFault {
  if (head.subarray(0, 4).some((byte) => byte === 0) || head[0] === 0xfe || head[0] === 0xff) {
    return unsupported('the XML is written in UTF-16 or UTF-32; send it in UTF-8');
  }
  const text = new TextDecoder('utf-8').decode(head);
  const declaration = DECLARATION.exec(text)?.[0] ?? '';
  const charset = CHARSETS.get(ENCODING.exec(declaration)?.[1]?.toLowerCase() ?? 'utf-8');
  if (charset === undefined)
    return unsupported('the XML is in an encoding that is not taken; send it in UTF-8');
  let rest = text.slice(declaration.length).trimStart();
  while (rest.startsWith('<!--') || rest.startsWith('<?')) {
    const end = rest.startsWith('<?') ? '?>' : '-->';
    const at = rest.indexOf(end, end.length);
    if (at < 0) return malformed('the XML has no root element where one should begin');
    rest = rest.slice(at + end.length).trimStart();
  }
  if (/^<!DOCTYPE/i.test(rest)) return unsupported('the XML has a document type declaration (DOCTYPE)');
  const root = ROOT.exec(rest)?.[1];
  return root === undefined
    ? malformed('the XML has no root element where one should begin')
    : { charset, root };
}

function malformed(reason: string): ReportFault {
  return { code: 'MALFORMED', reason };
}

function unsupported(reason: string): ReportFault {
  return { code: 'UNSUPPORTED', reason };
}
