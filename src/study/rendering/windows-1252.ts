/** What the bytes 0x80 to 0x9f are in windows-1252; a blank stands for those that are nothing. */
const LETTERS = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

/**
 * Repairs a decoded text: Node 20 takes windows-1252 for ISO 8859-1, so that € and ’ come out as control
 * characters, which no text means. After a right decoder there is nothing to repair.
 */
export function repairedText(text: string): string {
  return text.replace(/[\u0080-\u009f]/g, (control) => {
    const letter = LETTERS[control.charCodeAt(0) - 0x80] ?? ' ';
    return letter === ' ' ? control : letter;
  });
}
