import { RequestInvalid } from './errors.ts';
import { jsonDepthMax } from './limits.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Reads a JSON body after counting what it would become: JSON.parse makes millions of objects of a body
 * of a few megabytes, and nobody else is served meanwhile.
 *
 * @param valuesMax members, elements, objects and arrays together
 * @throws RequestInvalid when it is not JSON, has more values, or is nested deeper than `jsonDepthMax`
 */
export function parseJson(bytes: Uint8Array, valuesMax: number): unknown {
  checkShape(bytes, valuesMax);
  try {
    // As Request.text() does: a byte order mark is not part of the text.
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new RequestInvalid('body', ['it is not JSON']);
  }
}

/** Every value but the first begins behind one of `{`, `[` and `,`; in UTF-8 these bytes are nothing else. */
function checkShape(bytes: Uint8Array, valuesMax: number): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at + 1);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        values += 1;
        depth += 1;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
      case COMMA:
        values += 1;
        break;
    }
    if (values > valuesMax) throw new RequestInvalid('body', [`it has more than ${valuesMax} values`]);
    if (depth > jsonDepthMax) throw new RequestInvalid('body', [`it is nested deeper than ${jsonDepthMax}`]);
  }
}

/** Where the closing quote is; the last byte when there is none. */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}
