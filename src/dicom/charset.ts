import { LO_CHARACTERS_MAX } from './limits.ts';
import { characters, trimPadding } from './text.ts';

/**
 * Decoder by the defined term of (0008,0005), PS3.3 section C.12.1.1.2, as WHATWG names it. The
 * `ISO 2022 IR` terms mean the same sets, reached by escape sequences.
 */
const LABELS: ReadonlyMap<string, string> = new Map([
  ['13', 'shift_jis'],
  ['100', 'windows-1252'],
  ['101', 'iso-8859-2'],
  ['109', 'iso-8859-3'],
  ['110', 'iso-8859-4'],
  ['126', 'iso-8859-7'],
  ['127', 'iso-8859-6'],
  ['138', 'iso-8859-8'],
  ['144', 'iso-8859-5'],
  ['148', 'windows-1254'],
  ['166', 'windows-874'],
  ['192', 'utf-8'],
  ['203', 'iso-8859-15'],
  ['GB18030', 'gb18030'],
  ['GBK', 'gbk'],
]);

/** Every defined term, with what code extensions add: PS3.3 tables C.12-2 to C.12-5. */
const TERMS: ReadonlySet<string> = new Set([
  ...'13 100 101 109 110 126 127 138 144 148 166 192 203'.split(' ').map((set) => `ISO_IR ${set}`),
  ...'6 13 58 87 100 101 109 110 126 127 138 144 148 149 159 166 203'
    .split(' ')
    .map((set) => `ISO 2022 IR ${set}`),
  'GB18030',
  'GBK',
]);

/**
 * True when every term of (0008,0005) is one that the standard defines; an empty one stands for ASCII.
 * Near misses (`ISO_IR_100`, `ISO_IR 6`, `UTF-8`) are none: no two readers take them for the same set.
 */
export function isCharacterSet(specificCharacterSet: string): boolean {
  const terms = specificCharacterSet.split('\\').map(trimPadding);
  return terms.every((term) => term === '' || TERMS.has(term));
}

/** What nothing declares is ASCII by the standard and Latin 1 by habit. */
const LABEL_DEFAULT = 'windows-1252';

/** Behind ESC: which decoder goes on (PS3.3 tables C.12-3 and C.12-4). '' is the one that the value began with. */
const ESCAPES: readonly (readonly [string, string])[] = [
  ['$)C', 'euc-kr'],
  ['$)A', 'gbk'],
  ['$(D', 'iso-2022-jp'],
  ['$B', 'iso-2022-jp'],
  ['(J', 'shift_jis'],
  [')I', 'shift_jis'],
  ['(B', ''],
  ['-A', 'windows-1252'],
  ['-B', 'iso-8859-2'],
  ['-C', 'iso-8859-3'],
  ['-D', 'iso-8859-4'],
  ['-F', 'iso-8859-7'],
  ['-G', 'iso-8859-6'],
  ['-H', 'iso-8859-8'],
  ['-L', 'iso-8859-5'],
  ['-M', 'windows-1254'],
  ['-T', 'windows-874'],
  ['-b', 'iso-8859-15'],
];

const ESC = 0x1b;

/**
 * Decodes a value for people to read, as far as TextDecoder knows the set: what it does not know
 * becomes U+FFFD, never an error. Nothing that is written ever comes from here.
 */
export function decodeText(bytes: Uint8Array, specificCharacterSet: string): string {
  // Each decoder that a value can begin with leaves printable ASCII as it is (not control characters: ICU's
  // Shift JIS swaps some). Most short values are nothing else, and the decoders took a sixth of identify().
  if (bytes.byteLength <= LO_CHARACTERS_MAX && isPrintable(bytes))
    return characters(bytes, 0, bytes.byteLength);
  const first = specificCharacterSet.split('\\')[0] ?? '';
  const initial = LABELS.get(first.trim().replace(/^ISO(_IR| 2022 IR) /, '')) ?? LABEL_DEFAULT;
  let text = '';
  let label = initial;
  let from = 0;
  for (let at = 0; at <= bytes.byteLength; at++) {
    if (at < bytes.byteLength && bytes[at] !== ESC) continue;
    text += decoder(label)(bytes.subarray(from, at));
    const sequence = ESCAPES.find(([code]) => startsWith(bytes, at + 1, code));
    if (sequence === undefined) {
      from = at;
      continue;
    }
    const [code, next] = sequence;
    label = next === '' ? initial : next;
    // The Japanese decoder switches by the escape sequence itself, the others must not see it.
    from = label === 'iso-2022-jp' ? at : at + 1 + code.length;
  }
  return text;
}

function isPrintable(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte < 0x20 || byte > 0x7e) return false;
  return true;
}

function startsWith(bytes: Uint8Array, at: number, code: string): boolean {
  for (let index = 0; index < code.length; index++) {
    if (bytes[at + index] !== code.charCodeAt(index)) return false;
  }
  return true;
}

type Decode = (bytes: Uint8Array) => string;

const decoders = new Map<string, Decode>([[LABEL_DEFAULT, decodeWindows1252]]);

function decoder(label: string): Decode {
  const found = decoders.get(label) ?? decoderOf(label);
  decoders.set(label, found);
  return found;
}

/** A Node built without full ICU lacks most sets. */
function decoderOf(label: string): Decode {
  try {
    const textDecoder = new TextDecoder(label);
    return (bytes) => textDecoder.decode(bytes);
  } catch {
    return decodeWindows1252;
  }
}

/** What the bytes 0x80 to 0x9f are in windows-1252; a blank stands for those that are nothing. */
const LETTERS = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

const latin = new TextDecoder('windows-1252');

/**
 * Text in windows-1252: Latin 1 with € and ’. Node 20 decodes it as ISO 8859-1, so that these come out as control
 * characters, which no text means; after a right decoder there is nothing to repair.
 */
export function decodeWindows1252(bytes: Uint8Array): string {
  return latin.decode(bytes).replace(/[\u0080-\u009f]/g, (control) => {
    const letter = LETTERS[control.charCodeAt(0) - 0x80] ?? ' ';
    return letter === ' ' ? control : letter;
  });
}
