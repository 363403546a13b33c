import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkReport, isReportType, type ReportType, reportTypes } from '../../src/study/report.ts';
import { fuzz, readsOf } from './support.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const check = (type: ReportType, content: Uint8Array) =>
  checkReport(type, content.byteLength, readsOf(content).read);
const codeOf = async (type: ReportType, content: Uint8Array): Promise<string> =>
  (await check(type, content)).fault?.code ?? 'good';

const cda = `<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="cda.xsl"?>
<!-- een verslag -->
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Verslag één</title></ClinicalDocument>
`;
const pdf = `%PDF-1.7\n${'x'.repeat(5000)}\nstartxref\n1\n%%EOF\r\n`;

describe('a report', () => {
  it('of a known type is told from an instance by that type', () => {
    expect([...reportTypes, 'application/dicom', 'text/html', 'image/jpeg'].map(isReportType)).toEqual([
      ...reportTypes.map(() => true),
      ...[false, false, false],
    ]);
  });

  it.each([
    ['a PDF', 'application/pdf', latin1(pdf)],
    [
      'a PDF with something before and behind it',
      'application/pdf',
      latin1(`${'-'.repeat(999)}${pdf}${'\0'.repeat(900)}`),
    ],
    ['XML', 'text/xml', latin1('<a/>')],
    [
      'XML of one element with a comment behind it',
      'application/xml',
      latin1('<a:b x="1">é</a:b ><!-- fin -->\n'),
    ],
    ['XML in Latin-1', 'text/xml', latin1('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>')],
    ['a CDA', 'text/xml', Buffer.from(cda)],
    ['a CDA by its type, with a byte order mark', 'application/hl7-cda+xml', Buffer.from(`\ufeff${cda}`)],
    ['a text', 'text/plain', Buffer.from('Geen afwijkingen.\r\n\tConclusie: één €\f')],
  ] as const)('is good: %s', async (_, type, content) => {
    expect(await check(type, content)).toMatchObject({ mediaType: type, fault: null });
  });

  it.each([
    ['that is empty', 'text/plain', Buffer.alloc(0), 'EMPTY'],
    ['that is no PDF', 'application/pdf', latin1(cda), 'MALFORMED'],
    ['whose PDF begins too late', 'application/pdf', latin1(`${' '.repeat(1020)}${pdf}`), 'MALFORMED'],
    ['whose PDF is cut off', 'application/pdf', latin1(pdf.slice(0, -7)), 'TRUNCATED'],
    [
      'whose PDF ends long before the file',
      'application/pdf',
      latin1(`${pdf}${'\0'.repeat(2000)}`),
      'TRUNCATED',
    ],
    ['that is no XML', 'text/xml', latin1('Geachte collega'), 'MALFORMED'],
    ['that is half a tag', 'text/xml', latin1('<a'), 'MALFORMED'],
    ['of a comment alone', 'text/xml', latin1('<!-- a --'), 'MALFORMED'],
    ['whose XML is cut off', 'text/xml', latin1(cda.slice(0, -4)), 'TRUNCATED'],
    ['whose XML ends with another element', 'text/xml', latin1('<a><b></b>'), 'TRUNCATED'],
    ['in UTF-16', 'text/xml', Buffer.from('\ufeff<a/>', 'utf16le'), 'UNSUPPORTED'],
    ['in UTF-16 without a mark', 'text/xml', Buffer.from('<a/>', 'utf16le'), 'UNSUPPORTED'],
    [
      'in an encoding of a mainframe',
      'text/xml',
      latin1('<?xml version="1.0" encoding="EBCDIC-CP-NL"?><a/>'),
      'UNSUPPORTED',
    ],
    ['with a DOCTYPE', 'text/xml', latin1('<!DOCTYPE a><a/>'), 'UNSUPPORTED'],
    [
      'with a DOCTYPE from elsewhere',
      'text/xml',
      latin1('<!-- --><!doctype a SYSTEM "http://x/"><a/>'),
      'UNSUPPORTED',
    ],
    [
      'that laughs',
      'text/xml',
      latin1('<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "&c;&c;">]><a>&b;</a>'),
      'UNSUPPORTED',
    ],
    ['of a CDA that is none', 'application/hl7-cda+xml', latin1('<a/>'), 'MALFORMED'],
    ['of text with a zero', 'text/plain', latin1('a\0b'), 'MALFORMED'],
    ['of text with an escape', 'text/plain', latin1('a\x1b[2Jb'), 'MALFORMED'],
    ['of text in UTF-16', 'text/plain', Buffer.from('\ufeffGeen', 'utf16le'), 'MALFORMED'],
  ] as const)('is refused: one %s', async (_, type, content, code) => {
    expect(await codeOf(type, content)).toBe(code);
  });

  it('above 64 MiB is refused without a read', async () => {
    const never = () => Promise.reject(new Error('it was read'));
    const { fault } = await checkReport('application/pdf', 64 * 1024 ** 2 + 1, never);
    expect(fault).toEqual({ code: 'TOO_LARGE', reason: 'the report is larger than 64 MiB' });
  });

  it('is known for a CDA by its root, under any prefix', async () => {
    const isCda = async (content: string): Promise<boolean> => (await check('text/xml', latin1(content))).cda;
    expect(await isCda(cda)).toBe(true);
    expect(await isCda('<h:ClinicalDocument xmlns:h="urn:hl7-org:v3"/>')).toBe(true);
    expect(await isCda('<!-- <ClinicalDocument> --><a/>')).toBe(false);
    expect(await isCda('<ClinicalDocuments/>')).toBe(false);
  });

  it('says how its text is written', async () => {
    const charsetOf = async (type: ReportType, content: Uint8Array) => (await check(type, content)).charset;
    expect(await charsetOf('text/plain', Buffer.from('één'))).toBe('utf-8');
    expect(await charsetOf('text/plain', latin1('\xe9\xe9n \x80 20'))).toBe('windows-1252');
    expect(await charsetOf('text/plain', Buffer.from('é').subarray(0, 1))).toBe('windows-1252');
    expect(await charsetOf('text/xml', latin1('<?xml version="1.0" encoding="windows-1252"?><a/>'))).toBe(
      'windows-1252',
    );
    expect(await charsetOf('text/xml', latin1('<a/>'))).toBe('utf-8');
    expect(await charsetOf('application/pdf', latin1(pdf))).toBeNull();
  });

  it('of UTF-8 is read as such wherever one read ends and the next begins', async () => {
    const content = Buffer.from(`a${'é'.repeat(300_000)}`);
    const reads = readsOf(content);
    const found = await checkReport('text/plain', content.byteLength, reads.read);
    expect([found.charset, found.fault, reads.count]).toEqual(['utf-8', null, 3]);
  });

  it('of which only the ends count is not read between them', async () => {
    const content = latin1(`%PDF-${'x'.repeat(1_000_000)}%%EOF`);
    const reads = readsOf(content);
    await checkReport('application/pdf', content.byteLength, reads.read);
    expect(reads.bytes).toBe(2048);
  });

  it('passes on what the storage throws', async () => {
    const failing = () => Promise.reject(new Error('the disk is gone'));
    for (const type of reportTypes) {
      await expect(checkReport(type, 10, failing)).rejects.toThrow('the disk is gone');
    }
  });

  it('of any bytes is good or has a fault, which holds none of them', async () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '<?',
      '?>',
      '<!--',
      '-->',
      '<a',
      '/>',
      ' ',
      '<?xml version="1.0"',
      'JANSEN',
    );
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.string({ unit: pieces, maxLength: 300 }).map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...reportTypes), content, async (type, bytes) => {
        const { fault } = await check(type, bytes);
        expect(fault?.reason ?? 'good').toMatch(/^[\w ,;()-]+$/);
        expect(JSON.stringify(fault)).not.toContain('JANSEN');
      }),
      fuzz,
    );
  });
});
