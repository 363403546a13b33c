import { narrativeText } from './cda-narrative.ts';
import { dateText } from './dates-names.ts';
import { ReportUnreadable } from './fault.ts';
import { pageHead } from './page-head.ts';
import type { Block, PrintedReport, ReportLanguage } from './printed-report.ts';
import { type Words, wordsOf } from './words.ts';
import { readXml, type XmlElement } from './xml-tree.ts';

/** What a CDA document is for people: text to be laid out, or a PDF that it carries. Patient data. */
export type CdaReport =
  | { readonly kind: 'narrative'; readonly report: PrintedReport }
  | { readonly kind: 'pdf'; readonly title: string; readonly pdf: Uint8Array };

/**
 * Reads a CDA document (HL7 CDA R2): its header, and the narrative of its sections, which is what was signed.
 * Coded entries are for machines and are left out. A body that is a PDF or plain text (nonXMLBody) is taken as such.
 *
 * @throws ReportUnreadable when it is none, or has nothing to read
 */
export function readCda(bytes: Uint8Array, language: ReportLanguage, madeFrom: string): CdaReport {
  const root = readXml(bytes);
  if (root.name !== 'ClinicalDocument') throw new ReportUnreadable('it is no CDA document');
  const words = wordsOf(language);
  const title = [
    textAt(root, 'title'),
    at(root, 'code')?.attributes.get('displayName') ?? '',
    words.report,
  ].find((text) => text !== '');
  const body = at(root, 'component', 'nonXMLBody', 'text');
  if (body !== undefined && body.attributes.get('mediaType') === 'application/pdf') {
    return { kind: 'pdf', title: title ?? '', pdf: decoded(body) };
  }
  const blocks =
    body === undefined ? sectionsOf(at(root, 'component', 'structuredBody'), 0, words) : plain(body);
  if (blocks.length === 0) throw new ReportUnreadable('it has no text to read');
  return {
    kind: 'narrative',
    report: {
      ...headOf(root, language),
      title: title ?? '',
      status: statusOf(root, language),
      blocks,
      madeFrom,
    },
  };
}

function headOf(root: XmlElement, language: ReportLanguage): ReturnType<typeof pageHead> {
  const role = at(root, 'recordTarget', 'patientRole');
  const patient = role && at(role, 'patient');
  const event = at(root, 'documentationOf', 'serviceEvent', 'effectiveTime');
  return pageHead(
    {
      institution: textAt(root, 'custodian', 'assignedCustodian', 'representedCustodianOrganization', 'name'),
      name: textAt(patient, 'name'),
      id: extensions(role).join(', '),
      birthDate: valueAt(patient, 'birthTime'),
      sex: at(patient, 'administrativeGenderCode')?.attributes.get('code') ?? '',
      study: textAt(root, 'documentationOf', 'serviceEvent', 'code', 'originalText'),
      studyDate: event?.attributes.get('value') ?? valueAt(event, 'low'),
      accession: extensions(at(root, 'inFulfillmentOf', 'order')).join(', '),
      author: personOf(at(root, 'author', 'assignedAuthor')),
      reportAt: valueAt(root, 'effectiveTime'),
    },
    language,
  );
}

/** CDA has no flag for how final a document is: a signature says so (section 4.2.2.8), and nothing else. */
function statusOf(root: XmlElement, language: ReportLanguage): string {
  const words = wordsOf(language);
  const signed = signatures(root, 'legalAuthenticator', language);
  const checked = signatures(root, 'authenticator', language);
  const said = [
    ...signed.map((who) => `${words.signedBy} ${who}`),
    ...checked.map((who) => `${words.verifiedBy} ${who}`),
  ].join(', ');
  return said === '' ? words.statusUnknown : said.charAt(0).toUpperCase() + said.slice(1);
}

function signatures(root: XmlElement, role: string, language: ReportLanguage): string[] {
  return all(root, role).map((one) => {
    const when = valueAt(one, 'time');
    const who = personOf(at(one, 'assignedEntity'));
    return when === '' ? who : `${who} ${wordsOf(language).on} ${dateText(when, language)}`;
  });
}

function sectionsOf(parent: XmlElement | undefined, depth: number, words: Words): Block[] {
  return all(parent, 'component').flatMap((component) => {
    const section = at(component, 'section');
    if (section === undefined) return [];
    const title = textAt(section, 'title');
    const narrative = at(section, 'text');
    const text = narrative === undefined ? '' : narrativeText(narrative, words);
    return [
      ...(title === '' ? [] : [{ kind: 'heading', depth, text: title } as const]),
      ...(text === '' ? [] : [{ kind: 'text', depth, text } as const]),
      ...sectionsOf(section, depth + 1, words),
    ];
  });
}

function plain(body: XmlElement): Block[] {
  const type = body.attributes.get('mediaType') ?? 'text/plain';
  if (type !== 'text/plain') throw new ReportUnreadable('its body is neither text nor a PDF');
  const text = isBase64(body) ? new TextDecoder().decode(decoded(body)) : ownText(body);
  return text.trim() === '' ? [] : [{ kind: 'text', depth: 0, text: text.trim() }];
}

function isBase64(body: XmlElement): boolean {
  return body.attributes.get('representation') === 'B64';
}

function decoded(body: XmlElement): Uint8Array {
  const text = ownText(body).replace(/\s+/g, '');
  if (!isBase64(body) || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new ReportUnreadable('its body is no base64');
  }
  return Buffer.from(text, 'base64');
}

/** A body that is not XML has no elements (section 4.3.1.1). */
function ownText(body: XmlElement): string {
  return body.children.filter((child) => typeof child === 'string').join('');
}

function personOf(entity: XmlElement | undefined): string {
  const names = [textAt(entity, 'assignedPerson', 'name'), textAt(entity, 'representedOrganization', 'name')];
  return names.filter((name) => name !== '').join(', ');
}

function extensions(parent: XmlElement | undefined): string[] {
  return all(parent, 'id').flatMap(({ attributes }) => attributes.get('extension') ?? []);
}

function all(parent: XmlElement | undefined, name: string): XmlElement[] {
  return (parent?.children ?? []).filter(
    (child): child is XmlElement => typeof child !== 'string' && child.name === name,
  );
}

function at(parent: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((found, name) => all(found, name)[0], parent);
}

function valueAt(parent: XmlElement | undefined, name: string): string {
  return at(parent, name)?.attributes.get('value') ?? '';
}

/** All text in an element, parts of a name behind each other: given and family name are elements of their own. */
function textAt(parent: XmlElement | undefined, ...path: readonly string[]): string {
  const found = at(parent, ...path);
  return found === undefined ? '' : allText(found).replace(/\s+/g, ' ').trim();
}

function allText({ children }: XmlElement): string {
  return children.map((child) => (typeof child === 'string' ? child : ` ${allText(child)} `)).join('');
}
