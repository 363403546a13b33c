/**
 * RFC 9651 as far as uploads need it. Each reader gives undefined for a field that is not wholly what is
 * asked for: "the entire field MUST be ignored" (4.2), and nobody guesses. Parameters are read over.
 */

const key = '[a-z*][a-z0-9_.*-]*';
const byteSequence = ':([A-Za-z0-9+/=]*):';
const bareItem = [
  String.raw`-?\d{1,12}\.\d{1,3}`,
  String.raw`-?\d{1,15}`,
  String.raw`"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"`,
  String.raw`[A-Za-z*][!#$%&'*+.^_\x60|~0-9A-Za-z:/-]*`,
  ':[A-Za-z0-9+/=]*:',
  String.raw`\?[01]`,
  String.raw`@-?\d{1,15}`,
  String.raw`%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"`,
].join('|');
const parameters = `(?:; *${key}(?:=(?:${bareItem}))?)*`;

const booleanItem = new RegExp(String.raw`^ *\?([01])${parameters} *$`);
const integerItem = new RegExp(String.raw`^ *(\d{1,15})${parameters} *$`);
const bytesMember = new RegExp(`(${key})=${byteSequence}${parameters}`, 'y');
const comma = /[ \t]*,[ \t]*/y;

/** An Item that is a Boolean: `?1`, `?0`. */
export function readBoolean(text: string): boolean | undefined {
  const found = booleanItem.exec(text)?.[1];
  return found === undefined ? undefined : found === '1';
}

/** An Item that is an Integer, and not negative: at most 15 digits, which a double holds exactly. */
export function readCount(text: string): number | undefined {
  const found = integerItem.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** A Dictionary whose members are Byte Sequences. A key that comes twice has its last value (4.2.2). */
export function readByteDictionary(text: string): ReadonlyMap<string, Uint8Array> | undefined {
  const members = new Map<string, Uint8Array>();
  const field = text.replace(/^ +| +$/g, '');
  let at = 0;
  while (at < field.length) {
    if (at > 0) {
      comma.lastIndex = at;
      if (!comma.test(field)) {
        return undefined;
      }
      at = comma.lastIndex;
    }
    bytesMember.lastIndex = at;
    const [whole, name, base64] = bytesMember.exec(field) ?? [];
    if (whole === undefined || name === undefined || base64 === undefined) {
      return undefined;
    }
    members.set(name, Buffer.from(base64, 'base64'));
    at += whole.length;
  }
  return members;
}

/** As 4.1.8 writes a Byte Sequence. */
export function byteSequenceOf(bytes: Uint8Array): string {
  return `:${Buffer.from(bytes).toString('base64')}:`;
}
