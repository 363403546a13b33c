import { wordCharactersMax } from './limits.ts';

/**
 * The characters that are shown: what both weights of DejaVu Sans have, of scripts that are written from left to
 * right without joining. Hebrew and Arabic are in the font too, but pdfkit would set their words in the wrong order.
 */
const SHOWN: readonly (readonly [first: number, last: number])[] = [
  [0x20, 0x7e], // ASCII
  [0xa0, 0x2e9], // Latin, phonetics
  [0x2ec, 0x2ee],
  [0x300, 0x34e], // combining marks that no composed letter has
  [0x370, 0x377], // Greek
  [0x37a, 0x37f],
  [0x384, 0x38a],
  [0x38c, 0x38c],
  [0x38e, 0x3a1],
  [0x3a3, 0x525], // Greek, Cyrillic
  [0x531, 0x556], // Armenian
  [0x559, 0x55f],
  [0x561, 0x587],
  [0x10a0, 0x10c5], // Georgian
  [0x10d0, 0x10fc],
  [0x1e00, 0x1efb], // Latin, Vietnamese
  [0x2000, 0x200a], // spaces
  [0x2010, 0x2027], // dashes, quotation marks, bullets
  [0x202f, 0x205f],
  [0x2070, 0x2071], // raised and lowered
  [0x2074, 0x208e],
  [0x20a0, 0x20b5], // currencies
  [0x20b8, 0x20ba],
  [0x20bd, 0x20bd],
  [0x2100, 0x2109], // letter-like
  [0x210b, 0x2149],
  [0x2150, 0x2185], // fractions, Roman numerals
  [0x2190, 0x2311], // arrows, mathematics
  [0x239b, 0x23ae],
  [0x2460, 0x2469],
  [0x2500, 0x269c], // frames, shapes, symbols
  [0x2701, 0x2704],
  [0x2706, 0x2709],
  [0x270c, 0x2727],
  [0xfb00, 0xfb06], // ligatures
];

const NOT_SHOWN = new RegExp(
  `[^\\n${SHOWN.map(([first, last]) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`).join('')}]`,
  'gu',
);

const REPLACEMENT = '\ufffd';
const LINE_ENDS = /\r\n|[\r\n\v\f\u2028\u2029]/g;
/** Say how text may be broken, joined or turned around, and show nothing. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;
/** What is broken nowhere but at its blanks: no-break ones hold it together, and a run of blanks is as long as it is. */
const LONG_WORD = new RegExp(
  `[^ \\n]{${wordCharactersMax.toString()}}(?=[^ \\n])| {${wordCharactersMax.toString()}}(?= )`,
  'gu',
);
/** Composing takes time that grows with the square of such a run. Unicode's own bound (UAX #15 section 13) is 30. */
const MANY_MARKS = /(\p{M}{30})\p{M}+/gu;
/** As wide as what prints them has it; texts line columns up with them. */
const TAB = ' '.repeat(4);

/** Makes texts fit to be shown, and counts what they lose. */
export class ShownText {
  /** Characters that were replaced, in all texts so far. */
  replaced = 0;

  /**
   * The text with line ends as \n, composed letters, and U+FFFD for each character that cannot be shown.
   * A word too long for a line is broken into several.
   */
  of(text: string): string {
    const plain = text.replace(LINE_ENDS, '\n').replaceAll('\t', TAB).replace(INVISIBLE, '');
    const composed = plain.replace(MANY_MARKS, `$1${REPLACEMENT}`).normalize('NFC');
    const shown = composed.replace(NOT_SHOWN, () => {
      this.replaced += 1;
      return REPLACEMENT;
    });
    return withoutTrailingBlanks(shown)
      .replace(/\n{3,}/g, '\n\n')
      .replace(LONG_WORD, '$&\n');
  }
}

/** Not by a pattern: one that looks for a line's end behind blanks looks again from each of them. */
function withoutTrailingBlanks(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
