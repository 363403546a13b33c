import { tooLong } from './fault.ts';
import { textCharactersMax } from './limits.ts';
import type { XmlElement } from './xml-tree.ts';

/** White space of XML (section 2.3). */
const BLANKS = ' \t\r\n';

/**
 * Counts the text of a CDA document before anything is made of it: text of which each level of a narrative makes a
 * copy has to be little enough for that. Coded entries and a body that is no XML are not laid out, and may be large.
 *
 * @throws ReportUnreadable when there is more of it than its pages hold
 */
export function checkAmount(root: XmlElement): void {
  const waiting = [root];
  let characters = 0;
  for (let element = waiting.pop(); element !== undefined; element = waiting.pop()) {
    for (const value of element.attributes.values()) characters += value.length;
    for (const child of element.children) {
      if (typeof child === 'string') characters += lengthOf(child);
      else if (!isPassedOver(element, child)) waiting.push(child);
    }
    if (characters > textCharactersMax) throw tooLong();
  }
}

function isPassedOver(parent: XmlElement, child: XmlElement): boolean {
  return child.name === 'nonXMLBody' || (child.name === 'entry' && parent.name === 'section');
}

/** White space counts as one blank, as it does where it is laid out. */
function lengthOf(text: string): number {
  let length = 0;
  let isBlank = false;
  for (let at = 0; at < text.length && length <= textCharactersMax; at++) {
    const wasBlank = isBlank;
    isBlank = BLANKS.includes(text.charAt(at));
    if (!isBlank || !wasBlank) length += 1;
  }
  return length;
}
