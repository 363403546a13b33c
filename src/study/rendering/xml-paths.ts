import type { XmlElement } from './xml-tree.ts';

/** The elements with this name right below one, in their order. */
export function all(parent: XmlElement | undefined, name: string): XmlElement[] {
  return (parent?.children ?? []).filter(
    (child): child is XmlElement => typeof child !== 'string' && child.name === name,
  );
}

/** The first element on a path of names. */
export function at(parent: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((found, name) => all(found, name)[0], parent);
}

/** The attribute `value` of an element below one, as HL7 writes codes and times; '' when it is not there. */
export function valueAt(parent: XmlElement | undefined, name: string): string {
  return at(parent, name)?.attributes.get('value') ?? '';
}

/** All text in an element, parts of a name behind each other: given and family name are elements of their own. */
export function textAt(parent: XmlElement | undefined, ...path: readonly string[]): string {
  const found = at(parent, ...path);
  return found === undefined ? '' : allText(found).replace(/\s+/g, ' ').trim();
}

/** The text right in an element, as it stands there. */
export function ownText({ children }: XmlElement): string {
  return children.filter((child) => typeof child === 'string').join('');
}

function allText({ children }: XmlElement): string {
  return children.map((child) => (typeof child === 'string' ? child : ` ${allText(child)} `)).join('');
}
