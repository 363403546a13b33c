import type { Words } from './words.ts';
import type { XmlElement } from './xml-tree.ts';

/** A table's cells stand behind each other on one line, with this between them. */
const BETWEEN_CELLS = ' | ';

/**
 * The text of a narrative block as people read it (CDA R2 section 4.3.5): blocks on lines of their own,
 * lists with their marks, rows of tables on one line. White space counts as one blank, as in a browser.
 */
export function narrativeText(block: XmlElement, words: Words): string {
  return written(block, words)
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trim())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

function written(element: XmlElement, words: Words): string {
  const inner = (): string =>
    element.children
      .map((child) => (typeof child === 'string' ? child.replace(/\s+/g, ' ') : written(child, words)))
      .join('');
  switch (element.name) {
    case 'br':
      return '\n';
    case 'paragraph':
    case 'caption':
    case 'table':
      return `\n${inner()}\n`;
    case 'list':
      return `${listText(element, words)}\n`;
    case 'tr':
      return `\n${rowText(element, words)}`;
    case 'content':
      // A page shows these words struck out; they must not be read as what the report says.
      return element.attributes.get('revised') === 'delete' ? `[${words.deleted}: ${inner()}]` : inner();
    case 'sup':
      return raised(inner());
    case 'sub':
      return lowered(inner());
    case 'footnote':
      return ` [${inner()}]`;
    case 'renderMultiMedia':
      return ` ${words.pictureLeftOut} `;
    default:
      return inner();
  }
}

function listText({ attributes, children }: XmlElement, words: Words): string {
  const ordered = attributes.get('listType') === 'ordered';
  let number = 0;
  const lines = children.map((child) => {
    if (typeof child === 'string') return child.replace(/\s+/g, ' ');
    if (child.name !== 'item') return written(child, words);
    number += 1;
    return `\n${ordered ? `${number.toString()}.` : '•'} ${written(child, words).trim()}`;
  });
  return lines.join('');
}

function rowText({ children }: XmlElement, words: Words): string {
  return children
    .map((child) => (typeof child === 'string' ? child.replace(/\s+/g, ' ') : written(child, words)))
    .map((text) => text.replaceAll('\n', ' ').trim())
    .filter((text, at) => text !== '' || typeof children[at] !== 'string')
    .join(BETWEEN_CELLS);
}

const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻';
const LOWERED = '₀₁₂₃₄₅₆₇₈₉₊₋';
const PLAIN = '0123456789+-';

/** 10⁹ and not 109: what stands raised is another number than beside it. Other than a number it stands behind a ^. */
function raised(text: string): string {
  return moved(text, RAISED) ?? `^(${text.trim()})`;
}

/** H₂O; what is not digits loses nothing by standing on the line. */
function lowered(text: string): string {
  return moved(text, LOWERED) ?? text;
}

function moved(text: string, digits: string): string | undefined {
  const characters = Array.from(text.trim().replaceAll('\u2212', '-'));
  const found = characters.map((character) => digits[PLAIN.indexOf(character)]);
  return found.includes(undefined) ? undefined : found.join('');
}
