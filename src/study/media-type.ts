import { mediaTypeCharactersMax } from './limits.ts';

/** A media type taken apart. Type and parameter names are in lower case, values as they came. */
export interface MediaType {
  /** As in `multipart/related`. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const TYPE = new RegExp(`^\\s*(${TOKEN}/${TOKEN})\\s*`);
/** Unquoted values are taken up to the next `;`: senders write boundaries with `/` and `=` unquoted. */
const PARAMETER = new RegExp(`^;\\s*(?:(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;"\\s]+)))?\\s*`);

/**
 * Reads `type/subtype; name=value; name="value"` (RFC 2045 section 5.1).
 *
 * Undefined for anything else, for a parameter that comes twice and for what is too long: two readers
 * of it could see two different things.
 */
export function parseMediaType(text: string): MediaType | undefined {
  if (text.length > mediaTypeCharactersMax) return undefined;
  const type = TYPE.exec(text);
  if (type?.[1] === undefined) return undefined;
  const parameters = new Map<string, string>();
  let rest = text.slice(type[0].length);
  while (rest !== '') {
    const found = PARAMETER.exec(rest);
    if (found === null) return undefined;
    const name = found[1]?.toLowerCase();
    if (name !== undefined) {
      if (parameters.has(name)) return undefined;
      parameters.set(name, found[2]?.replace(/\\(.)/g, '$1') ?? found[3] ?? '');
    }
    rest = rest.slice(found[0].length);
  }
  return { type: type[1].toLowerCase(), parameters };
}
