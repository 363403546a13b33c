import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CdaReport, readCda } from '../../../src/study/rendering/cda-report.ts';
import { ReportUnreadable } from '../../../src/study/rendering/fault.ts';
import { readXml } from '../../../src/study/rendering/xml-tree.ts';
import { fuzz } from '../support.ts';

const HEADER = `
  <id root="1.2.3" extension="D1"/>
  <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="Diagnostic imaging report"/>
  <title>Verslag röntgen &amp; echo</title>
  <effectiveTime value="20240301101500+0100"/>
  <recordTarget><patientRole>
    <id root="2.16.840.1.113883.2.4.6.3" extension="999990019"/><id root="1.2.4" extension="ZZD-7"/>
    <patient>
      <name><prefix>mevr.</prefix> <given>Zoë</given> <family>Müller-de Léon</family></name>
      <administrativeGenderCode code="F"/><birthTime value="19620417"/>
    </patient>
  </patientRole></recordTarget>
  <author><time value="20240301"/><assignedAuthor><assignedPerson><name>Eva Groot</name></assignedPerson>
    <representedOrganization><name>Radiologie</name></representedOrganization></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization>
    <name>Ziekenhuis Zuiderdiep</name></representedCustodianOrganization></assignedCustodian></custodian>
  <legalAuthenticator><time value="20240301110000"/><signatureCode code="S"/>
    <assignedEntity><assignedPerson><name>Eva Groot</name></assignedPerson></assignedEntity></legalAuthenticator>
  <inFulfillmentOf><order><id root="1.2.5" extension="A2024000007"/></order></inFulfillmentOf>
  <documentationOf><serviceEvent><effectiveTime><low value="20240229"/></effectiveTime></serviceEvent></documentationOf>`;

const SECTIONS = `<component><structuredBody>
  <component><section><title>Bevindingen</title><text>
    <paragraph>Geen <content styleCode="Bold">infiltraat</content>;
       coëfficiënt ongewijzigd.<br/>Tweede regel&#x3A; &#8364; 5.</paragraph>
    <list listType="ordered"><item>Eén</item><item>Twee<list><item>Onder</item></list></item></list>
    <table><thead><tr><th>Maat</th><th>mm</th></tr></thead><tbody><tr><td>Nodus</td><td>12</td></tr></tbody></table>
    <content revised="delete">Oude tekst</content><!-- niet tonen --><renderMultiMedia referencedObject="x"/>
  </text><entry><observation><code displayName="gecodeerd"/></observation></entry>
    <component><section><title>Conclusie</title><text><![CDATA[Grootte < 5 & stabiel.]]></text></section></component>
  </section></component>
</structuredBody></component>`;

const cda = (body: string, header = HEADER): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet href="cda.xsl"?>\n` +
  `<ClinicalDocument xmlns="urn:hl7-org:v3">${header}${body}</ClinicalDocument>`;

const read = (text: string | Buffer, language: 'nl' | 'en' = 'nl'): CdaReport =>
  readCda(Buffer.from(text), language, 'een document');

function narrative(text: string | Buffer): Extract<CdaReport, { kind: 'narrative' }>['report'] {
  const found = read(text);
  if (found.kind !== 'narrative') throw new Error('it carries a PDF');
  return found.report;
}

describe('a CDA document', () => {
  it('is its header and the narrative of its sections', () => {
    const report = narrative(cda(SECTIONS));
    expect(report.title).toBe('Verslag röntgen & echo');
    expect(report.institution).toBe('Ziekenhuis Zuiderdiep');
    expect(report.status).toBe('Ondertekend door Eva Groot op 01-03-2024 11:00:00');
    expect(report.head.filter(([, text]) => text !== '')).toEqual([
      ['Patiënt', 'mevr. Zoë Müller-de Léon'],
      ['Geboortedatum', '17-04-1962'],
      ['Geslacht', 'vrouw'],
      ['Patiëntnummer', '999990019, ZZD-7'],
      ['Datum onderzoek', '29-02-2024'],
      ['Onderzoeknummer', 'A2024000007'],
      ['Auteur', 'Eva Groot, Radiologie'],
      ['Datum verslag', '01-03-2024 10:15:00 (UTC+0100)'],
    ]);
    expect(report.blocks).toEqual([
      { kind: 'heading', depth: 0, text: 'Bevindingen' },
      {
        kind: 'text',
        depth: 0,
        text: [
          'Geen infiltraat; coëfficiënt ongewijzigd.',
          'Tweede regel: € 5.',
          '',
          '1. Eén',
          '2. Twee',
          '• Onder',
          '',
          'Maat | mm',
          'Nodus | 12',
          '[vervallen: Oude tekst] [afbeelding niet opgenomen]',
        ].join('\n'),
      },
      { kind: 'heading', depth: 1, text: 'Conclusie' },
      { kind: 'text', depth: 1, text: 'Grootte < 5 & stabiel.' },
    ]);
  });

  it('is read in the encoding it declares, with whatever prefix', () => {
    const latin1 = cda(SECTIONS).replace('UTF-8', 'ISO-8859-1').replace('&#8364;', 'ë');
    expect(narrative(Buffer.from(latin1, 'latin1')).title).toBe('Verslag röntgen & echo');
    const prefixed = cda(SECTIONS)
      .replace(/<(\/?)(?=[A-Za-z])/g, '<$1hl7:')
      .replace('xmlns=', 'xmlns:hl7=');
    expect(narrative(prefixed).blocks).toEqual(narrative(cda(SECTIONS)).blocks);
  });

  it('that nobody signed does not say how final it is', () => {
    const unsigned = HEADER.replace(/<legalAuthenticator>.*<\/legalAuthenticator>/s, '');
    expect(narrative(cda(SECTIONS, unsigned)).status).toBe('Status niet vermeld');
  });

  it.each([
    ['S', 'Ondertekend door Eva Groot op 01-03-2024 11:00:00'],
    ['X', 'Nog niet ondertekend door Eva Groot'],
    ['I', 'Nog niet ondertekend door Eva Groot'],
    [null, 'Niet vermeld of ondertekend is door Eva Groot'],
  ])('is signed by who stands there only where the signature says so: %s', (code, status) => {
    const written = code === null ? '' : `<signatureCode code="${code}"/>`;
    expect(narrative(cda(SECTIONS, HEADER.replace('<signatureCode code="S"/>', written))).status).toBe(
      status,
    );
  });

  it('says which document it replaces or adds to', () => {
    const related =
      '<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.3" extension="D0"/></parentDocument></relatedDocument>';
    expect(narrative(cda(SECTIONS, HEADER + related)).head).toContainEqual(['Vervangt of vult aan', 'D0']);
  });

  it('keeps what stands raised from becoming part of the number beside it', () => {
    const text =
      'Leukocyten 12 x 10<sup>9</sup>/l, 10<sup>−3</sup>, H<sub>2</sub>O, n<sup>de</sup>, log<sub>10</sub> 5';
    const sections = `<component><structuredBody><component><section><text>${text}</text></section></component></structuredBody></component>`;
    expect(narrative(cda(sections)).blocks).toEqual([
      {
        kind: 'text',
        depth: 0,
        text: 'Leukocyten 12 x 10⁹/l, 10⁻³, H₂O, n^(de), log₁₀ 5',
      },
    ]);
  });

  it('loses no text that stands where none should be', () => {
    const text =
      '<list>Vooraf<item>Eén</item></list><table><tr>Naast<td>Cel</td><td/><td>3</td></tr></table>';
    const sections = `<component><structuredBody><component><section><text>${text}</text><text>Tweede</text></section></component></structuredBody></component>`;
    expect(narrative(cda(sections)).blocks.map((block) => block.text)).toEqual([
      'Vooraf\n• Eén\n\nNaast | Cel | | 3',
      'Tweede',
    ]);
  });

  it('may carry a PDF or plain text for its body', () => {
    const pdf = Buffer.from('%PDF-1.4 …');
    const body = (attributes: string, text: string) =>
      `<component><nonXMLBody><text ${attributes}>${text}</text></nonXMLBody></component>`;
    const carried = read(
      cda(body('mediaType="application/pdf" representation="B64"', pdf.toString('base64'))),
    );
    expect(carried).toMatchObject({ kind: 'pdf', title: 'Verslag röntgen & echo', pdf });
    expect(narrative(cda(body('mediaType="text/plain"', 'Geen\nafwijkingen.'))).blocks).toEqual([
      { kind: 'text', depth: 0, text: 'Geen\nafwijkingen.' },
    ]);
    for (const [attributes, text, fault] of [
      ['mediaType="application/pdf"', 'JVBERi0=', 'its body is no base64'],
      ['mediaType="application/pdf" representation="B64"', 'JVB*', 'its body is no base64'],
      ['mediaType="image/tiff" representation="B64"', 'AAAA', 'its body is neither text nor a PDF'],
      ['mediaType="text/plain" representation="B64" compression="DF"', 'AAAA', 'its body is compressed'],
      ['mediaType="text/plain"', 'Geen <b>afwijkingen</b>.', 'its body is said to be plain text'],
    ] as const) {
      expect(() => read(cda(body(attributes, text)))).toThrow(fault);
    }
  });

  it('may carry plain text of Windows in base64', () => {
    const text = Buffer.from('Eén co\xebffici\xebnt, \x80 5'.replace('é', '\xe9'), 'latin1').toString(
      'base64',
    );
    const body = `<component><nonXMLBody><text mediaType="text/plain" representation="B64">${text}</text></nonXMLBody></component>`;
    expect(narrative(cda(body)).blocks).toEqual([{ kind: 'text', depth: 0, text: 'Eén coëfficiënt, € 5' }]);
  });

  it.each([
    ['a title', (text: string) => cda(SECTIONS, HEADER.replace('Verslag', text))],
    ['a name', (text: string) => cda(SECTIONS, HEADER.replace('Zoë', text))],
    ['a number', (text: string) => cda(SECTIONS, HEADER.replace('ZZD-7', text))],
    [
      'deep rows',
      (text: string) =>
        cda(SECTIONS.replace('Maat', `${'<tr><td>'.repeat(24)}${text}${'</td></tr>'.repeat(24)}`)),
    ],
    ['references', (text: string) => cda(SECTIONS.replace('Maat', text.replaceAll(/[a ]/g, '&lt;')))],
  ])('that holds more than its pages do in %s is refused before anything is made of it', (_, make) => {
    expect(() => read(make('a '.repeat(600_000)))).toThrow('it has more than 200 pages');
  });

  it('may hold any amount of what is coded, and of blanks between its lines', () => {
    const coded = '<observation classCode="OBS" moodCode="EVN"><code code="1234"/></observation>'.repeat(
      20_000,
    );
    const blanks = `\n${' '.repeat(2_000_000)}<paragraph>Eén.</paragraph>`;
    const large = SECTIONS.replace('<observation>', `${coded}<observation>`).replace(
      '</text>',
      `${blanks}</text>`,
    );
    expect(narrative(cda(large)).blocks[1]?.text).toContain('Eén.');
  });

  it('that is none, or says nothing, is refused', () => {
    expect(() => read('<Bundle/>')).toThrow('it is no CDA document');
    expect(() => read(cda('<component><structuredBody/></component>'))).toThrow('it has no text to read');
    expect(() => read(cda(''))).toThrow('it has no text to read');
  });
});

describe('XML', () => {
  it.each([
    '<a><b></a>',
    '<a>',
    '<a/><b/>',
    '<a/>text',
    '<a b="1" b="2"/>',
    '<a b=1/>',
    '<a>&nbsp;</a>',
    '<a>&#0;</a>',
    '<a>&#xD800;</a>',
    '<a>1 & 2</a>',
    '<a><!-- </a>',
    '<a><![CDATA[ </a>',
    '<a>< b/></a>',
    '<a b="<"/>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a><!DOCTYPE b><b/></a>',
    '<?xml version="1.0" encoding="UTF-7"?><a/>',
    '<a>\xff</a>',
    '',
  ])('that is not well-formed or could do harm is refused: %#', (text) => {
    expect(() => readXml(Buffer.from(text, 'latin1'))).toThrow(ReportUnreadable);
  });

  it('has as many elements as are bearable, and so deep', () => {
    const many = (count: number): Buffer => Buffer.from(`<a>${'<b/>'.repeat(count - 1)}</a>`);
    expect(readXml(many(100_000)).children.length).toBe(99_999);
    expect(() => readXml(many(100_001))).toThrow('over 100000 elements');
    const deep = (depth: number): Buffer => Buffer.from('<a>'.repeat(depth) + '</a>'.repeat(depth));
    expect(readXml(deep(64)).name).toBe('a');
    expect(() => readXml(deep(65))).toThrow('over 64 deep');
  });

  it('never makes anything else throw, nor hang', () => {
    const whole = cda(SECTIONS);
    const piece = fc.constantFrom(
      '<',
      '>',
      '&',
      '"',
      '</',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '&#',
      ' ',
      '=',
      'a:',
    );
    const mutant = fc
      .array(fc.tuple(fc.nat(whole.length), piece, fc.nat(12)), { maxLength: 6 })
      .map((changes) =>
        changes.reduce(
          (text, [at, insert, remove]) => text.slice(0, at) + insert + text.slice(at + remove),
          whole,
        ),
      );
    fc.assert(
      fc.property(mutant, (text) => {
        try {
          read(text);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ReportUnreadable);
        }
      }),
      fuzz,
    );
    for (const hostile of [
      `<a ${' '.repeat(1_000_000)}`,
      `<a ${'b '.repeat(500_000)}`,
      `<${'a'.repeat(1_000_000)}`,
      `<a b="${'&amp;'.repeat(200_000)}`,
    ]) {
      expect(() => readXml(Buffer.from(hostile))).toThrow(ReportUnreadable);
    }
  });
});
