import { decodeWindows1252 } from '../../dicom/charset.ts';
import { readProlog } from '../xml-prolog.ts';
import { ReportUnreadable } from './fault.ts';
import { xmlDepthMax, xmlElementsMax } from './limits.ts';

export interface XmlElement {
  /** Without the prefix of its namespace. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: (XmlElement | string)[];
}

const NAME = `[^\\s<>/=&"']{1,256}`;
const START = new RegExp(`<(${NAME})`, 'y');
const ATTRIBUTE = new RegExp(`\\s+(${NAME})\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`, 'y');
const START_END = /\s*(\/?)>/y;
const END = new RegExp(`</(${NAME})\\s*>`, 'y');
const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));/y;
const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/**
 * Reads an XML document (XML 1.0) into a tree. There is nothing in it that could grow or be fetched: a DOCTYPE,
 * and so every entity but the five that XML itself has, is a fault, as is whatever is not well-formed.
 *
 * @throws ReportUnreadable with a reason that holds no text of the document
 */
export function readXml(bytes: Uint8Array): XmlElement {
  const prolog = readProlog(bytes);
  if (!('root' in prolog)) throw new ReportUnreadable(prolog.reason);
  let text: string;
  try {
    text =
      prolog.charset === 'utf-8'
        ? new TextDecoder('utf-8', { fatal: true }).decode(bytes)
        : decodeWindows1252(bytes);
  } catch {
    throw new ReportUnreadable('the XML holds bytes that its encoding does not have');
  }
  return new Reader(text).document();
}

class Reader {
  readonly #text: string;
  /** The elements that are open, with their names as written. */
  readonly #open: { readonly written: string; readonly element: XmlElement }[] = [];
  #at = 0;
  #elements = 0;
  #root: XmlElement | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  document(): XmlElement {
    while (this.#at < this.#text.length) this.#step();
    if (this.#root === undefined || this.#open.length > 0) throw this.#fault('it ends before its root does');
    return this.#root;
  }

  #step(): void {
    const text = this.#text;
    const at = this.#at;
    if (text[at] !== '<') {
      const end = text.indexOf('<', at);
      this.#at = end < 0 ? text.length : end;
      this.#add(this.#resolved(text.slice(at, this.#at)));
    } else if (text.startsWith('<!--', at)) {
      this.#past('-->', 4);
    } else if (text.startsWith('<?', at)) {
      this.#past('?>', 2);
    } else if (text.startsWith('<![CDATA[', at)) {
      this.#add(this.#past(']]>', 9));
    } else if (text.startsWith('</', at)) {
      this.#end();
    } else {
      this.#start();
    }
  }

  /** What stands before `mark`, which ends what begins here with so many characters. */
  #past(mark: string, begin: number): string {
    const from = this.#at + begin;
    const end = this.#text.indexOf(mark, from);
    if (end < 0) throw this.#fault('a comment, an instruction or a section has no end');
    this.#at = end + mark.length;
    return this.#text.slice(from, end);
  }

  #start(): void {
    const [, written] = this.#take(START) ?? [];
    if (written === undefined) throw this.#fault('a < begins no element');
    if (this.#root !== undefined && this.#open.length === 0) throw this.#fault('it has a second root');
    this.#elements += 1;
    if (this.#elements > xmlElementsMax)
      throw this.#fault(`it has over ${xmlElementsMax.toString()} elements`);
    const attributes = new Map<string, string>();
    for (let found = this.#take(ATTRIBUTE); found !== null; found = this.#take(ATTRIBUTE)) {
      const [, name = '', double, single = ''] = found;
      if (attributes.has(name)) throw this.#fault('an attribute comes twice');
      attributes.set(name, this.#resolved(double ?? single));
    }
    const end = this.#take(START_END);
    if (end === null) throw this.#fault('an element has something that is no attribute');
    const element = { name: written.slice(written.indexOf(':') + 1), attributes, children: [] };
    this.#add(element);
    this.#root ??= element;
    if (end[1] === '/') return;
    this.#open.push({ written, element });
    if (this.#open.length > xmlDepthMax)
      throw this.#fault(`its elements are over ${xmlDepthMax.toString()} deep`);
  }

  #end(): void {
    const written = this.#take(END)?.[1];
    if (written === undefined || this.#open.pop()?.written !== written) {
      throw this.#fault('an element ends that did not begin');
    }
  }

  #add(child: XmlElement | string): void {
    const parent = this.#open.at(-1)?.element;
    if (parent !== undefined) parent.children.push(child);
    else if (typeof child === 'string' && child.trim() !== '')
      throw this.#fault('text stands outside its root');
  }

  #take(what: RegExp): RegExpExecArray | null {
    what.lastIndex = this.#at;
    const found = what.exec(this.#text);
    if (found !== null) this.#at = what.lastIndex;
    return found;
  }

  /** In pieces: replace() with a function keeps a hundred bytes for each of what may be four million references. */
  #resolved(text: string): string {
    const pieces: string[] = [];
    let from = 0;
    for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', from)) {
      REFERENCE.lastIndex = at;
      const [written = '', name, decimal, hexadecimal] = REFERENCE.exec(text) ?? [];
      const character = PREDEFINED.get(name ?? '') ?? this.#character(decimal, hexadecimal);
      pieces.push(text.slice(from, at), character);
      from = at + written.length;
    }
    return pieces.length === 0 ? text : pieces.join('') + text.slice(from);
  }

  #character(decimal: string | undefined, hexadecimal: string | undefined): string {
    const digits = decimal ?? hexadecimal;
    const code = digits === undefined ? -1 : Number.parseInt(digits, decimal === undefined ? 16 : 10);
    if (!(code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff))) {
      throw this.#fault('it refers to an entity or a character that is not there');
    }
    return String.fromCodePoint(code);
  }

  #fault(reason: string): ReportUnreadable {
    return new ReportUnreadable(`the XML is not well-formed: ${reason} (character ${this.#at.toString()})`);
  }
}
