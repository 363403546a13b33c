import { checkAmount } from './cda-amount.ts';
import { narrativeText } from './cda-narrative.ts';
import { type CdaPatient, cdaPatient } from './cda-patient.ts';
import { dateText } from './dates-names.ts';
import { ReportUnreadable } from './fault.ts';
import { pageHead } from './page-head.ts';
import type { Block, PrintedReport, ReportLanguage } from './printed-report.ts';
import { textOfBytes } from './text-report.ts';
import { type Words, wordsOf } from './words.ts';
import { all, at, ownText, textAt, valueAt } from './xml-paths.ts';
import { readXml, type XmlElement } from './xml-tree.ts';

/** What a CDA document is for people: text to be laid out, or a PDF that it carries; and of whom. Patient data. */
export type CdaReport = { readonly patient: CdaPatient } & (
  | { readonly kind: 'narrative'; readonly report: PrintedReport }
  | { readonly kind: 'pdf'; readonly title: string; readonly pdf: Uint8Array }
);

/**
 * Reads a CDA document (HL7 CDA R2): its header, and the narrative of its sections, which is what was signed.
 * Coded entries are for machines and are left out. A body that is a PDF or plain text (nonXMLBody) is taken as such.
 *
 * @throws ReportUnreadable when it is none, has nothing to read, or more than its pages hold
 */
export function readCda(bytes: Uint8Array, language: ReportLanguage, madeFrom: string): CdaReport {
  const root = readXml(bytes);
  if (root.name !== 'ClinicalDocument') throw new ReportUnreadable('it is no CDA document');
  checkAmount(root);
  const patient = cdaPatient(root);
  const words = wordsOf(language);
  const title = [
    textAt(root, 'title'),
    at(root, 'code')?.attributes.get('displayName') ?? '',
    words.report,
  ].find((text) => text !== '');
  const body = at(root, 'component', 'nonXMLBody', 'text');
  if (body !== undefined && body.attributes.get('mediaType') === 'application/pdf') {
    return { patient, kind: 'pdf', title: title ?? '', pdf: decoded(body) };
  }
  const blocks =
    body === undefined ? sectionsOf(at(root, 'component', 'structuredBody'), 0, words) : plain(body);
  if (blocks.length === 0) throw new ReportUnreadable('it has no text to read');
  return {
    patient,
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
  const patient = at(role, 'patient');
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
      earlier: all(root, 'relatedDocument')
        .flatMap((related) => all(related, 'parentDocument'))
        .flatMap((parent) => all(parent, 'id'))
        .map(({ attributes }) => attributes.get('extension') ?? attributes.get('root') ?? '')
        .join(', '),
    },
    language,
  );
}

/** CDA has no flag for how final a document is: a signature says so (section 4.2.2.8), and nothing else. */
function statusOf(root: XmlElement, language: ReportLanguage): string {
  const words = wordsOf(language);
  const said = [
    ...signatures(root, 'legalAuthenticator', words.signedBy, language),
    ...signatures(root, 'authenticator', words.verifiedBy, language),
  ].join(', ');
  return said === '' ? words.statusUnknown : said.charAt(0).toUpperCase() + said.slice(1);
}

/** Who stands there has signed only where `S` says so: `X` is a signature that is required, `I` one that is intended. */
function signatures(root: XmlElement, role: string, signed: string, language: ReportLanguage): string[] {
  const words = wordsOf(language);
  return all(root, role).map((one) => {
    const code = at(one, 'signatureCode')?.attributes.get('code') ?? '';
    const is = code === 'S' ? signed : code === '' ? words.signatureUnknown : words.signatureMissing;
    const who = personOf(at(one, 'assignedEntity'));
    const when = code === 'S' ? valueAt(one, 'time') : '';
    return [is, who, when && `${words.on} ${dateText(when, language)}`]
      .filter((part) => part !== '')
      .join(' ');
  });
}

function sectionsOf(parent: XmlElement | undefined, depth: number, words: Words): Block[] {
  return all(parent, 'component').flatMap((component) => {
    const section = at(component, 'section');
    if (section === undefined) return [];
    const title = textAt(section, 'title');
    const texts = all(section, 'text').map((narrative) => narrativeText(narrative, words));
    return [
      ...(title === '' ? [] : [{ kind: 'heading', depth, text: title } as const]),
      ...texts.flatMap((text) => (text === '' ? [] : [{ kind: 'text', depth, text } as const])),
      ...sectionsOf(section, depth + 1, words),
    ];
  });
}

/** A body that is not XML has no elements but where else it is to be found (section 4.3.1.1), and that is never fetched. */
function plain(body: XmlElement): Block[] {
  const type = body.attributes.get('mediaType') ?? 'text/plain';
  if (type !== 'text/plain') throw new ReportUnreadable('its body is neither text nor a PDF');
  if (body.children.some((child) => typeof child !== 'string' && child.children.length > 0)) {
    throw new ReportUnreadable('its body is said to be plain text, and is none');
  }
  const text = (isBase64(body) ? textOfBytes(decoded(body)) : ownText(body)).trim();
  return text === '' ? [] : [{ kind: 'text', depth: 0, text }];
}

function isBase64(body: XmlElement): boolean {
  return body.attributes.get('representation') === 'B64';
}

function decoded(body: XmlElement): Uint8Array {
  if (body.attributes.has('compression')) throw new ReportUnreadable('its body is compressed');
  const text = ownText(body).replace(/\s+/g, '');
  if (!isBase64(body) || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new ReportUnreadable('its body is no base64');
  }
  return Buffer.from(text, 'base64');
}

function personOf(entity: XmlElement | undefined): string {
  const names = [textAt(entity, 'assignedPerson', 'name'), textAt(entity, 'representedOrganization', 'name')];
  return names.filter((name) => name !== '').join(', ');
}

function extensions(parent: XmlElement | undefined): string[] {
  return all(parent, 'id').flatMap(({ attributes }) => attributes.get('extension') ?? []);
}
