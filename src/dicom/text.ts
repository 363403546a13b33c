import { UID_CHARACTERS_MAX } from './limits.ts';

/** What an absent value holds. */
export const NO_BYTES = new Uint8Array(0);

/**
 * Bytes [start, end) as characters 0 to 255, one each, without the padding (spaces, NUL) at both ends. The
 * offsets save each value of a head a view of its own, which costs as much as its text.
 */
export function plainText(bytes: Uint8Array, start = 0, end = bytes.byteLength): string {
  let from = start;
  let to = end;
  while (to > from && isPadding(bytes[to - 1] ?? 0)) to--;
  while (from < to && isPadding(bytes[from] ?? 0)) from++;
  return characters(bytes, from, to);
}

/** Bytes [from, to) as characters 0 to 255, one each. */
export function characters(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** Where, in the bytes of a value, what it says begins and ends; both 0 when it says nothing. */
export function trimmed(bytes: Uint8Array): { from: number; to: number } {
  let from = 0;
  let to = bytes.byteLength;
  while (to > from && isPadding(bytes[to - 1] ?? 0)) to--;
  while (from < to && isPadding(bytes[from] ?? 0)) from++;
  return from === to ? { from: 0, to: 0 } : { from, to };
}

/** PS3.5 section 6.2: values are padded with a space, UIDs with a NUL, and writers mix them up. */
export function trimPadding(text: string): string {
  let from = 0;
  let to = text.length;
  while (to > from && isPadding(text.charCodeAt(to - 1))) to--;
  while (from < to && isPadding(text.charCodeAt(from))) from++;
  return text.slice(from, to);
}

function isPadding(code: number): boolean {
  return code === 0x20 || code === 0;
}

/**
 * True for what may be used as a UID. Looser than PS3.5 section 9.1 (leading zeros are seen), yet
 * digits and dots only: UIDs become keys and part of file names, and must not carry anything else.
 */
export function isUid(text: string): boolean {
  return text.length <= UID_CHARACTERS_MAX && /^[0-9]+(\.[0-9]+)*$/.test(text);
}

/**
 * True for 1 to `charactersMax` characters that may be written into any instance: printable ASCII is
 * itself in every character set, a backslash would make two values of one, and a caret two components
 * (PS3.5 sections 6.1, 6.2 and 6.4). Spaces at an end would be padding.
 */
export function isPlain(text: string, charactersMax: number): boolean {
  return text.length <= charactersMax && /^[ -[\]_-~]+$/.test(text) && text.trim() === text;
}
