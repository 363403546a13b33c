import { titleBytesMax } from './limits.ts';

const LATIN_1 = /^ISO(_IR| 2022 IR) 100$/;
const UTF_8 = 'ISO_IR 192';

/**
 * A title as bytes of a character set (0008,0005). Latin 1 and UTF-8 are written; with any other set, and
 * where a letter is not in it, accents are left off and the rest becomes a question mark: a title names the
 * document in a list, and its text is in the PDF.
 */
export function titleBytes(title: string, charset: string): Uint8Array {
  // A letter may come with a mark for each accent. Composing many of these takes long, and no more is needed.
  const plain = title
    .slice(0, 4 * titleBytesMax)
    .replace(/\p{C}+/gu, ' ')
    .trim();
  const [first = ''] = charset.split('\\');
  if (first.trim() === UTF_8) return utf8(plain);
  const known = LATIN_1.test(first.trim()) ? /[^\x20-\x7e\xa0-\xff]/gu : /[^\x20-\x7e]/gu;
  const written = plain
    .normalize('NFC')
    .replace(known, (letter) => letter.normalize('NFKD').replace(/[^\x20-\x7e]/gu, '') || '?');
  return Buffer.from(written.slice(0, titleBytesMax), 'latin1');
}

/** Cut between characters. */
function utf8(text: string): Uint8Array {
  let end = 0;
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > titleBytesMax) break;
    end += character.length;
  }
  return Buffer.from(text.slice(0, end));
}
